//! What is started, and what it may have.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Promise;

/// A command with everything it may have. What does not stand here is not there for it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// An absolute path; in an image also a name that is looked for in the search path.
    pub program: PathBuf,
    pub args: Vec<String>,
    /// The whole environment, but `HOME`, `TMPDIR`, `PATH` and `LANG`, which are added where they are missing; on Windows the
    /// system's own variables.
    pub env: Vec<(String, String)>,
    /// Where it starts; its private home where nothing is said.
    pub cwd: Option<PathBuf>,
    /// Files and folders it may read and run code from: the interpreter, its libraries, the package itself.
    pub runtime: Vec<PathBuf>,
    /// Files and folders it may read.
    pub read: Vec<PathBuf>,
    /// Files and folders it may read and write.
    pub write: Vec<PathBuf>,
    pub net: Net,
    pub limits: Limits,
    /// What it sees in the place of the machine's programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Image>,
    /// Promises without which it must not be started.
    pub require: Vec<Promise>,
    /// It may be started where nothing confines it, because somebody agreed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfined: bool,
}

/// A root directory that comes with the server. It is not written to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The folder on this machine.
    pub root: PathBuf,
    /// Folders inside that are its own to write to, in memory, beside `/tmp`, `/run` and its home.
    pub volumes: Vec<PathBuf>,
    /// Who it is inside; never somebody outside.
    pub user: Option<u32>,
    /// `runc`, `crun` or `runsc`, which starts it in the place of this launcher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<PathBuf>,
}

/// Which networks can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Net {
    /// None: a loopback of its own, with nothing else on it.
    None,
    /// Only through the proxy that listens at this socket, see [`crate::Egress`].
    Proxy(PathBuf),
    /// The machine's.
    All,
}

/// How much of the machine may be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Memory of all its processes together where there are control groups, else of each.
    pub memory_bytes: u64,
    /// Processes and threads at once.
    pub processes: u64,
    /// Open files of one process.
    pub open_files: u64,
    /// The size of any one file it writes.
    pub file_bytes: u64,
    /// What fits into its private `/tmp`, and again into its private home.
    pub tmp_bytes: u64,
    /// Time on a processor, of one process from start to end; no limit where nothing is said.
    pub cpu_seconds: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 2 * 1024 * 1024 * 1024,
            processes: 512,
            open_files: 1024,
            file_bytes: 1024 * 1024 * 1024,
            tmp_bytes: 256 * 1024 * 1024,
            cpu_seconds: None,
        }
    }
}

impl Spec {
    /// Makes a spec that grants nothing but the program itself.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        Self {
            runtime: vec![program.clone()],
            program,
            args: Vec::new(),
            env: Vec::new(),
            cwd: None,
            read: Vec::new(),
            write: Vec::new(),
            net: Net::None,
            limits: Limits::default(),
            image: None,
            require: Vec::new(),
            unconfined: false,
        }
    }
}

impl fmt::Debug for Spec {
    /// Leaves out the values of the environment: they hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Spec")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &names)
            .field("cwd", &self.cwd)
            .field("runtime", &self.runtime)
            .field("read", &self.read)
            .field("write", &self.write)
            .field("net", &self.net)
            .field("limits", &self.limits)
            .field("image", &self.image)
            .field("require", &self.require)
            .field("unconfined", &self.unconfined)
            .finish()
    }
}
