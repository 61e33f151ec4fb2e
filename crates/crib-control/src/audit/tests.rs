use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crib_model::{Code, Ending, Entry, Ledger as _};
use serde_json::Value;

use super::{AuditError, AuditLog, Mark, Verified, verify};
use crate::Machine;
use crate::record::tests::entry;

/// A directory of its own for one test.
fn folder(test: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("crib-audit-{}-{test}", std::process::id()));
    drop(fs::remove_dir_all(&path));
    fs::create_dir_all(&path).unwrap();
    path
}

fn open(path: &Path) -> AuditLog {
    AuditLog::open(path, Arc::new(Machine)).unwrap()
}

fn check(path: &Path, after: Option<Mark>) -> Result<Verified, String> {
    let text = fs::read(path).map_err(|error| error.to_string())?;
    verify(text.as_slice(), after).map_err(|error| error.to_string())
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A log of some calls, closed.
fn written(path: &Path, calls: u64) -> Verified {
    let log = open(path);
    for _ in 0..calls {
        log.settle(&entry(Ending::Ok));
    }
    log.close();
    check(path, None).unwrap()
}

#[test]
fn every_call_is_a_line_of_one_chain_refusals_included() {
    let path = folder("calls").join("audit.jsonl");
    let log = open(&path);
    log.settle(&entry(Ending::Ok));
    log.settle(&entry(Ending::Failed(Code::Forbidden)));
    log.settle(&Entry { upstream: None, target: None, ..entry(Ending::Failed(Code::UnknownTarget)) });
    log.close();
    let lines = lines(&path);
    let seen: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line["seq"], line["event"], line["decision"]).replace('"', "")).collect();
    assert_eq!(seen, ["1 start null", "2 call allow", "3 call deny", "4 call null", "5 stop null"]);
    assert_eq!((&lines[2]["code"], &lines[2]["tenant"], &lines[2]["principal"]), (&"TC0303".into(), &"local".into(), &"anonymous".into()));
    let verified = check(&path, Some(Mark::START)).unwrap();
    assert_eq!((verified.lines, verified.calls, verified.lost, verified.last.seq), (5, 3, 0, 5));
    assert_eq!((log.written(), log.lost()), (5, 0));
    assert_eq!(Mark::parse(&verified.last.to_string()), Some(verified.last));
}

#[test]
fn what_was_changed_afterwards_shows() {
    let path = folder("tampered").join("audit.jsonl");
    written(&path, 4);
    let text = fs::read_to_string(&path).unwrap();
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    let verdict = |lines: &[&str]| verify(lines.concat().as_bytes(), None).map_err(|error| error.to_string());
    let other = all[2].replace("\"add\"", "\"sub\"");
    let changed = [all[0], all[1], &other, all[3], all[4]];
    assert_eq!(verdict(&changed).unwrap_err(), "line 4 does not fit the line before it: one of the two was changed");
    let missing = [all[0], all[1], all[3], all[4]];
    assert_eq!(verdict(&missing).unwrap_err(), "line 3 has a number that does not follow: lines are missing or out of order");
    let swapped = [all[0], all[2], all[1]];
    assert!(verdict(&swapped).is_err());
    assert_eq!(verdict(&[all[0], "{}\n"]).unwrap_err(), "line 2 is not a line of an audit log");
    assert_eq!(verdict(&[all[0], all[1].trim_end()]).unwrap_err(), "line 2 does not end");
    assert!(verdict(&all).is_ok() && verdict(&all[2..]).is_ok());
    // What a chain alone does not show: that its end is gone. Who keeps the last mark elsewhere sees it.
    assert_ne!(verdict(&all[..3]).unwrap().last, verdict(&all).unwrap().last);
}

#[test]
fn the_chain_goes_on_over_restarts() {
    let path = folder("restart").join("audit.jsonl");
    let first = written(&path, 2);
    let second = written(&path, 3);
    assert_eq!((second.lines, second.calls, second.after), (first.lines + 5, 5, Mark::START));
}

#[test]
fn the_chain_goes_on_over_files_when_one_is_moved_away() {
    let folder = folder("rotation");
    let (path, old) = (folder.join("audit.jsonl"), folder.join("audit.1"));
    let log = open(&path);
    log.settle(&entry(Ending::Ok));
    wait(|| log.written() == 2);
    fs::rename(&path, &old).unwrap();
    log.reopen();
    wait(|| path.exists());
    log.settle(&entry(Ending::ToolError));
    log.close();
    let before = check(&old, Some(Mark::START)).unwrap();
    let after = check(&path, Some(before.last)).unwrap();
    assert_eq!((before.calls, after.calls, after.after), (1, 1, before.last));
    assert!(check(&path, Some(Mark::START)).is_err());
}

#[test]
fn a_line_that_was_not_written_to_its_end_is_taken_off() {
    let path = folder("torn").join("audit.jsonl");
    written(&path, 1);
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"seq\":4,\"prev\":\"ab").unwrap();
    written(&path, 1);
    let start = lines(&path).into_iter().find(|line| line.get("torn_bytes").is_some()).unwrap();
    assert_eq!((&start["event"], &start["torn_bytes"]), (&"start".into(), &19.into()));
    fs::write(&path, "{\"seq\":1,").unwrap();
    assert_eq!(written(&path, 0).after, Mark::START);
}

#[test]
fn another_programs_file_is_left_alone() {
    let folder = folder("foreign");
    let path = folder.join("notes.txt");
    fs::write(&path, "not an audit log\n").unwrap();
    assert!(matches!(AuditLog::open(&path, Arc::new(Machine)), Err(AuditError::Foreign(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "not an audit log\n");
    assert!(matches!(AuditLog::open(&folder, Arc::new(Machine)), Err(AuditError::Open { .. })));
}

#[test]
fn somebody_elses_hand_in_the_file_is_written_down() {
    let path = folder("touched").join("audit.jsonl");
    let log = open(&path);
    wait(|| log.written() == 1);
    fs::write(&path, "").unwrap();
    log.settle(&entry(Ending::Ok));
    log.close();
    let text = fs::read_to_string(&path).unwrap();
    let first: Value = serde_json::from_str(text.trim_start().lines().next().unwrap()).unwrap();
    assert_eq!((&first["event"], &first["found_bytes"], &first["seq"]), (&"touched".into(), &0.into(), &2.into()));
    assert!(check(&path, None).is_err());
}

#[test]
fn several_writers_make_one_chain() {
    let folder = folder("several");
    let (path, old) = (folder.join("audit.jsonl"), folder.join("audit.1"));
    let logs = [open(&path), open(&path)];
    let settle = |rounds: u64| {
        for _ in 0..rounds {
            logs.iter().for_each(|log| log.settle(&entry(Ending::Ok)));
        }
    };
    let written = || logs.iter().map(AuditLog::written).sum::<u64>();
    settle(50);
    wait(|| written() == 102);
    fs::rename(&path, &old).unwrap();
    settle(50);
    logs.iter().for_each(AuditLog::close);
    let before = check(&old, Some(Mark::START)).unwrap();
    let after = check(&path, Some(before.last)).unwrap();
    assert_eq!((before.calls + after.calls, after.last.seq), (200, 204));
}

#[test]
fn what_finds_no_room_is_counted_and_written_down() {
    let desk = super::desk::Desk::default();
    assert!(desk.add(b"first"));
    assert!(!desk.add(&vec![b'x'; super::desk::WAITING_BYTES_MAX]));
    let mut text = Vec::new();
    let visit = desk.take(&mut text, None);
    assert_eq!((text.as_slice(), visit.lost, visit.is_last), (b"first\n".as_slice(), 1, false));
    text.clear();
    assert_eq!(desk.take(&mut text, Some(std::time::Duration::ZERO)), super::desk::Visit::default());
}

#[test]
fn a_disk_that_is_full_holds_up_nobody_and_the_end_says_what_was_lost() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return println!("skipped: no /dev/full here");
    }
    let log = open(full);
    for _ in 0..100 {
        log.settle(&entry(Ending::Ok));
    }
    log.close();
    assert_eq!((log.written(), log.lost()), (0, 100));
}

/// Waits for the writer, which has a thread of its own.
#[track_caller]
fn wait(is_done: impl Fn() -> bool) {
    let begin = std::time::Instant::now();
    while !is_done() {
        assert!(begin.elapsed() < std::time::Duration::from_secs(20), "the writer does not come");
        std::thread::yield_now();
    }
}
