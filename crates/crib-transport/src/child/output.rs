//! The standard output of a child.

use std::fmt;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use crib_mcp::line::{LineDecoder, TooLong};
use tokio::io::AsyncReadExt;
use tokio::process::ChildStdout;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

use super::process::DRAIN;

const READ_BYTES: usize = 64 * 1024;

/// Why a line is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// The line was longer than the limit; it was discarded to its end.
    #[error("the server sent a line that is too long")]
    TooLong,
}

/// Receives the lines of a child, and owns it: dropping this kills the child and its group.
pub struct ChildOutput {
    stdout: ChildStdout,
    buffer: BytesMut,
    lines: LineDecoder,
    exited: Pin<Box<WaitForCancellationFutureOwned>>,
    /// When reading ends although the pipe is still open; set when the process has exited.
    until: Option<Instant>,
    stderr: Option<JoinHandle<()>>,
    is_ended: bool,
    _kill: DropGuard,
}

impl fmt::Debug for ChildOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildOutput").field("is_ended", &self.is_ended).finish_non_exhaustive()
    }
}

impl ChildOutput {
    pub(crate) fn new(
        stdout: ChildStdout,
        line_bytes_max: usize,
        exited: CancellationToken,
        stderr: JoinHandle<()>,
        kill: DropGuard,
    ) -> Self {
        Self {
            stdout,
            buffer: BytesMut::with_capacity(READ_BYTES),
            lines: LineDecoder::new(line_bytes_max),
            exited: Box::pin(exited.cancelled_owned()),
            until: None,
            stderr: Some(stderr),
            is_ended: false,
            _kill: kill,
        }
    }

    /// Waits for the next line. Cancel safe.
    ///
    /// `None` means that no more will come: the child closed its output or exited, even if something it started still
    /// holds the pipe. Its last words are in the standard error by then.
    pub async fn recv(&mut self) -> Option<Result<Bytes, LineError>> {
        loop {
            if let Some(line) = self.lines.next() {
                return Some(line.map_err(|TooLong { .. }| LineError::TooLong));
            }
            if self.is_ended {
                self.finish_stderr().await;
                // The last line may lack its end.
                return self.lines.finish().map(|line| line.map_err(|TooLong { .. }| LineError::TooLong));
            }
            self.read().await;
        }
    }

    async fn read(&mut self) {
        let reading = self.stdout.read_buf(&mut self.buffer);
        let read = match self.until {
            Some(until) => tokio::time::timeout_at(until, reading).await.unwrap_or(Ok(0)),
            None => tokio::select! {
                biased;
                read = reading => read,
                () = &mut self.exited => {
                    self.until = Some(Instant::now() + DRAIN);
                    return;
                }
            },
        };
        if let Ok(1..) = read {
            self.lines.push(&self.buffer);
            self.buffer.clear();
        } else {
            self.is_ended = true;
        }
    }

    async fn finish_stderr(&mut self) {
        if let Some(reading) = &mut self.stderr {
            tokio::time::timeout(DRAIN, reading).await.ok();
            self.stderr = None;
        }
    }
}
