//! `toolcrib serve`: the gateway.

mod alone;
mod pages;
mod reload;
mod sockets;
mod wishes;

use std::net::SocketAddr;
use std::sync::Arc;

use crib_control::config::ListenOn;
use crib_control::{AccessLog, Compiled, Source, ToolNames};
use crib_model::{Code, Fault, Gateway, Scope};
use crib_transport::{Lanes, Routes, ServerOptions};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::inputs;
use crate::args::Serve;
use crate::background::{self, Registration};
use crate::config;
use crate::failure::{Exit, Failure};
use crate::instance::Instance;
use crate::output::Output;
use crate::runtime;
use crate::signals::{Signals, Wish};

pub(super) fn run(args: &Serve, output: &Output) -> Result<(), Failure> {
    ask(args, output)?;
    let compiled = match load(args, output) {
        Ok(compiled) => compiled,
        Err(failure) if args.check => return Err(failure.with_exit(Exit::Check)),
        Err(failure) => return Err(failure),
    };
    inputs::warn(&compiled, output);
    wishes::warn(&compiled, output);
    if args.started_by.is_some() {
        background::detach();
    }
    if args.check {
        return report(&compiled, output);
    }
    if args.stdio {
        // The one connection is there already.
        return runtime::on_all_cores(serve(args, compiled, Lanes::default(), output));
    }
    runtime::on_lanes(|lanes| serve(args, compiled, lanes, output))
}

/// Asks for what the files have a person asked for, where one sits here. What is read from a pipe is read once only.
fn ask(args: &Serve, output: &Output) -> Result<(), Failure> {
    let is_quiet = args.check || args.stdio || args.started_by.is_some() || alone::is_named(args);
    if is_quiet || !inputs::can_ask(output) || !args.config.iter().all(|file| file.is_file()) {
        return Ok(());
    }
    // What is wrong with them is said when they are read for good.
    let Ok(mut compiled) = config::again(&args.only, &args.config) else { return Ok(()) };
    if let Some(name) = &args.server {
        compiled.keep_only(name)?;
    }
    inputs::ask_all(&compiled.inputs, output)?;
    wishes::ask(&compiled, output)
}

/// The configuration with what the command line says on top.
fn load(args: &Serve, output: &Output) -> Result<Compiled, Failure> {
    let mut compiled = if alone::is_named(args) {
        alone::load(args, output)?
    } else {
        let flags = [("--header", !args.header.is_empty()), ("--env", !args.env.is_empty()), ("--name", args.name.is_some())];
        if let Some((flag, _)) = flags.iter().find(|(_, is_given)| *is_given) {
            return Err(Failure::usage(format!("{flag} goes with a URL or a command that is served alone"))
                .hint("toolcrib serve URL   or   toolcrib serve -- COMMAND"));
        }
        config::load_only(&args.only, &args.config, output)?
    };
    if args.stdio && is_typed(&args.listen) {
        return Err(Failure::usage("--listen goes with HTTP: with --stdio nothing listens").hint("leave one of them out"));
    }
    if !args.listen.is_empty() {
        let parsed: Result<Vec<ListenOn>, String> = args.listen.iter().map(|text| ListenOn::parse(text)).collect();
        let listen = parsed.map_err(|error| Failure::usage(format!("--listen: {error}")))?;
        compiled.listen = crib_control::config::Listen(listen).addresses();
        compiled.listen_at = None;
    }
    if let Some(name) = &args.server {
        compiled.keep_only(name)?;
        compiled.names = ToolNames::Plain;
    }
    if let Some(place) = &args.access_log {
        compiled.access_log = AccessLog::of(place);
    }
    compiled.files.extend(crate::pins::watched(&compiled));
    if !args.stdio {
        compiled.check_bind()?;
    }
    Ok(compiled)
}

/// Tells addresses of the command line from those that hold for every gateway.
fn is_typed(listen: &[String]) -> bool {
    let usual = crate::world::variable("TOOLCRIB_LISTEN").unwrap_or_default();
    !listen.is_empty() && !listen.iter().map(String::as_str).eq(usual.split(','))
}

async fn serve(args: &Serve, compiled: Compiled, lanes: Lanes, output: &Output) -> Result<(), Failure> {
    let mut signals = if args.stdio { Signals::new()? } else { Signals::serving()? };
    let instance = if is_own(args) { Instance::own(&compiled)? } else { Instance::new(&compiled)? };
    let ended = if args.stdio {
        on_stdio(&instance, &mut signals).await.map(|wish| (wish, None))
    } else {
        on_http(Job { args, compiled: &compiled, output }, lanes, &instance, &mut signals).await
    };
    let (wish, registration) = match ended {
        Ok(ended) => ended,
        Err(failure) => {
            instance.close().await;
            return Err(failure);
        }
    };
    // A second signal ends the wait: whoever sends it means it.
    tokio::select! {
        () = instance.close() => {}
        _ = signals.stop() => {}
    }
    // Whoever waits for the end waits for the servers too.
    drop(registration);
    if wish == Wish::Interrupt { Err(Failure::shown(Exit::Interrupted)) } else { Ok(()) }
}

/// Serves the program that started this one, until it goes.
async fn on_stdio(instance: &Instance, signals: &mut Signals) -> Result<Wish, Failure> {
    let shutdown = CancellationToken::new();
    let gateway = Arc::clone(&instance.plane) as Arc<dyn Gateway>;
    let serving = crib_transport::serve_stdio(gateway, Scope::All, shutdown.clone());
    tokio::pin!(serving);
    tokio::select! {
        () = &mut serving => Ok(Wish::Terminate),
        wish = signals.stop() => {
            shutdown.cancel();
            tokio::select! {
                () = &mut serving => {}
                _ = signals.stop() => {}
            }
            Ok(wish)
        }
    }
}

/// How serving ended, and what tells others that it has not.
type Ended = (Wish, Option<Registration>);

/// What was asked for, and where it is told how it goes.
#[derive(Clone, Copy)]
struct Job<'a> {
    args: &'a Serve,
    compiled: &'a Compiled,
    output: &'a Output,
}

async fn on_http(job: Job<'_>, lanes: Lanes, instance: &Instance, signals: &mut Signals) -> Result<Ended, Failure> {
    let Job { args, compiled, output } = job;
    let listen = compiled.listen.clone();
    let options = ServerOptions {
        listen: listen.clone(),
        allowed_hosts: compiled.allowed_hosts.clone(),
        allowed_origins: compiled.allowed_origins.clone(),
        body_bytes_max: compiled.limits.body_bytes_max,
        lanes,
        ..ServerOptions::default()
    };
    let server = crib_transport::bind(options).await.map_err(|fault| occupied(&listen, fault))?;
    let sockets = sockets::bind(compiled).await?;
    let mut registration = register(args, &server.local_addrs())?;
    announce(&server.local_addrs(), &sockets.addresses(), compiled, output)?;
    // One person's gateway: whoever asks what was called is the one who called.
    if registration.is_some() {
        instance.keep_calls(compiled);
        instance.forget_others(compiled);
    }
    let shutdown = CancellationToken::new();
    let gateway = Arc::clone(&instance.plane) as Arc<dyn Gateway>;
    let pages = pages::Pages::new(instance, compiled);
    let sockets = sockets.run(Arc::clone(&gateway), shutdown.clone());
    let serving = server.run(gateway, Arc::clone(&pages) as Arc<dyn Routes>, shutdown.clone());
    let serving = async { tokio::join!(serving, sockets) };
    tokio::pin!(serving);
    instance.join();
    instance.plane.warm();
    let mut reload = reload::Reload::new(args, compiled);
    let wish = loop {
        tokio::select! {
            _ = &mut serving => return Ok((Wish::Terminate, registration)),
            wish = signals.next() => match wish {
                Wish::Reload => {
                    instance.reopen_logs();
                    read_again(&mut reload, &mut registration, instance, &pages, output);
                }
                Wish::Interrupt | Wish::Terminate => break wish,
            },
            () = reload.changed() => read_again(&mut reload, &mut registration, instance, &pages, output),
        }
    };
    shutdown.cancel();
    tokio::select! {
        _ = &mut serving => {}
        _ = signals.stop() => {}
    }
    Ok((wish, registration))
}

/// Names the gateway that has the address, where it is the user's own.
fn occupied(listen: &[SocketAddr], fault: Fault) -> Failure {
    let own = background::find().filter(|_| fault.code() == Code::ListenRefused);
    let port = |url: &str| url.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let own = own.filter(|own| listen.iter().any(|address| Some(address.port()) == port(&own.url)));
    let failure = Failure::from(fault);
    let Some(own) = own else { return failure };
    let pid = own.pid;
    let (way, failure) = if own.is_background {
        ("toolcrib stop", failure.because(format!("your gateway in the background listens there (process {pid})")))
    } else {
        ("toolcrib stop --gateway", failure.because(format!("a gateway that you started by hand listens there (process {pid})")))
    };
    failure.hint(format!("end it: {way}   or choose another port: --listen 127.0.0.1:8666"))
}

/// Reads the configuration again, and tells whoever waits for it.
fn read_again(
    reload: &mut reload::Reload<'_>,
    registration: &mut Option<Registration>,
    instance: &Instance,
    pages: &pages::Pages,
    output: &Output,
) {
    let problem = reload.now(instance, pages, output).err();
    if let Some(why) = &problem {
        tracing::error!("the configuration stays as it was: {}", why.one_line());
    }
    if let Some(registration) = registration {
        registration.has_read(problem.as_ref());
    }
}

/// Tells whether it is the user's own configuration that is served, and the whole of it.
fn is_own(args: &Serve) -> bool {
    args.config.is_empty() && args.server.is_none() && args.only.is_empty() && !alone::is_named(args)
}

/// Lets other commands find the gateway that serves the user's own configuration.
fn register(args: &Serve, addresses: &[SocketAddr]) -> Result<Option<Registration>, Failure> {
    if !is_own(args) {
        return Ok(None);
    }
    let Some(address) = addresses.first() else { return Ok(None) };
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let url = format!("http://{address}");
    let gateway = background::Gateway {
        pid,
        url,
        version,
        is_background: args.started_by.is_some(),
        reads: 1,
        problem: None,
        code: None,
        remedy: None,
    };
    match Registration::new(gateway) {
        Ok(None) if args.started_by.is_some() => {
            Err(Failure::usage("another gateway serves your configuration already").hint("end it: toolcrib stop --gateway"))
        }
        // Without a home directory nobody looks for it.
        Err(failure) if args.started_by.is_none() => {
            tracing::info!("other commands cannot find this gateway: {}", failure.one_line());
            Ok(None)
        }
        other => other,
    }
}

#[derive(Serialize)]
struct Announcement<'a> {
    endpoints: Vec<String>,
    #[serde(rename = "webSocket", skip_serializing_if = "Vec::is_empty")]
    web_socket: Vec<String>,
    servers: Vec<&'a str>,
    keys: usize,
}

/// Says where the gateway is and what it serves.
fn announce(addresses: &[SocketAddr], sockets: &[SocketAddr], compiled: &Compiled, output: &Output) -> Result<(), Failure> {
    let endpoints: Vec<String> = addresses.iter().map(|address| format!("http://{address}/mcp")).collect();
    let web_socket: Vec<String> = sockets.iter().map(|address| format!("ws://{address}/mcp")).collect();
    if output.is_json {
        let servers = compiled.servers.iter().map(|server| server.slug.as_str()).collect();
        return output.document("serve", &Announcement { endpoints, web_socket, servers, keys: compiled.keys.len() });
    }
    let (first, others) = endpoints.split_first().map_or(("", &[][..]), |(first, others)| (first.as_str(), others));
    let others = [others, &web_socket].concat();
    let also = if others.is_empty() { String::new() } else { format!("   also {}", others.join("  ")) };
    output.say(&format!("serving  {first}{also}"));
    for server in compiled.servers.iter().take(20) {
        output.say(&format!("         {:<20} {}", server.slug.as_str(), describe(&server.source)));
    }
    if let Some(more) = compiled.servers.len().checked_sub(20).filter(|more| *more > 0) {
        output.say(&format!("         and {more} more"));
    }
    if compiled.servers.is_empty() {
        output.warn("the configuration has no servers");
    }
    let is_demo = compiled.servers.iter().any(|server| server.source == Source::Builtin(crib_control::config::Builtin::Demo));
    let attempt = if is_demo { "toolcrib call demo.add a=88 b=22" } else { "toolcrib list" };
    let port = addresses.first().map_or(0, SocketAddr::port);
    let is_usual = addresses.iter().any(|address| address.ip().is_loopback()) && port == crib_control::config::PORT;
    let place = if is_usual { String::new() } else { format!("   --url {}", first.trim_end_matches("/mcp")) };
    output.say(&format!("try      {attempt}{place}"));
    let url = if is_usual { String::new() } else { format!(" --url {}", first.trim_end_matches("/mcp")) };
    let key = if compiled.needs_key { " --key-env TOOLCRIB_KEY" } else { "" };
    output.say(&format!("connect  toolcrib connect{url}{key}"));
    Ok(())
}

/// A server's origin in one line, without what may be secret.
pub(crate) fn describe(source: &Source) -> String {
    match source {
        Source::Builtin(_) => "built in".to_owned(),
        Source::Package(package) => package.run.clone(),
        Source::Command { program, args, .. } => {
            let mut line = program.clone();
            for arg in args.iter().take(4) {
                line.push(' ');
                line.push_str(arg);
            }
            line.chars().take(80).collect()
        }
        Source::Url { url, .. } => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    servers: Vec<&'a str>,
    keys: usize,
    listen: &'a [SocketAddr],
    warnings: Vec<String>,
}

fn report(compiled: &Compiled, output: &Output) -> Result<(), Failure> {
    let (servers, keys) = (compiled.servers.len(), compiled.keys.len());
    if output.is_json {
        let servers = compiled.servers.iter().map(|server| server.slug.as_str()).collect();
        let warnings = compiled.warnings.iter().map(crib_control::Problem::summary).collect();
        return output.document("check", &Report { servers, keys, listen: &compiled.listen, warnings });
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    output.prose(&format!("the configuration is valid: {}, {}", count(servers, "server"), count(keys, "key")))
}
