//! The whole way of a package: pull it, lock it, start it in the sandbox, say hello to it.
//!
//! `whole DATA SOURCE [--with REQ] [--read DIR] [--write DIR] [--net HOST|*] [-- ARGS]`; the lines on standard input go
//! to the server. This program is its own launcher, as `toolcrib` is.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr,
    reason = "an example shows the way and stops where it ends"
)]

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crib_model::Fault;
use crib_package::{Lock, Locked, NetGrant, Packages, PackagesOptions, Policy, Progress, Source, Trust};
use crib_sandbox::{ENTRY, Egress};
use crib_transport::{ClientOptions, HttpClient};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).as_deref() == Some(OsStr::new(ENTRY)) {
        return crib_sandbox::enter(std::env::args_os().skip(2));
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    match runtime.block_on(run(std::env::args().skip(1).collect())) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("error[{}]: {}", fault.code(), fault.message());
            fault.causes().iter().for_each(|cause| eprintln!("  Caused by: {cause}"));
            fault.remedy().into_iter().for_each(|hint| eprintln!("hint: {hint}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Vec<String>) -> Result<ExitCode, Fault> {
    let (data, mut source) = (PathBuf::from(&args[0]), Source::parse(&args[1])?);
    let path = data.join("toolcrib.lock");
    let mut lock = Lock::load(&path)?;
    let name = source.suggested_name();
    let before = lock.servers.get(&name).cloned();
    let mut grants = before.as_ref().map(|before| before.grants.clone()).unwrap_or_default();
    let mut rest = args[2..].iter();
    let mut more = Vec::new();
    while let Some(arg) = rest.next() {
        let mut value = || rest.next().expect("a value").clone();
        match (arg.as_str(), &mut source) {
            ("--with", Source::Npm { more, .. } | Source::Pypi { more, .. }) => more.with.push(value()),
            ("--read", _) => grants.read.push(value().into()),
            ("--write", _) => grants.write.push(value().into()),
            ("--net", _) => grants.net = NetGrant::try_from(vec![value()]).expect("a host"),
            ("--", _) => more.extend(rest.by_ref().cloned()),
            other => panic!("{other:?}"),
        }
    }
    let options = PackagesOptions {
        data: data.clone(),
        env: std::env::vars_os().collect(),
        http: HttpClient::new(ClientOptions::default())?,
        policy: Policy::default(),
        trust: Trust::default(),
        build: crib_package::Build::default(),
        launcher: None,
    };
    let packages = Packages::new(options)?;
    let progress = Progress::new(|event| eprintln!("{event:?}"));
    let pulled = packages.pull(&source, before.as_ref(), &progress).await?;
    pulled.findings.iter().for_each(|finding| eprintln!("warning[{}]: {}", finding.kind, finding.message));
    if let Some(changes) = &pulled.changes {
        eprint!("{changes}");
    }
    let locked = Locked { grants, args: more, ..pulled.locked };
    lock.servers.insert(name.clone(), locked.clone());
    lock.save(&path)?;
    let clock = std::time::Instant::now();
    let start = packages.start(&locked)?;
    eprintln!("verified in {:?}", clock.elapsed());
    let egress = match &locked.grants.net {
        NetGrant::Hosts(rules) => Some(Egress::start(data.join("egress"), rules.clone(), |refused| eprintln!("refused: {refused:?}"))?),
        NetGrant::None | NetGrant::All => None,
    };
    let spec = start.confine(&locked, Vec::new(), egress.as_ref().map(Egress::socket))?;
    let launcher = std::env::current_exe().expect("this program");
    eprint!("{}", crib_sandbox::measure(&launcher, &spec)?);
    let launch = crib_sandbox::command(&launcher, &spec)?;
    let mut command = Command::new(launch.program);
    command.args(launch.args).env_clear().envs(launch.env);
    let status = tokio::task::spawn_blocking(move || command.status()).await.expect("no panic").expect("a launcher");
    Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}
