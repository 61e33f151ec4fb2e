//! What is promised on systems where it does not depend on the kernel's age: promise by promise, and by what.

use crate::{Holds, Promise, Report};

/// The name of what confines a server on macOS.
const SEATBELT: &str = "Seatbelt";
const NO_SANDBOX: Truth = Truth::No("there is no sandbox for this operating system yet");

/// What holds, as [`Holds`] says it.
#[derive(Clone, Copy, Debug)]
enum Truth {
    Yes(&'static str),
    Partly(&'static str, &'static str),
    No(&'static str),
}

/// One promise on each system.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "each system reads its own column"))]
struct Row {
    promise: Promise,
    macos: Truth,
    windows: Truth,
}

const TABLE: &[Row] = &[
    Row { promise: Promise::Network, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row { promise: Promise::Files, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row {
        promise: Promise::Environment,
        macos: Truth::Yes("the launcher"),
        windows: Truth::Partly("the launcher", "the system's own variables are there too"),
    },
    Row { promise: Promise::Privilege, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row { promise: Promise::Processes, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row { promise: Promise::Ptrace, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row { promise: Promise::Mounts, macos: Truth::Yes(SEATBELT), windows: NO_SANDBOX },
    Row { promise: Promise::Scratch, macos: Truth::Partly("folders of its own", "their size is not bounded"), windows: NO_SANDBOX },
    Row { promise: Promise::Memory, macos: Truth::No("macOS has no limit of memory that programs can live with"), windows: NO_SANDBOX },
    Row {
        promise: Promise::ProcessCount,
        macos: Truth::Partly("a limit of this user's processes", "what else you start counts too, and threads do not"),
        windows: NO_SANDBOX,
    },
    Row { promise: Promise::FileLimits, macos: Truth::Yes("limits of each process"), windows: NO_SANDBOX },
    Row {
        promise: Promise::Reaped,
        macos: Truth::Partly("the process group", "a process that leaves it can stay behind"),
        windows: Truth::Yes("a job object"),
    },
];

impl Truth {
    fn holds(self) -> Holds {
        match self {
            Self::Yes(by) => Holds::yes(by),
            Self::Partly(by, gap) => Holds::partly(by, gap),
            Self::No(why) => Holds::no(why),
        }
    }

    #[cfg(any(target_os = "macos", test))]
    fn is_of_seatbelt(self) -> bool {
        matches!(self, Self::Yes(by) if by == SEATBELT)
    }
}

/// Returns what holds on macOS where Seatbelt has taken the profile.
#[cfg(any(target_os = "macos", test))]
pub(crate) fn on_macos() -> Report {
    report(|row| row.macos)
}

/// Returns what holds on macOS where Seatbelt does not, and why.
#[cfg(any(target_os = "macos", test))]
pub(crate) fn on_macos_without(why: &str) -> Report {
    let mut report = on_macos();
    for row in TABLE.iter().filter(|row| row.macos.is_of_seatbelt()) {
        report.set(row.promise, Holds::no(why));
    }
    report
}

/// Returns what holds on Windows.
#[cfg(any(windows, test))]
pub(crate) fn on_windows() -> Report {
    report(|row| row.windows)
}

fn report(column: impl Fn(&Row) -> Truth) -> Report {
    let mut report = Report::default();
    for row in TABLE {
        report.set(row.promise, column(row).holds());
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_promise_has_its_truth_on_every_system() {
        let promises: Vec<Promise> = TABLE.iter().map(|row| row.promise).collect();
        assert_eq!(promises, Promise::ALL);
    }

    #[test]
    fn the_guide_tells_the_same() {
        let row = |row: &Row| format!("| {} | {} | {} |\n", row.promise, row.macos.holds(), row.windows.holds());
        let table: String = TABLE.iter().map(row).collect();
        let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide/sandbox.md")).expect("a guide");
        assert!(guide.contains(&table), "docs/guide/sandbox.md lacks:\n{table}");
    }

    #[test]
    fn without_seatbelt_only_the_rest_holds() {
        let report = on_macos_without("it is not there");
        assert_eq!(report.holds(Promise::Files), Some(&Holds::no("it is not there")));
        assert!(report.holds(Promise::Environment).is_some_and(Holds::is_yes));
        assert_eq!(on_windows().holds(Promise::Reaped), Some(&Holds::yes("a job object")));
        assert_eq!(on_macos().gaps().count(), 4);
    }
}
