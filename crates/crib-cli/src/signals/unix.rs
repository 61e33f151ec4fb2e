//! Signals.

use std::io;

use rustix::process::{Pid, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Wish;

/// The signals, listened to from here on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Interrupt,
            _ = self.terminate.recv() => Wish::Terminate,
            _ = self.hangup.recv() => Wish::Reload,
        }
    }
}

/// Asks another process; one that is gone is asked in vain.
pub(crate) fn ask(pid: i32, wish: Wish) -> io::Result<()> {
    send(
        pid,
        match wish {
            Wish::Interrupt => Number::INT,
            Wish::Terminate => Number::TERM,
            Wish::Reload => Number::HUP,
        },
    )
}

/// Ends another process without asking.
pub(crate) fn kill(pid: i32) -> io::Result<()> {
    send(pid, Number::KILL)
}

fn send(pid: i32, number: Number) -> io::Result<()> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    match rustix::process::kill_process(pid, number) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
