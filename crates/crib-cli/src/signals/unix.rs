//! Signals.

use std::future::pending;
use std::io::{self, IsTerminal as _};

use rustix::process::{Pid, Signal as Number};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Wish;

/// What a hang-up means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hangup {
    /// Nothing is left running where nobody is any more.
    Ends,
    /// The configuration is to be read again, unless it was one's own terminal that went.
    Reloads,
}

/// The signals, listened to from here on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None where whoever started this wants it to outlive the terminal.
    hangup: Option<Signal>,
    on_hangup: Hangup,
    was_at_terminal: bool,
}

impl Signals {
    /// Listens as a command that ends with its terminal.
    pub(crate) fn new() -> io::Result<Self> {
        let hangup = if is_hangup_ignored() { None } else { Some(signal(SignalKind::hangup())?) };
        Self::listen(hangup, Hangup::Ends)
    }

    /// Listens as a gateway, which reads its configuration again when it is told to.
    pub(crate) fn serving() -> io::Result<Self> {
        Self::listen(Some(signal(SignalKind::hangup())?), Hangup::Reloads)
    }

    fn listen(hangup: Option<Signal>, on_hangup: Hangup) -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, hangup, on_hangup, was_at_terminal: is_at_terminal() })
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.interrupt.recv() => Wish::Interrupt,
            _ = self.terminate.recv() => Wish::Terminate,
            () = hung_up(self.hangup.as_mut()) => {
                let has_lost_terminal = self.was_at_terminal && !is_at_terminal();
                if self.on_hangup == Hangup::Reloads && !has_lost_terminal { Wish::Reload } else { Wish::Terminate }
            }
        }
    }
}

async fn hung_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

/// Returns whether a terminal is there. One that was closed is none any more.
fn is_at_terminal() -> bool {
    io::stdin().is_terminal() || io::stdout().is_terminal() || io::stderr().is_terminal()
}

/// Returns whether `nohup` or its like started this. Listening would undo it.
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // The first bit is the first signal, the hang-up.
    ignored.is_some_and(|mask| mask & 1 == 1)
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
