use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;

use super::*;

fn slug() -> Slug {
    Slug::parse("x").unwrap()
}

fn admission(calls: u32, waiting: u32) -> Admission {
    Admission::new([(slug(), Width { calls, waiting })])
}

fn load(admission: &Admission) -> (u32, u32) {
    admission.load(&slug()).map(|load| (load.running, load.waiting)).unwrap()
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

#[track_caller]
fn code(admitted: Option<Result<Slot, Fault>>) -> Code {
    admitted.expect("it should not wait").expect_err("it should be refused").code()
}

#[test]
fn slots_come_back_when_dropped() {
    let admission = admission(2, 0);
    let slots: Vec<Slot> = (0..2).map(|_| admission.try_admit(&slug()).unwrap()).collect();
    assert!(admission.try_admit(&slug()).is_none());
    assert_eq!(load(&admission), (2, 0));
    drop(slots);
    assert_eq!(load(&admission), (0, 0));
    assert!(admission.try_admit(&slug()).is_some());
}

#[test]
fn patience_is_not_asked_for_without_a_wait() {
    let admission = admission(1, 1);
    let slot = poll(pin!(admission.admit(&slug(), || -> std::future::Ready<()> { panic!("asked") })));
    assert!(slot.unwrap().is_ok());
}

#[test]
fn who_waits_longest_goes_first_and_nobody_overtakes() {
    let (admission, slug) = (admission(1, 3), slug());
    let running = admission.try_admit(&slug).unwrap();
    let mut first = Box::pin(admission.admit(&slug, pending::<()>));
    let mut second = Box::pin(admission.admit(&slug, pending::<()>));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    assert_eq!(load(&admission), (1, 2));
    drop(running);
    assert!(admission.try_admit(&slug).is_none());
    assert!(poll(second.as_mut()).is_none());
    let slot = poll(first.as_mut()).unwrap().unwrap();
    assert_eq!(load(&admission), (1, 1));
    drop(slot);
    assert!(poll(second.as_mut()).unwrap().is_ok());
    assert_eq!(load(&admission), (0, 0));
}

#[test]
fn a_full_line_and_an_ended_patience_are_told_apart() {
    let (admission, slug) = (admission(1, 1), slug());
    let _running = admission.try_admit(&slug).unwrap();
    let mut waiting = Box::pin(admission.admit(&slug, pending::<()>));
    assert!(poll(waiting.as_mut()).is_none());
    assert_eq!(code(poll(pin!(admission.admit(&slug, pending::<()>)))), Code::TooBusy);
    drop(waiting);
    assert_eq!(code(poll(pin!(admission.admit(&slug, || ready(()))))), Code::DeadlineExceeded);
    assert_eq!(load(&admission), (1, 0));
}

#[test]
fn who_goes_away_while_waiting_or_just_called_takes_no_slot_along() {
    let (admission, slug) = (admission(1, 2), slug());
    let running = admission.try_admit(&slug).unwrap();
    let mut first = Box::pin(admission.admit(&slug, pending::<()>));
    let mut second = Box::pin(admission.admit(&slug, pending::<()>));
    assert!(poll(first.as_mut()).is_none() && poll(second.as_mut()).is_none());
    drop(running);
    // The slot was handed to the first, who never looks.
    drop(first);
    assert!(poll(second.as_mut()).unwrap().is_ok());
    assert_eq!(load(&admission), (0, 0));
}

#[test]
fn a_slot_that_comes_with_the_end_of_patience_is_taken() {
    let (admission, slug) = (admission(1, 1), slug());
    let running = admission.try_admit(&slug).unwrap();
    let is_over = std::cell::Cell::new(false);
    let patience = || std::future::poll_fn(|_| if is_over.get() { Poll::Ready(()) } else { Poll::Pending });
    let mut waiting = Box::pin(admission.admit(&slug, patience));
    assert!(poll(waiting.as_mut()).is_none());
    is_over.set(true);
    drop(running);
    assert!(poll(waiting.as_mut()).unwrap().is_ok());
    assert_eq!(load(&admission), (0, 0));
}

#[test]
fn a_changed_set_of_upstreams_keeps_the_gates_that_stay_as_they_were() {
    let (wide, narrow) = (Slug::parse("wide").unwrap(), Slug::parse("narrow").unwrap());
    let width = Width { calls: 2, waiting: 0 };
    let old = Admission::new([(wide.clone(), width), (narrow.clone(), width)]);
    let _slots = [old.try_admit(&wide).unwrap(), old.try_admit(&narrow).unwrap()];
    let new = old.renew([(wide.clone(), width), (narrow.clone(), Width { calls: 1, waiting: 0 })]);
    assert_eq!(new.load(&wide).unwrap().running, 1);
    assert_eq!(new.load(&narrow).unwrap().running, 0);
    assert!(new.load(&slug()).is_none());
    assert_eq!(code(poll(pin!(new.admit(&slug(), pending::<()>)))), Code::Internal);
}

#[test]
fn a_width_of_nothing_lets_one_through() {
    assert!(admission(0, 0).try_admit(&slug()).is_some());
}

/// Runs one call that counts itself while it runs.
async fn run(admission: &Admission, running: &AtomicU32, most: &AtomicU32) {
    let _slot = admission.admit(&slug(), pending::<()>).await.unwrap();
    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    tokio::task::yield_now().await;
    running.fetch_sub(1, Ordering::SeqCst);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_threads_never_exceed_the_width_and_all_get_through() {
    let (admission, running, most) = (Arc::new(admission(3, 1000)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let (admission, running, most) = (Arc::clone(&admission), Arc::clone(&running), Arc::clone(&most));
        calls.spawn(async move {
            for _ in 0..20 {
                run(&admission, &running, &most).await;
                // Gives up at once; must not disturb the others.
                drop(admission.admit(&slug(), || ready(())).await);
            }
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(load(&admission), (0, 0));
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Arrive,
    /// The n-th that runs ends.
    End(usize),
    /// The n-th that waits goes away.
    GiveUp(usize),
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![3 => Just(Act::Arrive), 2 => (0usize..8).prop_map(Act::End), 1 => (0usize..8).prop_map(Act::GiveUp)]
}

proptest! {
    /// Whatever order calls come, end and go away in, the gate does what a plain line in front of a counter does.
    #[test]
    fn the_gate_is_a_line_in_front_of_a_counter(acts in prop::collection::vec(act(), 0..60), calls in 1u32..4, waiting in 0u32..4) {
        let (admission, slug) = (admission(calls, waiting), slug());
        let mut running: Vec<(usize, Slot)> = Vec::new();
        let mut line = Vec::new();
        for (id, act) in acts.into_iter().enumerate() {
            match act {
                Act::Arrive => {
                    let mut call = Box::pin(admission.admit(&slug, pending::<()>));
                    let has_room = running.len() < calls as usize && line.is_empty();
                    let may_wait = line.len() < waiting as usize;
                    match poll(call.as_mut()) {
                        Some(Ok(slot)) => { prop_assert!(has_room); running.push((id, slot)); }
                        Some(Err(fault)) => { prop_assert!(!has_room && !may_wait); prop_assert_eq!(fault.code(), Code::TooBusy); }
                        None => { prop_assert!(!has_room && may_wait); line.push((id, call)); }
                    }
                }
                Act::End(at) if at < running.len() => drop(running.remove(at)),
                Act::GiveUp(at) if at < line.len() => drop(line.remove(at)),
                Act::End(_) | Act::GiveUp(_) => {}
            }
            while running.len() < calls as usize && !line.is_empty() {
                let (id, mut call) = line.remove(0);
                let slot = poll(call.as_mut());
                prop_assert!(matches!(slot, Some(Ok(_))), "{id} was not called");
                running.extend(slot.and_then(Result::ok).map(|slot| (id, slot)));
            }
            for (id, call) in &mut line {
                prop_assert!(poll(call.as_mut()).is_none(), "{id} overtook");
            }
            let lengths = [running.len(), line.len()].map(|length| u32::try_from(length).unwrap());
            prop_assert_eq!(load(&admission), lengths.into());
        }
    }
}
