//! Images: found in their registry, verified down to the last layer, unpacked, and started in their own root directory.

mod vouched;

use std::path::{Path, PathBuf};

use crib_model::{Code, Fault};
use crib_oci::{Config, Credentials, Platform, Pulled, Reference, Registry, Resolved, Step};

use crate::lock::Image;
use crate::pull::Job;
use crate::start::Start;
use crate::tool::Surroundings;
use crate::{Engine, Entry, Event, Finding, Locked, Provenance};

use vouched::Vouched;

/// Where an image says which server it is.
const CLAIM: &str = "io.modelcontextprotocol.server.name";
/// The label with the time it was made.
const CREATED: &str = "org.opencontainers.image.created";
/// Where an image says what it is built from.
const REPOSITORY: &str = "org.opencontainers.image.source";
/// Programs that start a bundle, the first that is there.
const ENGINES: &[&str] = &["runc", "crun", "runsc"];
/// They are where only root looks, too.
const ELSEWHERE: &[&str] = &["/usr/sbin", "/usr/local/sbin", "/sbin"];
/// Longest text of a label that is kept.
const LABEL_CHARS_MAX: usize = 300;

pub(crate) async fn pull(job: &Job<'_>, image: &str) -> Result<(Locked, Vec<Finding>), Fault> {
    let name = Reference::parse(image)?;
    let shown = format!("oci:{}", name.name());
    if cfg!(not(unix)) {
        return Err(Fault::new(Code::RuntimeMissing, format!("`{shown}` is an image, and images need Linux"))
            .hint("run Toolcrib in WSL, or have Docker start it: toolcrib run -- docker run -i --rm IMAGE"));
    }
    let registry = Registry::new(job.http.clone(), credentials(job));
    job.progress.tell(Event::Resolving { source: shown.clone() });
    let found = registry.resolve(&name, &Platform::here()).await?;
    job.progress.tell(Event::Resolved { source: shown.clone(), version: name.version(), packages: 1 });
    job.progress.tell(Event::Verifying);
    check_sum(job, &shown, &found)?;
    let mut findings = Vec::new();
    let vouched = Vouched::look(job, &registry, &found, &shown, &mut findings).await?;
    job.judge(&findings)?;
    let bench = job.store.bench()?;
    let progress = job.progress.clone();
    let tell = move |step: Step| match step {
        Step::Downloading { done, total } => progress.tell(Event::Downloading { done, total: Some(total) }),
        Step::Unpacking { layers } => progress.tell(Event::Installing { packages: layers }),
    };
    let pulled = registry.pull(&found, &bench.tree(), &bench.beside("layers"), &tell).await?;
    job.progress.tell(Event::Hashing);
    let (tree, files) = job.store.take_root(&bench)?;
    job.progress.tell(Event::Stored { files: files.files(), bytes: files.bytes() });
    let locked = Locked {
        source: shown,
        version: name.version(),
        with: Vec::new(),
        program: None,
        python: None,
        platform: Some(Platform::here().to_string()),
        tree: Some(tree),
        made: None,
        runtime: None,
        entry: Entry::Image(Box::new(entry(&pulled))),
        args: Vec::new(),
        env: std::collections::BTreeMap::default(),
        grants: crate::Grants::default(),
        build: crate::Build::default(),
        provenance: Provenance {
            integrity: Some(found.digest.to_string()),
            index: found.index.as_ref().map(ToString::to_string),
            released: label(&pulled.config, CREATED),
            repository: label(&pulled.config, REPOSITORY),
            signature: vouched.signature,
            attestation: vouched.attestation,
            signer: vouched.signer,
            publisher: None,
        },
        listed: None,
        packages: [(format!("{}@{}", name.name(), found.digest), Vec::new())].into(),
    };
    Ok((locked, findings))
}

/// A registry of servers may say which image it means.
fn check_sum(job: &Job<'_>, shown: &str, found: &Resolved) -> Result<(), Fault> {
    let Some(wanted) = job.file_sha256.as_ref().map(ToString::to_string) else { return Ok(()) };
    let is_it = |digest: &crib_oci::Digest| digest.as_str() == wanted;
    if is_it(&found.digest) || found.index.as_ref().is_some_and(is_it) {
        return Ok(());
    }
    Err(Fault::new(Code::PackageUnverified, format!("`{shown}` is not the image that was promised"))
        .because(format!("its digest is {}, and not {wanted}", found.digest)))
}

/// Finds the logins of whoever asked.
fn credentials(job: &Job<'_>) -> Credentials {
    let var = |name: &str| job.surroundings.var(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let docker = var("DOCKER_CONFIG").or_else(|| var("HOME").map(|home| home.join(".docker")));
    let podman = var("REGISTRY_AUTH_FILE").or_else(|| var("XDG_RUNTIME_DIR").map(|folder| folder.join("containers/auth.json")));
    let settings = var("XDG_CONFIG_HOME").or_else(|| var("HOME").map(|home| home.join(".config")));
    let lasting = settings.map(|folder| folder.join("containers/auth.json"));
    let files = docker.map(|folder| folder.join("config.json")).into_iter().chain(podman).chain(lasting);
    Credentials::read(files).with_env(job.surroundings.all())
}

fn entry(pulled: &Pulled) -> Image {
    let Config { entrypoint, command, env, folder, volumes, .. } = pulled.config.clone();
    Image {
        entrypoint,
        command,
        cwd: folder,
        user: pulled.user,
        volumes,
        claims: label(&pulled.config, CLAIM),
        env: env.into_iter().collect(),
    }
}

fn label(config: &Config, name: &str) -> Option<String> {
    let text: String = config.labels.get(name)?.chars().take(LABEL_CHARS_MAX).filter(|letter| !letter.is_control()).collect();
    Some(text).filter(|text| !text.is_empty())
}

/// Finds what starts images in the place of our own launcher, where that is wanted.
fn engine(surroundings: &Surroundings, locked: &Locked) -> Result<Option<PathBuf>, Fault> {
    match locked.grants.engine {
        Engine::Process => Ok(None),
        Engine::Container => found(surroundings, ELSEWHERE, &locked.source).map(Some),
    }
}

fn found(surroundings: &Surroundings, elsewhere: &[&str], source: &str) -> Result<PathBuf, Fault> {
    let elsewhere = |name: &str| elsewhere.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file());
    let found = ENGINES.iter().find_map(|name| surroundings.find(name).or_else(|| elsewhere(name)));
    found.ok_or_else(|| {
        Fault::new(Code::RuntimeMissing, format!("`{source}` is to be started as a container, and nothing here starts one"))
            .because(format!("none of {} is on this machine", ENGINES.join(", ")))
            .hint("install one (apt install runc), or let our own sandbox start it: --sandbox process")
    })
}

/// Says how a checked image is started.
pub(crate) fn start(surroundings: &Surroundings, image: &Image, locked: &Locked, root: PathBuf) -> Result<Start, Fault> {
    let engine = engine(surroundings, locked)?;
    let mut command = image.entrypoint.iter().cloned();
    let program = command.next().map(PathBuf::from).unwrap_or_default();
    let mut env: Vec<(String, String)> = image.env.clone().into_iter().collect();
    env.extend(locked.env.clone());
    Ok(Start {
        program,
        args: command.chain(locked.args.iter().cloned()).collect(),
        env,
        cwd: Some(image.cwd.clone().unwrap_or_else(|| Path::new("/").to_owned())),
        runtime: Vec::new(),
        image: Some(crib_sandbox::Image { root, volumes: image.volumes.clone(), user: image.user, engine }),
        usual: image.command.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_found_wherever_it_is_and_missed_with_words() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, nowhere) = (folder.path().display().to_string(), Surroundings::new([]));
        let fault = found(&nowhere, &[&path], "oci:ghcr.io/owner/counter").expect_err("there is none");
        let told = format!("{} {fault}; {}", fault.code(), fault.remedy().unwrap_or_default());
        assert_eq!(
            told,
            "TC0507 `oci:ghcr.io/owner/counter` is to be started as a container, and nothing here starts one: none of runc, crun, runsc is on \
             this machine; install one (apt install runc), or let our own sandbox start it: --sandbox process"
        );
        let crun = folder.path().join("crun");
        std::fs::write(&crun, "").expect("writable");
        assert_eq!(found(&nowhere, &[&path], "oci:x").ok(), Some(crun.clone()), "where only root looks");
        let surroundings = Surroundings::new([("PATH".into(), folder.path().into())]);
        assert_eq!(found(&surroundings, &[], "oci:x").ok(), Some(crun), "in the search path");
    }
}
