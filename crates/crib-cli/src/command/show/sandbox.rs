//! What a server from a package may have, and what of the sandbox holds on this machine.

use std::collections::BTreeSet;

use crib_control::{CompiledServer, Source};
use crib_inspect::{Grades, Kept};
use crib_model::Fault;
use crib_package::{Entry, Grants, Locked, Means, NetGrant, Proof, Reach, Signer};
use crib_sandbox::{Holds, Net, Promise, Report, Spec};
use serde::Serialize;

use crate::args::Target;
use crate::failure::Failure;
use crate::instance::package::{apart, grants};
use crate::output::{Output, padded};
use crate::shop::{Believed, Shop};
use crate::tongue::said;
use crate::{config, shop};

/// Columns in front of what is said.
const MARGIN: usize = 9;
/// How many names are told of one thing.
const MENTIONED_MAX: usize = 5;

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
    /// What it was granted elsewhere, and has not here.
    #[serde(rename = "grantedElsewhere", skip_serializing_if = "Option::is_none")]
    elsewhere: Option<String>,
    /// It runs without a sandbox, because somebody agreed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unconfined: bool,
    /// Who says that these bytes are that package.
    signature: Proof,
    attestation: Proof,
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<Signer>,
    /// What holds, promise by promise.
    holds: Report,
    /// What was measured of exactly these bytes on this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    grade: Option<Kept>,
    /// What its code mentions, which proves nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    mentions: Option<Reach>,
    #[serde(skip)]
    words: String,
}

/// Finds what is known of a server, if it is one of the user's own and from a package.
pub(super) fn look(target: &Target, name: &str, output: &Output) -> Option<Confinement> {
    if target.url.is_some() {
        return None;
    }
    let compiled = config::load_only(&target.only, &target.config, output).ok()?;
    let server = compiled.servers.into_iter().find(|server| server.slug.as_str() == name)?;
    of(&server).ok().flatten()
}

fn of(server: &CompiledServer) -> Result<Option<Confinement>, Failure> {
    let Source::Package(package) = &server.source else { return Ok(None) };
    let lock = shop::lock(&shop::data()?)?;
    let Some(locked) = lock.get(&shop::owner(server), &server.name).cloned() else { return Ok(None) };
    let grants = grants(package, &locked)?;
    let texts = |paths: &[std::path::PathBuf]| paths.iter().map(|path| path.display().to_string()).collect();
    let digest = locked.tree.as_ref().map(ToString::to_string);
    let grades = Grades::of(&shop::data()?);
    let mentions = Shop::open(Believed::default())?.packages.reach(&locked);
    Ok(Some(Confinement {
        source: shop::pinned(&locked),
        grade: digest.as_deref().and_then(|digest| grades.read(digest)),
        digest,
        read: texts(&grants.read),
        write: texts(&grants.write),
        net: grants.net.clone().into(),
        env: grants.env.clone(),
        elsewhere: apart::of(server, &lock).map(|file| apart::told(&file)),
        unconfined: grants.unconfined,
        signature: locked.provenance.signature.clone(),
        attestation: locked.provenance.attestation.clone(),
        signer: locked.provenance.signer.clone(),
        holds: measure(&Locked { grants: grants.clone(), ..locked })?,
        mentions,
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
    Shop::open(Believed::default())?.start(&alone)?.confine(&alone, Vec::new(), None)
}

/// Tries out a sandbox in which nothing is granted.
pub(crate) fn bare() -> Result<Report, Failure> {
    Ok(crib_sandbox::measure(&std::env::current_exe()?, &Spec::new("/bin/true"))?)
}

/// Says what the code of a package and of all it needs mentions.
fn mentioned(reach: &Reach, source: &str) -> Vec<String> {
    let some = |names: Vec<&str>| {
        let more = names.len().saturating_sub(MENTIONED_MAX);
        let more = if more > 0 { said(&format!(" and {more} more")).into_owned() } else { String::new() };
        names.into_iter().take(MENTIONED_MAX).collect::<Vec<_>>().join(", ") + &more
    };
    let mut told = Vec::new();
    for means in Means::ALL {
        let mut names: Vec<&str> = reach.of_means(means).map(|(name, _)| name).collect();
        // What the package itself mentions says most.
        names.sort_by_key(|name| !is_named(source, name));
        if !names.is_empty() {
            told.push(format!("{} ({})", said(means.as_str()), some(names)));
        }
    }
    let variables: BTreeSet<&str> =
        reach.packages.values().flat_map(|reached| reached.variables.keys()).map(String::as_str).filter(|name| *name != "*").collect();
    if !variables.is_empty() {
        told.push(format!("{} ({})", said("variables"), some(variables.into_iter().collect())));
    }
    if told.is_empty() {
        return Vec::new();
    }
    let margin = " ".repeat(MARGIN);
    let head = |at: usize| if at == 0 { padded(&said("mentions"), MARGIN) } else { margin.clone() };
    let mut lines: Vec<String> = told.iter().enumerate().map(|(at, line)| format!("{}{line}", head(at))).collect();
    let not_all = if reach.is_whole { "" } else { "; not all of it was read" };
    lines.push(format!("{margin}{}", said(&format!("this is what the code mentions, and no proof of what it does{not_all}"))));
    lines
}

/// Tells whether a source, as `npm:@scope/name@1.2.3`, is the package of this name.
fn is_named(source: &str, name: &str) -> bool {
    let rest = source.split_once(':').and_then(|(_, own)| own.strip_prefix(name));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['@', '[', '?', '#']))
}

/// Says who did it.
fn signed_by(whom: &dyn std::fmt::Display) -> String {
    format!("{} {whom}", said("by:").trim_end_matches([':', '：']))
}

/// Says a word that stands before a value. The colon tells it from a name that somebody gave.
fn label(word: &str) -> String {
    padded(said(&format!("{word}:")).trim_end_matches([':', '：']), MARGIN)
}

/// Says whether a promise holds, and by what or why not.
pub(crate) fn told(holds: &Holds) -> String {
    match holds {
        Holds::Yes { by } => said(&format!("yes, by {}", said(by))).into_owned(),
        Holds::Partly { by, gap } => said(&format!("partly, by {}; {}", said(by), said(gap))).into_owned(),
        Holds::No { why } => [said("no: "), said(why)].concat(),
    }
}

impl Confinement {
    /// Says who signed it, as far as that was checked.
    fn signed(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(Signer { repository: Some(repository), issuer, .. }) = &self.signer {
            lines.push(format!("{}{}", label("built"), said(&format!("from {repository}, says {issuer}"))));
        }
        if let Some(signer) = &self.signer {
            lines.push(format!("{}{}", label("signed"), signed_by(signer)));
        }
        match (&self.signature, &self.signer) {
            (Proof::Verified { by }, None) => lines.push(format!("{}{}", label("signed"), signed_by(by))),
            (Proof::Present { note }, _) => lines.push(format!("{}{}", label("signed"), said(note))),
            _ => {}
        }
        if let (Proof::Present { note }, None) = (&self.attestation, &self.signer) {
            lines.push(format!("{}{}", label("attested"), said(note)));
        }
        if lines.is_empty() {
            lines.push(format!("{}{}", label("signed"), said("by nobody")));
        }
        lines
    }

    /// Says it in lines.
    pub(super) fn text(&self) -> String {
        let mut lines = vec![String::new(), format!("{}{}", label("source"), self.source)];
        lines.extend(self.signed());
        if let Some(Kept { letter, score, toolcrib, .. }) = &self.grade {
            let measured = said(&format!("measured here by toolcrib {toolcrib}")).into_owned();
            lines.push(format!("{}{letter} {score}   {measured}", label("grade")));
        }
        for (at, line) in self.words.lines().enumerate() {
            let head = if at == 0 { said("sandbox") } else { "".into() };
            lines.push(format!("{}{}", padded(&head, MARGIN), said(line)));
        }
        lines.extend(self.elsewhere.iter().map(|words| format!("{}{}", " ".repeat(MARGIN), said(words))));
        let (all, gaps) = (self.holds.iter().count(), self.holds.gaps().count());
        let count = match gaps {
            0 => format!("all {all} promises hold"),
            gaps => format!("{} of {all} promises hold", all - gaps),
        };
        let margin = " ".repeat(MARGIN);
        lines.push(format!("{margin}{}", said(&count)));
        let gap = |(promise, holds): (Promise, &Holds)| format!("{margin}{}{}", padded(&said(promise.as_str()), 30), told(holds));
        lines.extend(self.holds.gaps().map(gap));
        lines.extend(self.mentions.as_ref().map(|reach| mentioned(reach, &self.source)).into_iter().flatten());
        lines.join("\n") + "\n"
    }
}
