//! Confines a server's process: what it may read, write, reach, use and start, and who ends it.
//!
//! The launcher is the binary itself, started again as `toolcrib __sandbox` (see [`ENTRY`]). On Linux it is a process of
//! one thread, so it can enter namespaces, build a root directory of its own, give up every privilege, let Landlock and
//! seccomp filter what is left, and then start the server. On macOS it has Seatbelt confine the server by a profile.
//! Nothing of it runs in the gateway.
//!
//! Invariants
//! - What was not granted is not there: the environment, directories and networks of a server are those of its [`Spec`].
//! - A promise is reported as held only after the kernel has accepted it, in the very process the server is started from.
//! - A promise in [`Spec::require`] that does not hold keeps the server from starting.
//! - Every process of a server ends with the launcher, and the launcher with whoever started it.
//!
//! To add a promise: a variant of [`Promise`], a line of the [`Report`] where it is established, and an attack on it in
//! the tests.

#[cfg(target_os = "linux")]
mod bundle;
mod egress;
mod enter;
#[cfg(any(target_os = "linux", target_os = "macos"))]
mod forward;
mod launch;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
mod plain;
#[cfg(any(target_os = "macos", windows, test))]
mod promised;
mod report;
#[cfg(any(target_os = "macos", all(unix, test)))]
mod seatbelt;
mod spec;

pub use egress::{Egress, HostRule, Refused};
pub use enter::{enter, is_shown};
pub use launch::{ENTRY, Launch, command, measure};
pub use report::{Holds, Promise, Report};
pub use spec::{Image, Limits, Net, Spec};
