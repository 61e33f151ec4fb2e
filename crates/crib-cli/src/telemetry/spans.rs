//! Spans of calls, made from their entries after the fact: the way of a call itself knows nothing of tracing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crib_mcp::Method;
use crib_model::{Entry, TraceContext};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Spans that may wait for the exporter; beyond it they are dropped and counted.
const QUEUE: usize = 8 * 1024;

/// How many spans are sent at once.
pub(super) const BATCH: usize = 1024;

/// A call and when it was settled.
#[derive(Debug)]
pub(crate) struct Span {
    pub(crate) entry: Entry,
    pub(crate) end: SystemTime,
    pub(crate) trace: TraceContext,
}

/// Spans on their way to the exporter. It is woken for a batch, not for each.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    spans: Mutex<Vec<Span>>,
    /// There is a first one.
    pub(super) begun: Notify,
    /// There is a whole batch.
    pub(super) full: Notify,
}

impl Waiting {
    /// Returns whether there was room.
    fn add(&self, span: Span) -> bool {
        let count = {
            let mut spans = self.spans.lock();
            if spans.len() >= QUEUE {
                return false;
            }
            spans.push(span);
            spans.len()
        };
        match count {
            1 => self.begun.notify_one(),
            BATCH => self.full.notify_one(),
            _ => {}
        }
        true
    }

    pub(super) fn take(&self) -> Vec<Span> {
        std::mem::take(&mut *self.spans.lock())
    }
}

/// The handle of the exporter.
#[derive(Debug)]
pub(crate) struct Spans {
    waiting: Arc<Waiting>,
    /// A root trace is sampled when its number is below this.
    threshold: u64,
    dropped: AtomicU64,
}

impl Spans {
    /// Returns the handle, and the spans for the exporter.
    pub(crate) fn new(ratio: f64) -> (Self, Arc<Waiting>) {
        let waiting = Arc::<Waiting>::default();
        (Self { waiting: Arc::clone(&waiting), threshold: threshold(ratio), dropped: AtomicU64::new(0) }, waiting)
    }

    pub(super) fn record(&self, entry: &Entry) {
        let Some(trace) = entry.trace.filter(|trace| trace.is_sampled) else { return };
        // A ping is nobody's call, unless it is part of somebody's trace.
        if entry.method == Method::Ping && entry.parent_span.is_none() {
            return;
        }
        let span = Span { entry: entry.clone(), end: SystemTime::now(), trace };
        if !self.waiting.add(span) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Decides about a trace that starts here; about others their root has decided.
    pub(super) fn samples(&self, trace_id: u128) -> bool {
        #[expect(clippy::cast_possible_truncation, reason = "the low half of the id is its random half")]
        let number = trace_id as u64;
        number >> 1 < self.threshold
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The part of 63 bits that a share between 0 and 1 is.
fn threshold(ratio: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^63")]
    let threshold = (ratio.clamp(0.0, 1.0) * (1_u64 << 63) as f64) as u64;
    threshold
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_a_share_of_all_numbers() {
        assert_eq!([threshold(0.0), threshold(0.5), threshold(1.0)], [0, 1 << 62, 1 << 63]);
        assert_eq!(threshold(7.0), 1 << 63);
    }

    #[test]
    fn what_the_root_decided_is_what_is_recorded() {
        let (spans, waiting) = Spans::new(0.5);
        assert!(spans.samples(1) && !spans.samples(u128::from(u64::MAX)));
        for (trace_id, is_sampled) in [(1, false), (u128::MAX, true)] {
            let trace = Some(TraceContext { trace_id, span_id: 7, is_sampled });
            spans.record(&Entry { trace, ..super::super::tests::entry("demo", "add", crib_model::Ending::Ok) });
        }
        let recorded: Vec<u128> = waiting.take().iter().map(|span| span.trace.trace_id).collect();
        assert_eq!(recorded, [u128::MAX]);
    }
}
