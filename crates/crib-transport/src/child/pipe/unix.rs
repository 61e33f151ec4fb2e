//! A pipe the system polls.

use std::io;

use tokio::net::unix::pipe;
use tokio::process::ChildStdin;
use tokio_util::task::TaskTracker;

/// A pipe that does not block.
#[derive(Debug)]
pub(in crate::child) struct Pipe(pipe::Sender);

impl Pipe {
    pub(in crate::child) fn new(stdin: ChildStdin, _: &TaskTracker) -> io::Result<Self> {
        pipe::Sender::from_owned_fd(stdin.into_owned_fd()?).map(Self)
    }

    pub(in crate::child) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    /// Waits for room.
    pub(in crate::child) async fn writable(&self) -> io::Result<()> {
        self.0.writable().await
    }
}
