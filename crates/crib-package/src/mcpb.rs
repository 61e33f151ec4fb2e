//! Bundles (`.mcpb`): an archive with a manifest and everything the server needs.

mod manifest;
mod setting;
mod unpack;

use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};

use crate::pull::Job;
use crate::signature::{Signed, check_file};
use crate::system;
use crate::{Digest, Entry, Event, Finding, FindingKind, Locked, Proof, Provenance, Signer, web};

pub(crate) use manifest::{Manifest, expand};
pub use setting::Setting;
pub(crate) use setting::{fill, fill_args};

/// What is put behind the name of a bundle for that of its signature.
const SIGNATURE: &str = ".minisig";
const SIGNATURE_BYTES_MAX: usize = 64 * 1024;

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
    check_sum(&shown, &digest, sha256)?;
    let beside = signature_of(job, place).await?;
    let (signature, signer) = check_signature(job, (&shown, &digest), (&archive, beside.as_deref()), sha256.is_some(), &mut findings)?;
    job.judge(&findings)?;
    job.progress.tell(Event::Installing { packages: 1 });
    let manifest = unpack::unpack(&archive, &bench.tree()).and_then(|()| Manifest::read(&bench.tree()))?;
    job.progress.tell(Event::Resolved { source: shown.clone(), version: manifest.version.clone(), packages: 1 });
    let plan = manifest.plan(&bench.tree())?;
    if let Entry::Binary { program } = &plan.entry {
        // An archive that was made on Windows says of no file that it can be run.
        let path = bench.tree().join(program);
        system::set_can_run(&path, true).map_err(|error| Fault::new(Code::PullFailed, "the bundle cannot be unpacked").because(error))?;
    }
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let runtime = crate::local::runtime(job.surroundings, &plan.entry).await?;
    let locked = Locked {
        source: shown,
        version: manifest.version.clone(),
        with: Vec::new(),
        program: None,
        python: None,
        platform: Some(crate::pull::platform()),
        tree: Some(tree),
        made: None,
        runtime,
        entry: plan.entry,
        args: plan.args,
        env: plan.env,
        grants: crate::Grants::default(),
        build: crate::Build::default(),
        provenance: Provenance {
            integrity: Some(digest.to_string()),
            signature,
            signer,
            publisher: manifest.author,
            ..Provenance::default()
        },
        listed: None,
        packages: std::collections::BTreeMap::default(),
    };
    Ok((locked, findings))
}

/// Checks the digest that a registry's entry, or whoever gave the address, promises.
fn check_sum(shown: &str, digest: &Digest, wanted: Option<&str>) -> Result<(), Fault> {
    match wanted {
        None => Ok(()),
        Some(wanted) if wanted.parse::<Digest>().as_ref() == Ok(digest) => Ok(()),
        Some(wanted) => Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not the bundle that was promised"))
            .because(format!("its digest is {digest}, and not {wanted}"))),
    }
}

/// Reads the signature that lies beside a bundle.
async fn signature_of(job: &Job<'_>, place: &str) -> Result<Option<String>, Fault> {
    if place.starts_with("http://") || place.starts_with("https://") {
        let (path, query) = place.split_once('?').map_or((place, String::new()), |(path, query)| (path, format!("?{query}")));
        return web::text(job.http, &format!("{path}{SIGNATURE}{query}"), SIGNATURE_BYTES_MAX).await;
    }
    let beside = PathBuf::from(format!("{place}{SIGNATURE}"));
    let failed =
        |error: std::io::Error| Fault::new(Code::PackageUnverified, format!("`{}` cannot be read", beside.display())).because(error);
    match std::fs::metadata(&beside) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
        Ok(meta) if meta.len() > SIGNATURE_BYTES_MAX as u64 => Err(failed(std::io::Error::other("it is too long for a signature"))),
        Ok(_) => std::fs::read_to_string(&beside).map(Some).map_err(failed),
    }
}

/// Checks the signature by the keys the user believes; what is left open is a finding, unless the digest was promised.
fn check_signature(
    job: &Job<'_>,
    (shown, digest): (&str, &Digest),
    (archive, signature): (&Path, Option<&str>),
    is_promised: bool,
    findings: &mut Vec<Finding>,
) -> Result<(Proof, Option<Signer>), Fault> {
    let keys = &job.trust.keys;
    let (proof, why) = match signature.map(|signature| check_file(archive, signature, keys)) {
        Some(Signed::By(signer)) => return Ok((Proof::Verified { by: signer.to_string() }, Some(signer))),
        Some(Signed::Badly(why)) => {
            findings.push(Finding::new(FindingKind::BadSignature, format!("the signature of `{shown}` is not one of these bytes: {why}")));
            return Ok((Proof::Present { note: why }, None));
        }
        Some(Signed::ByStranger { id }) => {
            let note = format!("by minisign key {id}, which is none of yours");
            (Proof::Present { note: note.clone() }, format!("`{shown}` is signed {note}"))
        }
        None => (Proof::Absent, format!("nobody signed `{shown}`")),
    };
    if job.trust.needs_key {
        let keys: Vec<String> = keys.iter().map(crate::Key::id).collect();
        return Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not signed by the key it has to be signed by"))
            .because(why)
            .because(format!("the key is {}", keys.join(" or ")))
            .hint(format!("the signature is looked for beside it, with `{SIGNATURE}` behind its name")));
    }
    if !is_promised {
        findings.push(Finding::new(FindingKind::Unsigned, format!("{why}, or says which bytes it should be; they are {digest}")));
    }
    Ok((proof, None))
}

/// Returns what a bundle on this machine calls itself.
pub(crate) fn name_of(place: &str) -> Option<String> {
    unpack::manifest(Path::new(place))?.get("name")?.as_str().map(str::to_owned)
}

/// Reads the manifest of a folder that was unpacked, or never packed.
pub(crate) fn of_folder(folder: &Path) -> Option<Result<(Manifest, manifest::Plan), Fault>> {
    if !folder.join("manifest.json").is_file() {
        return None;
    }
    Some(Manifest::read(folder).and_then(|manifest| manifest.plan(folder).map(|plan| (manifest, plan))))
}
