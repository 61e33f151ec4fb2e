//! What the outside asks of a running gateway.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{Signals, ask, kill};
#[cfg(windows)]
pub(crate) use windows::{Signals, ask, kill};

/// A request from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// Ctrl-C.
    Interrupt,
    /// The service manager says stop.
    Terminate,
    /// Read the configuration again. Only what serves is asked this.
    Reload,
}

impl Signals {
    /// Waits for one that means stop.
    pub(crate) async fn stop(&mut self) -> Wish {
        loop {
            let wish = self.next().await;
            if wish != Wish::Reload {
                return wish;
            }
        }
    }
}
