//! A client for people who build servers: it shows every message, records, replays, lints, loads and grades.
//!
//! Invariants
//! - Every message that goes to or comes from a server passes the [`Tap`]; secrets in headers do not.
//! - Every wait has a deadline, every list and queue a limit, every task and process an owner that ends it.
//! - A tool that is not marked as read-only is called only where somebody named it.

mod client;
mod grade;
mod lint;
mod load;
mod mask;
mod overview;
mod probe;
mod record;
mod replay;
mod session;
mod suite;
mod tap;
mod target;
#[cfg(test)]
mod tests;
mod watch;
mod wire;
mod words;

pub use client::{Asker, Client, Decline, Hello, LISTS, List, Reply, Task, TaskEnd};
pub use grade::{Grade, Grades, Kept, Line, Machine, Part, grade};
pub use lint::{Cost, Finding, Report as LintReport, Rule, Severity, lint};
pub use load::{CONNECTIONS_MAX, DURATION_MAX, Latencies, Plan, Report as LoadReport, load};
pub use mask::Mask;
pub use overview::Overview;
pub use record::{Recorded, Recording, recorder};
pub use replay::{Difference, Exchange, Ignored, Lens, Player, Report as ReplayReport, exchanges, replay};
pub use session::{COMMANDS, HELP, Lines, Mistake, Person, Said, Session, StandardInput, Suggest, Terminal, Words};
pub use suite::{
    Begun as SuiteBegun, Check as SuiteCheck, Errand as SuiteErrand, Outcome as SuiteOutcome, Report as SuiteReport,
    Scenario as SuiteScenario, Starter as SuiteStarter, Suite,
};
pub use tap::{Body, Direction, Seen, Sink, Tap, Verdict, line, lines};
pub use target::{Abilities, Confinement, EraChoice, OpenPipe, Options, Origin, Signature, Target, UrlTransport, Way};
pub use watch::{Bell, Change, Changes, Files, How, Kind, Look, of_command as files_of_command, project};
pub use wire::Ended;
pub use words::{Speak, plainly};
