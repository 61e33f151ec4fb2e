//! Lines and events come out the same however the bytes are cut, and go in as they came out.

use bytes::Bytes;
use crib_mcp::line::{LineDecoder, TooLong};
use crib_mcp::sse::{SseDecoder, SseEvent, encode_event};
use crib_mcp::{Chunks, Pieces};
use proptest::prelude::*;

fn events(chunks: &[&[u8]], bytes_max: usize) -> (Vec<SseEvent>, bool) {
    let mut decoder = SseDecoder::new(bytes_max);
    let mut out = Vec::new();
    for chunk in chunks {
        let fits = decoder.push(&Bytes::copy_from_slice(chunk)).is_ok();
        out.extend(decoder.by_ref());
        if !fits {
            return (out, false);
        }
    }
    out.extend(decoder.finish());
    (out, true)
}

fn lines(chunks: &[&[u8]], bytes_max: usize) -> Vec<Result<Bytes, TooLong>> {
    let mut decoder = LineDecoder::new(bytes_max);
    let mut out = Vec::new();
    for chunk in chunks {
        decoder.push(chunk);
        out.extend(decoder.by_ref());
    }
    out.extend(decoder.finish());
    out
}

fn cut<'a>(text: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
    places.sort_unstable();
    let mut start = 0;
    let mut out = Vec::new();
    for place in places.into_iter().chain([text.len()]) {
        out.push(&text[start..place]);
        start = place;
    }
    out
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("data: {\"a\":1}"),
        Just("data:"),
        Just("data"),
        Just("event: message"),
        Just("event:"),
        Just("id: 7"),
        Just("id"),
        Just("retry: 10"),
        Just("retry: x"),
        Just(": comment"),
        Just(":"),
        Just("\n"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("\r\n\r\n"),
        Just(" "),
        Just("\u{feff}"),
        Just("é"),
        Just("other: 1"),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn events_do_not_depend_on_where_the_stream_is_cut(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6), bytes_max in prop_oneof![Just(1000_usize), 5..60_usize]) {
        let whole = events(&[&stream], bytes_max);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&events(&cut(&stream, &cuts), bytes_max), &whole);
        prop_assert_eq!(&events(&single, bytes_max), &whole);
    }

    #[test]
    fn lines_do_not_depend_on_where_the_stream_is_cut(stream in "[ab\r\n é]{0,60}", cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6), bytes_max in 0..20_usize) {
        let stream = stream.into_bytes();
        let whole = lines(&[&stream], bytes_max);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&lines(&cut(&stream, &cuts), bytes_max), &whole);
        prop_assert_eq!(&lines(&single, bytes_max), &whole);
    }

    #[test]
    fn an_event_comes_out_as_it_went_in(
        event in proptest::option::of("[ -~]{1,10}"),
        id in proptest::option::of("[ -~é]{0,10}"),
        retry_ms in proptest::option::of(any::<u64>()),
        parts in proptest::collection::vec("[a{}\" \r\né]{0,12}", 0..4),
    ) {
        let mut pieces = Pieces::default();
        for part in &parts {
            pieces.text(part);
        }
        let mut out = Pieces::default();
        encode_event(event.as_deref(), id.as_deref(), retry_ms, &pieces.finish(), &mut out);
        let (found, _) = events(&[&out.finish().into_bytes()], 10_000);
        // Every line end arrives as one line feed: between JSON tokens they are all the same.
        let data = parts.concat().replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(found, vec![SseEvent { event, id, retry_ms, data: Bytes::from(data) }]);
    }
}

#[test]
fn line_ends_inside_shared_chunks_are_not_doubled() {
    let big = vec![b'x'; 9000];
    let mut pieces = Pieces::default();
    pieces.share(&Bytes::from(big.clone())).text("\r").share(&Bytes::from([b"\n".as_slice(), &big].concat()));
    let data: Chunks = pieces.finish();
    let mut out = Pieces::default();
    encode_event(None, None, None, &data, &mut out);
    let (found, _) = events(&[&out.finish().into_bytes()], 100_000);
    assert_eq!(found[0].data.len(), 18_001);
}

#[test]
fn an_event_of_one_chunk_shares_its_memory() {
    let chunk = Bytes::from_static(b"event: message\ndata: {\"a\":1}\n\n");
    let mut decoder = SseDecoder::new(100);
    decoder.push(&chunk).unwrap();
    let event = decoder.next().unwrap();
    assert_eq!(event.data.as_ptr(), chunk[21..].as_ptr());
}

#[test]
fn an_event_that_only_primes_the_stream_is_shown() {
    let (found, _) = events(&[b"id: 3\nretry: 500\ndata:\n\nretry: 9\n\nevent: x\n\n:\n\n"], 100);
    let primed = SseEvent { id: Some("3".into()), retry_ms: Some(500), ..SseEvent::default() };
    assert_eq!(found, [primed, SseEvent { retry_ms: Some(9), ..SseEvent::default() }]);
}

#[test]
fn an_event_that_is_too_large_ends_the_stream() {
    let mut decoder = SseDecoder::new(10);
    assert!(decoder.push(&Bytes::from_static(b"data: 1\n\ndata: 12345678901\n\ndata: 2\n\n")).is_err());
    assert_eq!(decoder.next().unwrap().data, "1");
    assert_eq!(decoder.next(), None);
    assert!(decoder.push(&Bytes::from_static(b"data: 1\n\n")).is_err());
    let mut decoder = SseDecoder::new(100);
    assert!((0..200).any(|_| decoder.push(&Bytes::from_static(b"data\n")).is_err()));
}

#[test]
fn a_line_that_is_too_long_is_one_error_and_the_next_is_read() {
    let found = lines(&[b"123456", b"7890", b"x\n{}\r\n\n \n12345\r\n123456\nlast"], 5);
    let too_long = Err(TooLong { bytes_max: 5 });
    assert_eq!(found, [too_long.clone(), Ok("{}".into()), Ok("12345".into()), too_long, Ok("last".into())]);
}
