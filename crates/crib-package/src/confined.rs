//! What is built on this machine: strangers' code, run in a sandbox that must hold, or not at all.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crib_model::{Code, Fault};
use crib_sandbox::{Egress, HostRule, Limits, Net, Promise, Spec};

use crate::NetGrant;
use crate::pull::Job;
use crate::tool::{Said, Surroundings};

/// What a build must not do is kept from it, or it is not started.
const PROMISES: [Promise; 4] = [Promise::Files, Promise::Environment, Promise::Privilege, Promise::Reaped];
/// Hosts that are told of those that were refused.
const REFUSED_MAX: usize = 8;

/// A compiler needs more than a server, and what is built lies in memory until it is installed.
pub(crate) fn limits() -> Limits {
    const GIB: u64 = 1024 * 1024 * 1024;
    Limits { memory_bytes: 8 * GIB, tmp_bytes: 6 * GIB, file_bytes: 4 * GIB, open_files: 4096, ..Limits::default() }
}

/// Says what a build reaches.
pub(crate) fn net(net: &NetGrant) -> String {
    match net {
        NetGrant::None => "without a network".to_owned(),
        NetGrant::All => "with a network".to_owned(),
        NetGrant::Hosts(rules) => format!("with a way to {}", rules.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

/// Runs a program with a network of what is granted; what it reached for besides is added to what it complained of.
pub(crate) async fn run(job: &Job<'_>, shown: &str, mut spec: Spec, net: &NetGrant) -> Result<Said, Fault> {
    let none = || Fault::new(Code::SandboxFailed, format!("`{shown}` cannot be built in a sandbox here"));
    let launcher = job.launcher.ok_or_else(none)?;
    spec.require = PROMISES.to_vec();
    let way = match net {
        NetGrant::None => None,
        NetGrant::Hosts(rules) => Some(Way::open(rules).map_err(|error| none().because(error))?),
        NetGrant::All => {
            spec.net = Net::All;
            None
        }
    };
    if let Some(way) = &way {
        spec.net = Net::Proxy(way.egress.socket().to_owned());
    }
    if spec.net != Net::All {
        spec.require.push(Promise::Network);
    }
    let launch = crib_sandbox::command(launcher, &spec)?;
    let env = launch.env.into_iter().map(|(name, value)| (name.into(), value.into()));
    let args: Vec<&OsStr> = launch.args.iter().map(OsStr::new).collect();
    let said = Surroundings::new(env).run(Path::new(&launch.program), &args, Path::new("/"), "").await;
    let refused = match way {
        Some(way) => way.close().await,
        None => Vec::new(),
    };
    said.map(|said| said.and_complains(&refused))
}

/// Unpacks an archive, which is a stranger's like everything in it.
pub(crate) async fn unpack(job: &Job<'_>, shown: &str, archive: &Path, folder: &Path) -> Result<(), Fault> {
    let missing = || Fault::new(Code::RuntimeMissing, "`tar` is not on this machine").hint("install it: apt install tar");
    let failed = || Fault::new(Code::PullFailed, format!("the archive of `{shown}` cannot be unpacked"));
    let tar = job.surroundings.find("tar").ok_or_else(missing)?;
    std::fs::create_dir_all(folder).map_err(|error| failed().because(error))?;
    let mut spec = Spec::new(tar.canonicalize().unwrap_or(tar));
    let places = [archive, Path::new("--directory"), folder].map(|path| path.display().to_string());
    spec.args = ["--extract", "--gzip", "--no-same-owner", "--file"].into_iter().map(str::to_owned).chain(places).collect();
    spec.read = vec![archive.to_owned()];
    spec.write = vec![folder.to_owned()];
    let said = run(job, shown, spec, &NetGrant::None).await?;
    if said.is_success { Ok(()) } else { Err(said.explain(failed())) }
}

/// The proxy for the hosts that are granted.
struct Way {
    egress: Egress,
    folder: PathBuf,
    refused: Arc<Mutex<Vec<String>>>,
}

impl Way {
    fn open(rules: &[HostRule]) -> Result<Self, String> {
        let mut random = [0_u8; 8];
        getrandom::fill(&mut random).map_err(|error| error.to_string())?;
        // A socket's path has to be short.
        let folder = std::env::temp_dir().join(format!("toolcrib-{}", crate::digest::hex(&random)));
        crate::system::private_folder(&folder).map_err(|error| error.to_string())?;
        let refused: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = Arc::clone(&refused);
        let tell = move |one: crib_sandbox::Refused| {
            let mut list = told.lock().unwrap_or_else(PoisonError::into_inner);
            let line = format!("the sandbox refused {}:{}: {}", one.host, one.port, one.why);
            if list.len() < REFUSED_MAX && !list.contains(&line) {
                list.push(line);
            }
        };
        let egress = Egress::start(folder.join("proxy"), rules.to_vec(), tell).map_err(|fault| fault.to_string())?;
        Ok(Self { egress, folder, refused })
    }

    async fn close(self) -> Vec<String> {
        self.egress.close().await;
        drop(std::fs::remove_dir_all(&self.folder));
        self.refused.lock().map(|list| list.clone()).unwrap_or_default()
    }
}
