//! Attempts from inside: what a profile was accepted for, and what it keeps back, are two things.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Promise, Report};

/// A listener on the same machine answers or refuses at once.
const CONNECT_WAIT: Duration = Duration::from_secs(2);

/// What must not be had from inside.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bait {
    /// A file beside the server's own folders.
    file: PathBuf,
    /// A port of the loopback interface at which this process listens.
    port: u16,
    /// The process that set it out.
    process: u32,
}

/// What was tried, and came through.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Through(Vec<(Promise, String)>);

impl Bait {
    /// Sets it out; the listener has to live until everything was tried.
    pub(crate) fn set_out(folder: &Path) -> io::Result<(Self, TcpListener)> {
        let file = folder.join("outside");
        std::fs::write(&file, "not granted")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok((Self { file, port: listener.local_addr()?.port(), process: std::process::id() }, listener))
    }

    /// Tries everything.
    pub(crate) fn take(&self) -> Through {
        let mut through = Vec::new();
        let mut tried = |promise, what: &str, is_through: bool| {
            if is_through {
                through.push((promise, what.to_owned()));
            }
        };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        tried(Promise::Files, "a file that is not granted can be read", std::fs::read(&self.file).is_ok());
        let written = std::fs::OpenOptions::new().append(true).open(&self.file).and_then(|mut file| file.write_all(b"."));
        tried(Promise::Files, "a file that is not granted can be written", written.is_ok());
        let connected = TcpStream::connect_timeout(&address, CONNECT_WAIT);
        tried(Promise::Network, "a port that is not granted can be reached", connected.is_ok());
        let process = i32::try_from(self.process).ok().and_then(rustix::process::Pid::from_raw);
        let signalled = process.is_some_and(|process| rustix::process::test_kill_process(process).is_ok());
        tried(Promise::Processes, "a process of others can be signalled", signalled);
        Through(through)
    }
}

impl Through {
    /// Takes back what a report promised too much. `has_network` where every network is granted anyway.
    pub(crate) fn correct(&self, report: &mut Report, has_network: bool) {
        for (promise, what) in &self.0 {
            if *promise != Promise::Network || !has_network {
                report.set(*promise, crate::Holds::no(what));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Holds;

    #[test]
    fn what_is_not_confined_is_found_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bait, _listener) = Bait::set_out(folder.path()).expect("bait");
        let text = serde_json::to_string(&bait).expect("it is written");
        let through = serde_json::from_str::<Bait>(&text).expect("it is read").take();
        let mut report = Report::default();
        for promise in Promise::ALL {
            report.set(*promise, Holds::yes("a test"));
        }
        through.correct(&mut report, true);
        assert_eq!(report.gaps().map(|(promise, _)| promise).collect::<Vec<_>>(), [Promise::Files, Promise::Processes]);
        through.correct(&mut report, false);
        assert_eq!(report.holds(Promise::Network), Some(&Holds::no("a port that is not granted can be reached")));
    }

    #[test]
    fn what_is_out_of_reach_does_not_come_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bait, listener) = Bait::set_out(folder.path()).expect("bait");
        drop(listener);
        std::fs::remove_file(&bait.file).expect("a file");
        let gone = Bait { process: i32::MAX.unsigned_abs(), ..bait };
        assert_eq!(gone.take(), Through::default());
    }
}
