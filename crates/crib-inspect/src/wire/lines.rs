//! Messages as lines: a child process, or a server in this one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use crib_mcp::Chunks;
use crib_mcp::line::LineDecoder;
use crib_model::{BoxFuture, Code, Fault, limits};
use crib_transport::{Child, ChildHandle, ChildInput, ChildOutput, CommandLine, LineError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::{Ended, Heard, Outgoing, Reports, Wire};

const READ_BYTES: usize = 64 * 1024;
/// Longest wait for a line to be taken.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// A conversation in lines.
pub(crate) struct LinesWire {
    name: String,
    reports: Reports,
    end: End,
}

enum End {
    /// The child goes with the wire, also where a conversation was given up before it began.
    Child {
        input: ChildInput,
        handle: ChildHandle,
        _leaving: DropGuard,
    },
    Here {
        output: Semaphore,
        half: parking_lot::Mutex<Option<WriteHalf<DuplexStream>>>,
        closing: CancellationToken,
    },
}

// === impl LinesWire ===

impl LinesWire {
    /// Starts a command.
    pub(crate) fn spawn(command: &CommandLine, name: &str, reports: Reports, tracker: &TaskTracker) -> Result<Arc<Self>, Fault> {
        let child = Child::spawn(command, name, limits::UPSTREAM_MESSAGE_BYTES_MAX)?;
        let (input, output, handle) = child.split();
        let leaving = CancellationToken::new();
        let reading = read_child(output, handle.clone(), name.to_owned(), reports.clone());
        tracker.spawn(leaving.clone().run_until_cancelled_owned(reading));
        Ok(Arc::new(Self { name: name.to_owned(), reports, end: End::Child { input, handle, _leaving: leaving.drop_guard() } }))
    }

    /// Speaks to a server inside this process.
    pub(crate) fn here(stream: DuplexStream, name: &str, reports: Reports, tracker: &TaskTracker) -> Arc<Self> {
        let (input, output) = tokio::io::split(stream);
        let closing = CancellationToken::new();
        tracker.spawn(read_here(input, name.to_owned(), reports.clone(), closing.clone()));
        let end = End::Here { output: Semaphore::new(1), half: parking_lot::Mutex::new(Some(output)), closing };
        Arc::new(Self { name: name.to_owned(), reports, end })
    }

    fn gone(&self) -> Fault {
        Fault::new(Code::ServerGone, format!("`{}` does not read any more", self.name))
    }

    async fn write(&self, text: &Bytes) -> Result<(), Fault> {
        match &self.end {
            End::Child { input, .. } => input.send(Chunks::from(text.clone())).await.map_err(|_gone| self.gone()),
            End::Here { output, half, .. } => {
                let _turn = output.acquire().await.map_err(|_closed| self.gone())?;
                let taken = half.lock().take();
                let mut writer = taken.ok_or_else(|| self.gone())?;
                let mut line = text.to_vec();
                line.push(b'\n');
                let written = writer.write_all(&line).await;
                *half.lock() = Some(writer);
                written.map_err(|_gone| self.gone())
            }
        }
    }
}

impl Wire for LinesWire {
    fn transport(&self) -> &'static str {
        self.reports.transport
    }

    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<(), Fault>> {
        Box::pin(async move {
            self.reports.sent(&outgoing.text, Vec::new());
            let until = outgoing.deadline.min(Instant::now() + SEND_TIMEOUT);
            tokio::time::timeout_at(until.into(), self.write(&outgoing.text)).await.unwrap_or_else(|_late| Err(self.gone()))
        })
    }

    fn pid(&self) -> Option<u32> {
        match &self.end {
            End::Child { handle, .. } => Some(handle.pid()),
            End::Here { .. } => None,
        }
    }

    fn stderr_tail(&self) -> Vec<String> {
        match &self.end {
            End::Child { handle, .. } => handle.stderr_tail(),
            End::Here { .. } => Vec::new(),
        }
    }

    fn close(&self) -> BoxFuture<'_, Ended> {
        Box::pin(async move {
            let begin = Instant::now();
            match &self.end {
                End::Child { handle, .. } => {
                    let was_running = handle.is_running();
                    handle.stop(limits::STOP_GRACE).await;
                    let after = begin.elapsed();
                    let by_itself = was_running.then(|| after < limits::STOP_GRACE);
                    Ended { after, by_itself, status: handle.status().map(|status| status.to_string()) }
                }
                End::Here { half, closing, .. } => {
                    let taken = half.lock().take();
                    if let Some(mut writer) = taken {
                        drop(writer.shutdown().await);
                    }
                    closing.cancel();
                    Ended { after: begin.elapsed(), by_itself: None, status: None }
                }
            }
        })
    }
}

async fn read_child(mut output: ChildOutput, handle: ChildHandle, name: String, reports: Reports) {
    while let Some(line) = output.recv().await {
        match line {
            Ok(text) => {
                reports.received(&text, None, Vec::new());
                reports.tell(Heard::Message { text, of: None, status: None }).await;
            }
            Err(LineError::TooLong) => {
                let fault = Fault::new(Code::MessageTooLarge, format!("`{name}` sent a line that is too long"));
                return reports.tell(Heard::Ended(fault)).await;
            }
        }
    }
    // What it ended with is known a moment after its output closed.
    tokio::time::timeout(Duration::from_millis(500), handle.exited()).await.ok();
    let mut fault = Fault::new(Code::ServerGone, format!("`{name}` stopped"));
    if let Some(status) = handle.status() {
        fault = fault.because(status);
    }
    // The way to an error is longer than the error.
    let is_said = |line: &&String| !line.trim().is_empty() && !line.trim_start().starts_with("at ");
    for last in handle.stderr_tail().iter().filter(is_said).collect::<Vec<_>>().iter().rev().take(5).rev() {
        fault = fault.because(*last);
    }
    reports.tell(Heard::Ended(fault)).await;
    drop(output);
}

async fn read_here(mut input: ReadHalf<DuplexStream>, name: String, reports: Reports, closing: CancellationToken) {
    let mut lines = LineDecoder::new(limits::UPSTREAM_MESSAGE_BYTES_MAX);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        for line in lines.by_ref() {
            let Ok(text) = line else { continue };
            reports.received(&text, None, Vec::new());
            reports.tell(Heard::Message { text, of: None, status: None }).await;
        }
        let read = tokio::select! {
            read = input.read(&mut buffer) => read.unwrap_or(0),
            () = closing.cancelled() => 0,
        };
        if read == 0 {
            break;
        }
        lines.push(buffer.get(..read).unwrap_or_default());
    }
    reports.tell(Heard::Ended(Fault::new(Code::ServerGone, format!("`{name}` closed the conversation")))).await;
}
