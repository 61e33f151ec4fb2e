//! What a server may have: from flags, or asked for once, and kept in the lockfile.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use crib_package::{Engine, Entry, Grants, Locked, NetGrant, Owner};
use crib_sandbox::HostRule;

use crate::args::{Run, Sandbox};
use crate::asked;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::shop::{self, Shop};
use crate::unconfined;

/// What is known when grants are settled.
pub(super) struct Case<'a> {
    pub(super) args: &'a Run,
    pub(super) shop: &'a Shop,
    /// The server.
    pub(super) name: &'a str,
    /// What it is told of, and may be a file or folder.
    pub(super) places: &'a [String],
    /// Hosts it is told of.
    pub(super) hosts: &'a [String],
    /// A folder of its own.
    pub(super) kept: Option<PathBuf>,
    pub(super) is_first: bool,
    /// Whether the configuration says what it may have.
    pub(super) has_own_grants: bool,
}

/// Makes arguments that name something of this directory absolute: the server starts elsewhere.
pub(crate) fn arguments(more: &[String]) -> Vec<String> {
    let is_place = |text: &str| matches!(text, "." | "..") || (text.contains('/') && !text.contains("://") && Path::new(text).exists());
    let absolute = |text: &String| Path::new(text).canonicalize().map_or_else(|_gone| text.clone(), |path| path.display().to_string());
    more.iter().map(|text| if is_place(text) { absolute(text) } else { text.clone() }).collect()
}

/// Adds what is granted now, and keeps it.
pub(super) fn settle(case: &Case<'_>, locked: Locked, output: &Output) -> Result<Locked, Failure> {
    let Case { args, shop, name, .. } = *case;
    let mut grants = locked.grants.clone();
    for what in &args.allow.revoke {
        revoke(what, name, &mut grants)?;
    }
    flags(args, &mut grants)?;
    if grants.engine == Engine::Container && !matches!(locked.entry, Entry::Image(_)) {
        return Err(Failure::usage(format!("`{name}` is no image, and containers are made of images")).hint("leave --sandbox out"));
    }
    if let Some(kept) = case.kept.as_ref().filter(|_| !case.has_own_grants) {
        add(&mut grants.write, kept.clone());
    }
    if case.has_own_grants && grants != locked.grants {
        return Err(Failure::usage(format!("the configuration says what `{name}` may have")).hint("change `sandbox` there, or remove it"));
    }
    if let Some(why) = unconfined::why().filter(|_| !grants.unconfined && grants.engine != Engine::Container) {
        agree(args, name, why, output)?;
        grants.unconfined = true;
    }
    if !case.has_own_grants {
        wish(case, &mut grants, output)?;
    }
    shop::keep_apart(&grants)?;
    if case.is_first || grants != locked.grants {
        for line in grants.to_string().lines() {
            output.say(&format!("sandbox  {line}"));
        }
    }
    if grants == locked.grants {
        return Ok(locked);
    }
    let locked = Locked { grants, ..locked };
    shop.keep(&Owner::Own, name, &locked)?;
    Ok(locked)
}

/// Adds what the server is told of, if its user agrees.
fn wish(case: &Case<'_>, grants: &mut Grants, output: &Output) -> Result<(), Failure> {
    let Case { args, name, .. } = *case;
    let places: Vec<PathBuf> = case.places.iter().map(PathBuf::from).filter(|path| path.is_absolute() && path.exists()).collect();
    let is_open = |path: &PathBuf| {
        let alone = Grants { read: vec![path.clone()], ..Grants::default() };
        let refused = shop::keep_apart(&alone).err().map(|fault| fault.message().to_owned());
        let why = refused.or_else(|| path.parent().is_none().then(|| "the root directory cannot be granted".to_owned()));
        why.inspect(|why| output.warn(&format!("`{name}` is told of {}: {why}", path.display()))).is_none()
    };
    let missing: Vec<PathBuf> = places.into_iter().filter(|path| !is_granted(path, grants)).filter(is_open).collect();
    if !missing.is_empty() {
        match consent(args, name, &missing, output)? {
            Answer::Write => grants.write.extend(missing),
            Answer::Read => grants.read.extend(missing),
            Answer::No => {}
        }
    }
    let known = Vec::from(grants.net.clone());
    let is_far = |host: &&String| !known.iter().any(|rule| rule == *host || rule == "*");
    let far: Vec<String> = case.hosts.iter().filter(is_far).cloned().collect();
    if !far.is_empty() && reach(args, name, &far, output)? {
        let hosts = known.into_iter().chain(far).collect::<Vec<_>>();
        grants.net = NetGrant::try_from(hosts).map_err(|why| Failure::usage(format!("--allow-net: {why}")))?;
    }
    Ok(())
}

/// Returns the hosts of the web addresses in these texts, as grants have them.
pub(super) fn hosts<T: AsRef<str>>(texts: impl Iterator<Item = T>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let starts = ["http://", "https://"].into_iter().filter_map(|scheme| text.as_ref().split_once(scheme).map(|(_, rest)| rest));
        for rest in starts {
            let authority = rest.split(|c: char| matches!(c, '/' | '?' | '#' | ',' | '"' | '\'' | '$') || c.is_whitespace()).next();
            let host = authority.map(|authority| authority.rsplit('@').next().unwrap_or(authority).to_ascii_lowercase());
            let rule = host.filter(|host| !host.is_empty()).and_then(|host| host.parse::<HostRule>().ok());
            found.extend(rule.map(|rule| rule.to_string()).filter(|host| !found.contains(host)));
        }
    }
    found
}

/// Asks whether it may run without a sandbox.
fn agree(args: &Run, name: &str, why: &str, output: &Output) -> Result<(), Failure> {
    if args.yes || args.allow.sandbox == Some(Sandbox::None) {
        return Ok(());
    }
    let refused = || Failure::from(unconfined::refused(name, why)).with_exit(Exit::Authentication);
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(refused());
    }
    output.warn(&format!("there is no sandbox for `{name}` here: it can read and change your files, and use the network, as you can"));
    output.ask("Run it all the same? [y/N] ");
    if is_yes(&answer()?) { Ok(()) } else { Err(refused()) }
}

/// Reads what is typed.
pub(in crate::command) fn answer() -> Result<String, Failure> {
    Ok(asked::line()?.trim().to_lowercase())
}

pub(in crate::command) fn is_yes(answer: &str) -> bool {
    matches!(answer, "y" | "yes" | "j" | "ja" | "是" | "好")
}

/// Asks for the hosts that the server is told of.
fn reach(args: &Run, name: &str, hosts: &[String], output: &Output) -> Result<bool, Failure> {
    if args.yes {
        return Ok(true);
    }
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let flags: Vec<String> = hosts.iter().map(|host| format!("--allow-net {host}")).collect();
        output.warn(&format!("`{name}` is told of {} and may not go there; grant it: {}", hosts.join(", "), flags.join(" ")));
        return Ok(false);
    }
    output.ask(&format!("`{name}` is told of {}. May it reach that over the network? [y/N] ", hosts.join(", ")));
    Ok(is_yes(&answer()?))
}

/// Takes back what was granted: everything by the name of what it is.
fn revoke(what: &str, name: &str, grants: &mut Grants) -> Result<(), Failure> {
    let mut hosts = Vec::from(grants.net.clone());
    if what == "all" {
        *grants = Grants { engine: grants.engine, unconfined: grants.unconfined, ..Grants::default() };
        return Ok(());
    }
    let typed = std::path::absolute(what).unwrap_or_else(|_| PathBuf::from(what));
    // What is gone by now is still granted.
    let path = typed.canonicalize().unwrap_or(typed);
    let before = [grants.read.len() + grants.write.len(), hosts.len(), grants.env.len()];
    grants.read.retain(|granted| *granted != path);
    grants.write.retain(|granted| *granted != path);
    hosts.retain(|host| host != what);
    grants.env.retain(|variable| variable != what);
    if before == [grants.read.len() + grants.write.len(), hosts.len(), grants.env.len()] {
        let paths = grants.read.iter().chain(&grants.write).map(|path| path.display().to_string());
        let granted: Vec<String> = paths.chain(hosts).chain(grants.env.iter().cloned()).collect();
        let hint = if granted.is_empty() { "nothing is granted to it".to_owned() } else { format!("granted: {}", granted.join(", ")) };
        return Err(Failure::usage(format!("`{what}` is not granted to `{name}`")).hint(hint));
    }
    grants.net = NetGrant::try_from(hosts).map_err(Failure::usage)?;
    Ok(())
}

fn flags(args: &Run, grants: &mut Grants) -> Result<(), Failure> {
    let place = |path: &PathBuf| {
        let why = |error: std::io::Error| Failure::usage(format!("`{}` cannot be granted", path.display())).because(error.to_string());
        let path = path.canonicalize().map_err(why)?;
        if path.parent().is_none() { Err(Failure::usage("the root directory cannot be granted")) } else { Ok(path) }
    };
    for path in &args.allow.allow_read {
        add(&mut grants.read, place(path)?);
    }
    for path in &args.allow.allow_write {
        add(&mut grants.write, place(path)?);
    }
    if !args.allow.allow_net.is_empty() {
        let mut hosts: Vec<String> = if args.allow.allow_net.iter().any(|host| host == "*") {
            vec!["*".to_owned()]
        } else {
            Vec::from(grants.net.clone()).into_iter().chain(args.allow.allow_net.iter().cloned()).collect()
        };
        if hosts.iter().any(|host| host == "*") {
            hosts = vec!["*".to_owned()];
        }
        hosts.dedup();
        grants.net = NetGrant::try_from(hosts).map_err(|why| Failure::usage(format!("--allow-net: {why}")))?;
    }
    for name in args.env.iter().filter(|text| !text.contains('=')) {
        add(&mut grants.env, name.clone());
    }
    match args.allow.sandbox {
        None => {}
        Some(Sandbox::Process) => grants.engine = Engine::Process,
        Some(Sandbox::Container) => grants.engine = Engine::Container,
        // Whoever says so has agreed, where there is none.
        Some(Sandbox::None) if unconfined::why().is_some() => {}
        Some(Sandbox::None) => {
            let hint = "a command of this machine is not confined: toolcrib run -- COMMAND";
            return Err(Failure::usage("what comes from a package is always confined").hint(hint));
        }
    }
    Ok(())
}

fn add<T: PartialEq>(list: &mut Vec<T>, one: T) {
    if !list.contains(&one) {
        list.push(one);
    }
}

pub(in crate::command) fn is_granted(path: &Path, grants: &Grants) -> bool {
    crib_sandbox::is_shown(path) || grants.read.iter().chain(&grants.write).any(|granted| path.starts_with(granted))
}

enum Answer {
    Write,
    Read,
    No,
}

/// Asks for the places that stand in the arguments.
fn consent(args: &Run, name: &str, missing: &[PathBuf], output: &Output) -> Result<Answer, Failure> {
    if args.yes {
        return Ok(Answer::Write);
    }
    let places: Vec<String> = missing.iter().map(|path| path.display().to_string()).collect();
    if !output.can_ask() || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let flags: Vec<String> = places.iter().map(|path| format!("--allow-write {path}")).collect();
        output.warn(&format!("`{name}` is told of {} and may not look there; grant it: {}", places.join(", "), flags.join(" ")));
        return Ok(Answer::No);
    }
    output.ask(&format!("`{name}` is told of {}. May it read and write there? [w = read and write, r = read only, N] ", places.join(", ")));
    Ok(match answer()?.as_str() {
        "r" | "read" => Answer::Read,
        yes if yes == "w" || is_yes(yes) => Answer::Write,
        _ => Answer::No,
    })
}
