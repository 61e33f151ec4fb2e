//! A server that is started from a package.

use std::fmt;
use std::path::PathBuf;

use super::server::{self, Complaint};
use crate::config::{Server, Transport};
use crate::world::{Misnamed, World};

/// A package and what it is started with. What stands for which bytes is a matter of the lockfile.
#[derive(Clone, PartialEq, Eq)]
pub struct Package {
    /// The source, as people write it; a folder or a file is absolute.
    pub run: String,
    pub with: Vec<String>,
    pub args: Vec<String>,
    /// Variables of its own.
    pub env: Vec<(String, String)>,
    /// What it may have; the lockfile says it where this does not.
    pub sandbox: Option<SandboxGrants>,
}

/// What a package may have, with absolute paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SandboxGrants {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub net: Vec<String>,
    /// Names of variables.
    pub env: Vec<String>,
}

pub(super) fn package(server: &Server, world: &dyn World) -> Result<Package, Complaint> {
    let misplaced = [
        ("headers", !server.headers.is_empty(), "`url`"),
        ("transport", server.transport != Transport::Auto, "`url`"),
        ("allowLinkLocal", server.allow_link_local, "`url`"),
        ("cwd", !server.cwd.is_empty(), "`command`"),
    ];
    if let Some((member, _, with)) = misplaced.into_iter().find(|(_, is_given, _)| *is_given) {
        return Err(Complaint::new(member, format!("`{member}` goes with {with}, not with `run`")));
    }
    if server.run.starts_with("http://") || server.run.starts_with("https://") {
        let path = server.run.split(['?', '#']).next().unwrap_or_default();
        if !path.ends_with(".mcpb") && !path.ends_with(".dxt") {
            return Err(Complaint::new("run", "a server that runs elsewhere is named by `url`, not by `run`"));
        }
    }
    server::variables(&server.env)?;
    let absolute = |paths: &[String]| paths.iter().map(|path| world.absolute(path.as_ref())).collect::<Vec<_>>();
    let sandbox = server.sandbox.as_ref().map(|sandbox| SandboxGrants {
        read: absolute(&sandbox.read),
        write: absolute(&sandbox.write),
        net: sandbox.net.clone(),
        env: sandbox.env.clone(),
    });
    let package = Package {
        run: place(&server.run, world),
        with: server.with.clone(),
        args: server.args.clone(),
        env: server.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        sandbox,
    };
    match world.misnamed(&package) {
        Some(Misnamed { path, message, hint }) => Err(Complaint { path, message, hint: Some(hint.into()) }),
        None => Ok(package),
    }
}

/// Makes what names a place on this machine absolute.
fn place(run: &str, world: &dyn World) -> String {
    let is_path = ["./", "../", "~/"].iter().any(|start| run.starts_with(start)) || matches!(run, "." | "..");
    let is_file = run.ends_with(".mcpb") && !run.contains(':') && !run.starts_with('/');
    if is_path || is_file { world.absolute(run.as_ref()).display().to_string() } else { run.to_owned() }
}

/// Shows everything but what may be secret.
impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.env.iter().map(|(name, _)| name.as_str()).collect();
        let mut out = f.debug_struct("Package");
        out.field("run", &self.run).field("with", &self.with).field("args", &self.args).field("env", &names);
        out.field("sandbox", &self.sandbox).finish()
    }
}
