//! The server on stdin and stdout: blocking reads and writes on one thread.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use anyhow::Result;

use crate::rpc::{Answer, Envelope, Eras, Params, Server};

pub(crate) fn run(server: &Server) -> Result<()> {
    let mut stdin = std::io::stdin().lock();
    let mut pending: Vec<u8> = Vec::with_capacity(1 << 16);
    let mut chunk = vec![0; 1 << 16];
    loop {
        let read = stdin.read(&mut chunk)?;
        if read == 0 {
            return Ok(());
        }
        let seen = pending.len();
        pending.extend_from_slice(&chunk[..read]);
        if !pending[seen..].contains(&b'\n') {
            continue; // half of a long line
        }
        let mut out = Vec::new();
        let mut start = 0;
        while let Some(length) = pending[start..].iter().position(|byte| *byte == b'\n') {
            answer(server, &pending[start..start + length], &mut out);
            start += length + 1;
        }
        pending.drain(..start);
        write(&out)?;
    }
}

fn answer(server: &Server, line: &[u8], out: &mut Vec<u8>) {
    let Ok(envelope) = serde_json::from_slice::<Envelope<'_>>(line) else { return };
    let params: Params<'_> = envelope.params.and_then(|text| serde_json::from_str(text.get()).ok()).unwrap_or_default();
    let modern = server.options.eras != Eras::Legacy && params.is_modern();
    match server.answer(&envelope, &params, modern) {
        Answer::None => {}
        Answer::Reply(json) | Answer::Session(json) => {
            out.extend_from_slice(&json);
            out.push(b'\n');
        }
        Answer::Slow(mut json, ms) => {
            json.push(b'\n');
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(ms));
                write(&json)
            });
        }
    }
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}
