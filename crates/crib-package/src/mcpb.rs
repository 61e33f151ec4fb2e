//! Bundles (`.mcpb`): an archive with a manifest and everything the server needs.

mod manifest;
mod setting;
mod unpack;

use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::pull::Job;
use crate::{Digest, Event, Finding, FindingKind, Locked, Provenance, web};

pub(crate) use manifest::{Manifest, expand};
pub use setting::Setting;
pub(crate) use setting::{fill, fill_args};

pub(crate) async fn pull(job: &Job<'_>, place: &str, sha256: Option<&str>) -> Result<(Locked, Vec<Finding>), Fault> {
    let shown = format!("mcpb:{place}");
    let bench = job.store.bench()?;
    let archive = if place.starts_with("http://") || place.starts_with("https://") {
        let archive = bench.beside("bundle");
        web::download(job.http, place, &archive, job.progress).await?;
        archive
    } else {
        PathBuf::from(place)
    };
    let missing = |error| Fault::new(Code::PackageMissing, format!("`{place}` cannot be read")).because(error);
    let digest = Digest::of_file(&archive).map_err(missing)?;
    let mut findings = Vec::new();
    job.progress.tell(Event::Verifying);
    check_sum(&shown, &digest, sha256, &mut findings)?;
    job.progress.tell(Event::Installing { packages: 1 });
    let manifest = unpack::unpack(&archive, &bench.tree()).and_then(|()| Manifest::read(&bench.tree()))?;
    job.progress.tell(Event::Resolved { source: shown.clone(), version: manifest.version.clone(), packages: 1 });
    job.judge(&findings)?;
    let plan = manifest.plan(&bench.tree())?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let runtime = crate::local::runtime(job.surroundings, &plan.entry).await?;
    let locked = Locked {
        source: shown,
        version: manifest.version.clone(),
        with: Vec::new(),
        platform: Some(crate::pull::platform()),
        tree: Some(tree),
        made: None,
        runtime,
        entry: plan.entry,
        args: plan.args,
        env: plan.env,
        grants: crate::Grants::default(),
        provenance: Provenance { integrity: Some(digest.to_string()), publisher: manifest.author, ..Provenance::default() },
        listed: None,
        packages: std::collections::BTreeMap::default(),
    };
    Ok((locked, findings))
}

/// A bundle is signed by nobody; what it has is the digest that a registry's entry gives.
fn check_sum(shown: &str, digest: &Digest, wanted: Option<&str>, findings: &mut Vec<Finding>) -> Result<(), Fault> {
    match wanted {
        Some(wanted) if wanted.parse::<Digest>().as_ref() == Ok(digest) => Ok(()),
        Some(wanted) => Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not the bundle that was promised"))
            .because(format!("its digest is {digest}, and not {wanted}"))),
        None => {
            findings.push(Finding::new(FindingKind::Unsigned, format!("nobody says which bytes `{shown}` should be; they are {digest}")));
            Ok(())
        }
    }
}

/// Reads the manifest of a folder that was unpacked, or never packed.
pub(crate) fn of_folder(folder: &Path) -> Option<Result<(Manifest, manifest::Plan), Fault>> {
    if !folder.join("manifest.json").is_file() {
        return None;
    }
    Some(Manifest::read(folder).and_then(|manifest| manifest.plan(folder).map(|plan| (manifest, plan))))
}
