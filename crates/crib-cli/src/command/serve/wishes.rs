//! What catalogues would have their servers granted: asked for once, at a terminal, and kept in the lockfile.

use std::path::{Path, PathBuf};

use crib_control::config::Wishes;
use crib_control::{Compiled, CompiledServer, Source as Way};
use crib_package::{Grants, Lock, Locked, NetGrant, Owner, Source};
use crib_sandbox::HostRule;

use crate::command::pull::{Wish, pull_for};
use crate::command::run::grant::{answer, is_granted, is_yes};
use crate::failure::Failure;
use crate::instance::package::source;
use crate::output::Output;
use crate::shop::{self, Believed, Shop};
use crate::{places, runtime};

/// A server with wishes that nobody has answered.
struct Case<'a> {
    server: &'a CompiledServer,
    owner: Owner,
    source: Source,
    /// What is locked for it, if it was pulled.
    locked: Option<Locked>,
    hosts: Vec<String>,
    read: Vec<PathBuf>,
    write: Vec<PathBuf>,
}

/// Asks for what no server was granted or denied yet, and keeps the answers.
pub(super) fn ask(compiled: &Compiled, output: &Output) -> Result<(), Failure> {
    let cases = cases(compiled);
    if cases.is_empty() {
        return Ok(());
    }
    let believed = Believed::of(&compiled.packages)?;
    runtime::on_all_cores(async {
        let shop = Shop::open(believed)?;
        for case in cases {
            let before = case.locked.as_ref().map(|locked| locked.grants.clone()).unwrap_or_default();
            let mut grants = before.clone();
            case.settle(&mut grants, output)?;
            if grants == before {
                continue;
            }
            let locked = match case.locked.clone() {
                Some(locked) => locked,
                None => {
                    let wish = Wish { name: case.server.name.clone(), source: case.source.clone(), listing: None };
                    match pull_for(&shop, &case.owner, &wish, output).await {
                        Ok(pulled) => pulled.locked,
                        // It is tried again at its first call; nobody has to answer twice for what never came.
                        Err(failure) => {
                            output.warn(&failure.one_line());
                            continue;
                        }
                    }
                }
            };
            shop::keep_apart(&grants)?;
            for line in grants.to_string().lines() {
                output.say(&format!("sandbox  {line}"));
            }
            shop.keep(&case.owner, &case.server.name, &Locked { grants, ..locked })?;
        }
        Ok(())
    })
}

/// Says of servers with wishes that nobody could be asked about what they do not have, and what gives it to them.
pub(super) fn warn(compiled: &Compiled, output: &Output) {
    for case in cases(compiled) {
        let file = case.file();
        let name = case.server.name.escape_debug();
        output.warn(&format!(
            "{file} would have `{name}` granted {}, and nobody has agreed; it asks at a terminal: toolcrib serve -c {file} --only {name}",
            case.all().join(", ")
        ));
    }
}

fn cases(compiled: &Compiled) -> Vec<Case<'_>> {
    let wishing: Vec<&CompiledServer> = compiled.servers.iter().filter(|server| !server.wishes.is_empty()).collect();
    if wishing.is_empty() {
        return Vec::new();
    }
    let lock = shop::data().and_then(|data| shop::lock(&data)).unwrap_or_default();
    wishing.into_iter().filter_map(|server| Case::of(server, &lock)).filter(|case| !case.all().is_empty()).collect()
}

impl<'a> Case<'a> {
    fn of(server: &'a CompiledServer, lock: &Lock) -> Option<Self> {
        let Way::Package(package) = &server.source else { return None };
        let (owner, source) = (shop::owner(server), source(package).ok()?);
        let locked = lock.get(&owner, &server.name).filter(|locked| shop::is_of(locked, &source)).cloned();
        let grants = locked.as_ref().map(|locked| locked.grants.clone()).unwrap_or_default();
        let Wishes { hosts, read, write } = &server.wishes;
        let is_open = |text: &String| !grants.declined.contains(text);
        let known = Vec::from(grants.net.clone());
        let host = |text: &String| match text.as_str() {
            "*" => Some(text.clone()),
            _ => text.parse::<HostRule>().ok().map(|rule| rule.to_string()),
        };
        let hosts = hosts.iter().filter_map(host).filter(is_open).filter(|host| !known.iter().any(|rule| rule == host || rule == "*"));
        let places = |list: &[String]| -> Vec<PathBuf> {
            let real = list.iter().filter_map(|text| place(text)).filter(|path| is_open(&path.display().to_string()));
            real.filter(|path| !is_granted(path, &grants)).collect()
        };
        Some(Self { server, owner, source, hosts: hosts.collect(), read: places(read), write: places(write), locked })
    }

    /// Everything it wishes, in one list.
    fn all(&self) -> Vec<String> {
        let places = self.write.iter().chain(&self.read).map(|path| path.display().to_string());
        self.hosts.iter().map(|host| shown_host(host).to_owned()).chain(places).collect()
    }

    /// The file as people would name it.
    fn file(&self) -> String {
        let file = self.server.file.clone().unwrap_or_default();
        let name = std::env::current_dir().ok().and_then(|folder| file.strip_prefix(folder).ok().map(Path::to_owned));
        let shown = |path: &PathBuf| places::places().map_or_else(|_homeless| path.display().to_string(), |all| places::shown(path, &all));
        name.map_or_else(|| shown(&file), |name| name.display().to_string())
    }

    /// Asks for one kind after the other.
    fn settle(&self, grants: &mut Grants, output: &Output) -> Result<(), Failure> {
        // The name is a stranger's, and might say more than a name; this is what is left of it.
        let (file, name) = (self.file(), &self.server.slug);
        let is_open = |path: &&PathBuf| {
            let refused = shop::keep_apart(&Grants { write: vec![(*path).clone()], ..Grants::default() });
            let why = refused.err().map(|fault| fault.message().to_owned());
            let why = why.or_else(|| path.parent().is_none().then(|| "the root directory cannot be granted".to_owned()));
            why.inspect(|why| output.warn(&format!("{file} would have `{name}` granted {}: {why}", path.display()))).is_none()
        };
        if !self.hosts.is_empty() {
            let hosts = self.hosts.iter().map(|host| shown_host(host)).collect::<Vec<_>>().join(", ");
            output.ask(&format!("{file} would have `{name}` granted {hosts}. May it reach that over the network? [y/N] "));
            if is_yes(&answer()?) {
                let all = Vec::from(grants.net.clone()).into_iter().chain(self.hosts.iter().cloned()).collect::<Vec<_>>();
                let all = if all.iter().any(|host| host == "*") { vec!["*".to_owned()] } else { all };
                grants.net = NetGrant::try_from(all).map_err(Failure::usage)?;
            } else {
                grants.declined.extend(self.hosts.iter().cloned());
            }
        }
        let shown = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        let write: Vec<PathBuf> = self.write.iter().filter(is_open).cloned().collect();
        if !write.is_empty() {
            let places = shown(&write).join(", ");
            output.ask(&format!(
                "{file} would have `{name}` granted {places}. May it read and write there? [w = read and write, r = read only, N] "
            ));
            match answer()?.as_str() {
                "r" | "read" => grants.read.extend(write),
                yes if yes == "w" || is_yes(yes) => grants.write.extend(write),
                _ => grants.declined.extend(shown(&write)),
            }
        }
        let read: Vec<PathBuf> = self.read.iter().filter(is_open).cloned().collect();
        if !read.is_empty() {
            let places = shown(&read).join(", ");
            output.ask(&format!("{file} would have `{name}` granted {places}. May it read there? [y/N] "));
            if is_yes(&answer()?) {
                grants.read.extend(read);
            } else {
                grants.declined.extend(shown(&read));
            }
        }
        Ok(())
    }
}

fn shown_host(host: &str) -> &str {
    if host == "*" { "every host" } else { host }
}

/// A place on this machine; what is not there cannot be granted.
fn place(text: &str) -> Option<PathBuf> {
    let path = match text.strip_prefix("~/") {
        Some(rest) => places::places().ok()?.home.join(rest),
        None => PathBuf::from(text),
    };
    path.is_absolute().then(|| path.canonicalize().ok()).flatten()
}
