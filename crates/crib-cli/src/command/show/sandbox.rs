//! What a server from a package may have, and what of the sandbox holds on this machine.

use crib_control::{CompiledServer, Source};
use crib_model::Fault;
use crib_package::{Entry, Grants, Locked, NetGrant, Policy};
use crib_sandbox::{Net, Report, Spec};
use serde::Serialize;

use crate::args::Target;
use crate::failure::Failure;
use crate::instance::package::grants;
use crate::output::Output;
use crate::shop::Shop;
use crate::{config, shop};

/// The package of a server on this machine.
#[derive(Serialize)]
pub(crate) struct Confinement {
    pub(crate) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    read: Vec<String>,
    write: Vec<String>,
    net: Vec<String>,
    env: Vec<String>,
    /// What holds, promise by promise.
    holds: Report,
    #[serde(skip)]
    words: String,
}

/// Finds what is known of a server, if it is one of the user's own and from a package.
pub(super) fn look(target: &Target, name: &str, output: &Output) -> Option<Confinement> {
    if target.url.is_some() {
        return None;
    }
    let compiled = config::load(&target.config, output).ok()?;
    let server = compiled.servers.into_iter().find(|server| server.slug.as_str() == name)?;
    of(&server).ok().flatten()
}

fn of(server: &CompiledServer) -> Result<Option<Confinement>, Failure> {
    let Source::Package(package) = &server.source else { return Ok(None) };
    let Some(locked) = shop::lock(&shop::data()?)?.servers.remove(&server.name) else { return Ok(None) };
    let grants = grants(package, &locked)?;
    let texts = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    Ok(Some(Confinement {
        source: shop::pinned(&locked),
        digest: locked.tree.as_ref().map(ToString::to_string),
        read: texts(&grants.read),
        write: texts(&grants.write),
        net: grants.net.clone().into(),
        env: grants.env.clone(),
        holds: measure(&Locked { grants: grants.clone(), ..locked })?,
        words: grants.to_string(),
    }))
}

/// Tries out what a server would be started in. Nothing of the server runs.
fn measure(locked: &Locked) -> Result<Report, Failure> {
    let mut spec = Spec::new("/bin/true");
    if let Entry::Image(_) = &locked.entry {
        match image(locked) {
            Ok(own) => spec = own,
            // What cannot be started is confined by nothing.
            Err(fault) => return Ok(Report::nothing(&fault.to_string())),
        }
    }
    spec.read.clone_from(&locked.grants.read);
    spec.write.clone_from(&locked.grants.write);
    spec.net = match &locked.grants.net {
        NetGrant::All => Net::All,
        NetGrant::None | NetGrant::Hosts(_) => Net::None,
    };
    let measured = crib_sandbox::measure(&std::env::current_exe()?, &spec);
    match measured {
        Err(fault) if spec.image.is_some() => Ok(Report::nothing(&fault.to_string())),
        measured => Ok(measured?),
    }
}

/// Returns what an image would be started in, after a look at its files.
fn image(locked: &Locked) -> Result<Spec, Fault> {
    let alone = Locked { grants: Grants { net: NetGrant::None, ..locked.grants.clone() }, ..locked.clone() };
    Shop::open(Policy::default())?.start(&alone)?.confine(&alone, Vec::new(), None)
}

/// Tries out a sandbox in which nothing is granted.
pub(crate) fn bare() -> Result<Report, Failure> {
    Ok(crib_sandbox::measure(&std::env::current_exe()?, &Spec::new("/bin/true"))?)
}

impl Confinement {
    /// Says it in lines.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![String::new(), format!("source   {}", self.source)];
        for (at, line) in self.words.lines().enumerate() {
            let head = if at == 0 { "sandbox" } else { "" };
            lines.push(format!("{head:<9}{line}"));
        }
        let (all, gaps) = (self.holds.iter().count(), self.holds.gaps().count());
        lines.push(match gaps {
            0 => format!("         all {all} promises hold"),
            gaps => format!("         {} of {all} promises hold", all - gaps),
        });
        lines.extend(self.holds.gaps().map(|(promise, holds)| format!("         {:<30}{holds}", promise.as_str())));
        lines.join("\n") + "\n"
    }
}
