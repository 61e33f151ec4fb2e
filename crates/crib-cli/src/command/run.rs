//! `toolcrib run`: from a name to a server whose tools can be called.

pub(super) mod config;
mod elsewhere;
mod flags;
pub(super) mod grant;
mod keep;
mod package;
mod prompt;
mod ready;

use crib_clients::Value;
use crib_model::Code;
use crib_package::Source;

use super::call;
use crate::args::{Call, Run, Sandbox, Target};
use crate::background::{self, Gateway};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::shop;
use crate::signals::Signals;
use crate::{config as configurations, runtime, world};
use config::Configuration;
pub(super) use package::is_same_package;

/// A server that is to run.
struct Wanted {
    name: String,
    /// As the configuration has it.
    entry: Value,
    /// What people are told of its origin.
    origin: String,
}

pub(super) fn run(args: &Run, output: &Output) -> Result<(), Failure> {
    // What is said on the command line wins over what a file says.
    if let Some(odd) = args.env.iter().find(|text| text.is_empty() || text.starts_with('=')) {
        return Err(
            Failure::usage(format!("`{odd}` is not the name of a variable")).hint("write it NAME=VALUE, or NAME for your own value")
        );
    }
    let args = &Run { env: [flags::variables(args)?, args.env.clone()].concat(), ..args.clone() };
    // Docker's habit, `-v DIR:DIR`; servers do have tools with a slash in their names.
    if let Some(odd) = args.call.first().filter(|tool| tool.starts_with(['/', '.', '~']) || tool.contains(":/")) {
        let failure = Failure::usage(format!("`{odd}` is not the name of a tool"));
        return Err(failure.hint("grant a folder: --allow-read DIR   (or --allow-write DIR)"));
    }
    let mut configuration = Configuration::read()?;
    let (name, gateway) = runtime::on_all_cores(async {
        if let Some(gateway) = elsewhere::find(args).await? {
            let name = args.server.clone().unwrap_or_default();
            let wanted = Wanted { origin: format!("of the gateway at {}", gateway.url), name, entry: Value::Null };
            ready::show(&wanted, args, &gateway, output).await?;
            if args.interactive {
                prompt::lead(&wanted.name, args, &gateway, output).await?;
            }
            return Ok((wanted.name, gateway));
        }
        let mut wanted = want(args, &configuration, output).await?;
        keep::settle(args, &mut wanted, &configuration)?;
        flags::settle(args, &mut wanted)?;
        // A download takes its time: what others have written meanwhile stays.
        configuration = configuration.renewed(&wanted.name).await?;
        let is_new = configuration.servers()?.iter().all(|(known, _)| *known != wanted.name);
        // From here on an interrupt ends nothing by itself: what is written may have to be taken back.
        let mut signals = Signals::new()?;
        if configuration.put(&wanted.name, &wanted.entry)? {
            output.say(&format!("written  {}", configuration.shown()));
        }
        configuration.release();
        let gateway = gateway(output).await?;
        let shown = tokio::select! {
            shown = Box::pin(ready::show(&wanted, args, &gateway, output)) => shown,
            _ = signals.stop() => Err(Failure::shown(Exit::Interrupted)),
        };
        if let Err(failure) = shown {
            return Err(if is_new { take_back(&wanted, failure, &gateway, output).await } else { failure });
        }
        if args.interactive {
            prompt::lead(&wanted.name, args, &gateway, output).await?;
        }
        Ok((wanted.name, gateway))
    })?;
    let Some((tool, arguments)) = args.call.split_first() else { return Ok(()) };
    let name = format!("{}.{tool}", slug(&name));
    let target = target(args, &gateway);
    let call = Call { name, arguments: arguments.to_vec(), args: None, raw: false, save: None, ignore_tool_error: false, target };
    call::run(&call, output)
}

/// A new server that could not be started once is not left for the gateway to try again and again. A package stays, as its
/// arguments, grants and hints build on it, unless its user has had enough.
async fn take_back(wanted: &Wanted, failure: Failure, gateway: &Gateway, output: &Output) -> Failure {
    let is_interrupted = failure.exit() == Exit::Interrupted;
    // It is there, and wants a key or a moment more.
    if !is_interrupted && (failure.exit() != Exit::Unreachable || failure.code() == Some(Code::DeadlineExceeded)) {
        return failure;
    }
    let removal = format!("remove it: toolcrib rm {}", wanted.name);
    if wanted.entry.member("run").is_some() && !is_interrupted {
        let hint = failure.remedy().map_or_else(|| removal.clone(), |hint| format!("{hint}\n{removal}"));
        return failure.hint(hint);
    }
    // Others may have written to the file since.
    let removed = Configuration::read().and_then(|mut now| now.remove(&wanted.name).map(|is_removed| is_removed.then(|| now.shown())));
    match removed {
        Ok(Some(shown)) => output.say(&format!("taken back  {shown}")),
        Ok(None) | Err(_) => {
            if is_interrupted {
                output.say(&removal);
            }
            return failure.hint(removal);
        }
    }
    if let Err(reload) = background::reload(gateway).await {
        output.warn(&reload.one_line());
    }
    failure
}

/// Has a gateway serve what the configuration says now.
async fn gateway(output: &Output) -> Result<Gateway, Failure> {
    if let Some(gateway) = background::find() {
        background::reload(&gateway).await?;
        return Ok(gateway);
    }
    let gateway = background::start().await?;
    output.say(&format!("gateway  {} in the background   (toolcrib stop)", gateway.url));
    Ok(gateway)
}

fn target(args: &Run, gateway: &Gateway) -> Target {
    Target {
        config: Vec::new(),
        only: Vec::new(),
        url: Some(gateway.url.clone()),
        key: world::variable("TOOLCRIB_KEY"),
        timeout: args.timeout,
    }
}

/// Returns the name the gateway serves a server under.
pub(super) fn slug(name: &str) -> crib_model::Slug {
    crib_model::Slug::parse(name).unwrap_or_else(|| crib_model::Slug::from_name(name))
}

/// Gets a package, has it granted what it is told of, and returns what the configuration says of it.
pub(super) async fn confined(args: &Run, source: &str, output: &Output) -> Result<Value, Failure> {
    let nothing = |_: &str| None;
    Box::pin(package::as_given(args, source, &nothing, output)).await.map(|wanted| wanted.entry)
}

async fn want(args: &Run, configuration: &Configuration, output: &Output) -> Result<Wanted, Failure> {
    let servers = configuration.servers()?;
    let known = |name: &str| servers.iter().find(|(known, _)| known == name).map(|(_, entry)| entry);
    let Some(text) = args.server.as_deref() else { return command(args, &known) };
    let is_package = |entry: &Value| entry.member("run").is_some();
    // A server that is there already, and is no package, has nothing to be found out.
    if let Some(entry) = known(text).filter(|entry| !is_package(entry)) {
        refuse_package_flags(args, text)?;
        return Ok(Wanted { name: text.to_owned(), entry: entry.clone(), origin: origin(entry) });
    }
    if matches!(text, "demo" | "builtin:demo" | "catalogue" | "builtin:catalogue") {
        refuse_package_flags(args, text)?;
        let builtin = text.trim_start_matches("builtin:");
        let name = args.name.clone().unwrap_or_else(|| builtin.to_owned());
        let entry = Value::map([("builtin", Value::text(builtin))]);
        return checked(Wanted { name, entry, origin: "built in".to_owned() }, &known);
    }
    if text.starts_with("http")
        && let Source::Url(url) = shop::source(text, &[])?
    {
        refuse_package_flags(args, text)?;
        reachable(&url)?;
        let name = args.name.clone().unwrap_or_else(|| Source::Url(url.clone()).suggested_name());
        let entry = Value::map([("url", Value::text(&url))]);
        return checked(Wanted { name, entry, origin: url }, &known);
    }
    package::package(args, text, &known, output).await
}

/// Refuses addresses that no server has.
fn reachable(url: &str) -> Result<(), Failure> {
    let place = |url: &str| {
        let uri = url.parse::<http::Uri>().ok()?;
        let host = uri.host()?.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let host = if host == "localhost" || host == "::1" { "127.0.0.1".to_owned() } else { host };
        Some((host, uri.port_u16().unwrap_or_else(|| if uri.scheme_str() == Some("https") { 443 } else { 80 })))
    };
    let wanted = place(url);
    if let Some(guarded) = wanted.as_ref().and_then(|(host, _)| crib_model::guarded_host(host)) {
        let host = wanted.map(|(host, _)| host).unwrap_or_default();
        let message = format!("`{host}` is {guarded}");
        let failure = Failure::coded(Code::ConfigInvalid, message);
        return Err(failure.hint("if this server is really there, say so in the configuration: allowLinkLocal: true"));
    }
    if background::find().is_some_and(|own| place(&own.url) == wanted) {
        return Err(Failure::usage("this is the gateway itself").hint("toolcrib list"));
    }
    configurations::check_address(url)
}

/// A command of this machine.
fn command<'a>(args: &Run, known: &impl Fn(&str) -> Option<&'a Value>) -> Result<Wanted, Failure> {
    let Some((program, rest)) = args.more.split_first() else { return Err(Failure::usage("there is no command after `--`")) };
    let is_confined = !args.allow.allow_read.is_empty()
        || !args.allow.allow_write.is_empty()
        || !args.allow.allow_net.is_empty()
        || args.allow.sandbox.is_some_and(|sandbox| sandbox != Sandbox::None);
    if is_confined || !args.fetch.with.is_empty() {
        return Err(Failure::usage("a command of this machine is not confined, so nothing can be granted to it"));
    }
    let source = Source::command(program, rest.to_vec());
    let name = args.name.clone().unwrap_or_else(|| source.suggested_name());
    let mut members = vec![("command".to_owned(), Value::text(program))];
    if !rest.is_empty() {
        members.push(("args".to_owned(), Value::texts(rest.iter().cloned())));
    }
    let env: Vec<(String, Value)> = args
        .env
        .iter()
        .map(|text| match text.split_once('=') {
            Some((name, value)) => (name.to_owned(), Value::text(value)),
            None => (text.clone(), Value::text(format!("${{env:{text}}}"))),
        })
        .collect();
    if !env.is_empty() {
        members.push(("env".to_owned(), Value::Map(env)));
    }
    checked(Wanted { name, entry: Value::Map(members), origin: source.to_string() }, known)
}

/// Refuses to take the name of another server, and keeps what the configuration says of the same one.
fn checked<'a>(mut wanted: Wanted, known: &impl Fn(&str) -> Option<&'a Value>) -> Result<Wanted, Failure> {
    let Some(entry) = known(&wanted.name) else { return Ok(wanted) };
    // A program with other arguments is another server: that of `npx` is what it is told to start.
    if ["run", "command", "args", "url", "builtin"].iter().any(|way| entry.member(way) != wanted.entry.member(way)) {
        return Err(taken(&wanted.name, entry));
    }
    wanted.entry = merged(entry, &wanted.entry);
    Ok(wanted)
}

/// Returns `before` with the members of `now`; maps, such as `env`, member by member.
fn merged(before: &Value, now: &Value) -> Value {
    let (Value::Map(before), Value::Map(now)) = (before, now) else { return now.clone() };
    let mut members = before.clone();
    for (name, value) in now {
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = merged(known, value),
            None => members.push((name.clone(), value.clone())),
        }
    }
    Value::Map(members)
}

fn taken(name: &str, entry: &Value) -> Failure {
    let message = format!("there is another server called `{name}`: {}", origin(entry));
    Failure::usage(message).hint(format!("give this one a name: --name NAME   or remove the other: toolcrib rm {name}"))
}

/// Returns where a server of the configuration comes from.
fn origin(entry: &Value) -> String {
    let text = |way: &&str| entry.member(way).and_then(Value::as_text).map(str::to_owned);
    let mut origin = ["run", "command", "url", "builtin"].iter().find_map(text).unwrap_or_default();
    if let Some(Value::List(args)) = entry.member("args") {
        for arg in args.iter().filter_map(Value::as_text) {
            origin.extend([" ", arg]);
        }
    }
    origin
}

fn refuse_package_flags(args: &Run, text: &str) -> Result<(), Failure> {
    let allow = &args.allow;
    // What a registry lists may run elsewhere.
    let is_listed = args.server.as_deref().is_some_and(|server| server.contains('/') && !server.contains("://"));
    let flags = [
        ("--allow-read", !allow.allow_read.is_empty()),
        ("--allow-write", !allow.allow_write.is_empty()),
        ("--allow-net", !allow.allow_net.is_empty()),
        ("--revoke", !allow.revoke.is_empty()),
        ("--kind", args.fetch.kind.is_some() && !is_listed),
        ("--sandbox", allow.sandbox.is_some()),
        ("--with", !args.fetch.with.is_empty()),
        ("--build", !args.fetch.build.is_empty()),
        ("--env", !args.env.is_empty()),
        ("-- ARGS", !args.more.is_empty()),
    ];
    match flags.iter().find(|(_, is_given)| *is_given) {
        Some((flag, _)) => Err(Failure::usage(format!("{flag} goes with a package, and `{text}` is none"))),
        None => Ok(()),
    }
}
