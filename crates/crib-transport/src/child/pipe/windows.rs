//! A pipe nobody can poll: a task writes, and one piece may wait for it.

use std::io;

use tokio::io::AsyncWriteExt as _;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::task::TaskTracker;

/// Largest piece that is handed over at once.
const PIECE_BYTES: usize = 64 * 1024;

/// The way to the task that writes. It closes the pipe when this is dropped.
#[derive(Debug)]
pub(in crate::child) struct Pipe(mpsc::Sender<Vec<u8>>);

impl Pipe {
    pub(in crate::child) fn new(stdin: ChildStdin, tasks: &TaskTracker) -> io::Result<Self> {
        let (sender, pieces) = mpsc::channel(1);
        tasks.spawn(write(stdin, pieces));
        Ok(Self(sender))
    }

    pub(in crate::child) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..PIECE_BYTES).unwrap_or(bytes).to_vec();
        let len = piece.len();
        match self.0.try_send(piece) {
            Ok(()) => Ok(len),
            Err(TrySendError::Full(_)) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TrySendError::Closed(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// Waits for room.
    pub(in crate::child) async fn writable(&self) -> io::Result<()> {
        self.0.reserve().await.map(drop).map_err(|_closed| io::ErrorKind::BrokenPipe.into())
    }
}

async fn write(mut stdin: ChildStdin, mut pieces: mpsc::Receiver<Vec<u8>>) {
    while let Some(piece) = pieces.recv().await {
        if stdin.write_all(&piece).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}
