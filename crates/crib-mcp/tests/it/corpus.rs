//! The kept corpus of the fuzz targets: inputs that were hard once, or stand for a kind of input.

use std::path::PathBuf;

use crate::harness;

#[track_caller]
fn each(target: &str, run: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        eprintln!("{}", path.display());
        run(&std::fs::read(path).unwrap());
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn the_kept_messages_are_read_as_they_should() {
    each("envelope", harness::envelope);
}

#[test]
fn the_kept_event_streams_are_cut_as_they_should() {
    each("sse", harness::sse);
}

#[test]
fn the_kept_lines_are_cut_as_they_should() {
    each("line", harness::line);
}

#[test]
fn the_kept_requests_are_judged_as_they_should() {
    each("http_body", harness::http_body);
}
