//! The launcher on Linux: an outer process that enters namespaces and waits, and an inner one that confines itself and
//! starts the server.

mod calls;
mod container;
mod files;
mod group;
mod image;
mod inner;
mod limits;
mod loopback;
mod outer;
mod privilege;
mod root;
mod submounts;

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::enter::Refusal;

pub(crate) use inner::inner;
pub(crate) use outer::{Purpose, outer};

/// The home directory inside.
const HOME: &str = "/home/toolcrib";

/// Tells whether a path is part of what every server sees.
pub(crate) fn is_shown(path: &Path) -> bool {
    files::SYSTEM.iter().any(|shown| path.starts_with(shown))
}

/// What the outer process tells the inner one.
#[derive(Debug, Serialize, Deserialize)]
struct Facts {
    purpose: Purpose,
    namespaces: Namespaces,
    group: Option<group::Bounds>,
    /// A folder for `/tmp` and home where the inner process cannot mount its own.
    scratch: PathBuf,
    /// The number of the descriptor at which the inner process waits until it is placed.
    gate: i32,
}

/// What the processes of a server are in.
#[derive(Debug, Serialize, Deserialize)]
enum Namespaces {
    /// A user, process, mount and IPC namespace of their own, and a network namespace where no network is granted.
    Own,
    /// Those of the machine, and why.
    Shared { why: String },
}

impl Namespaces {
    const fn are_own(&self) -> bool {
        matches!(self, Self::Own)
    }
}

fn failed(what: impl Into<String>) -> impl FnOnce(io::Error) -> Refusal {
    let what = what.into();
    move |error| Refusal::System { what, error }
}
