//! `toolcrib doctor`: what is wrong on this machine, and what to do about it.

mod elsewhere;
mod mend;
mod packages;
mod rights;
mod runtimes;

use crib_control::{Compiled, Source};
use serde::Serialize;

use super::connect::{self, Standing, State, Task};
use super::show::sandbox;
use crate::args::{Connect, Doctor};
use crate::failure::{Exit, Failure};
use crate::gateway::{self, Running};
use crate::output::{Output, padded};
use crate::tongue::said;
use crate::{config, places, runtime, world};
use mend::Mend;

const GREEN: &str = "\x1b[32m";
const RED: &str = "\x1b[31m";
const RESET: &str = "\x1b[0m";

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    about: &'static str,
    state: Health,
    words: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// Whether `--fix` mends it.
    fixable: bool,
    #[serde(skip)]
    mend: Option<Mend>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Health {
    Good,
    Bad,
    /// Neither: something that is not there and need not be.
    Plain,
}

impl Finding {
    fn new(about: &'static str, state: Health, words: impl Into<String>) -> Self {
        Self { about, state, words: in_one_line(&words.into()), fix: None, fixable: false, mend: None }
    }

    fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(in_one_line(&fix.into()));
        self
    }

    fn of(self, client: &'static str) -> Self {
        self.mended_by(Mend::Client(client))
    }

    fn mended_by(mut self, mend: Mend) -> Self {
        self.fixable = true;
        self.mend = Some(mend);
        self
    }
}

/// Every finding has a line of the table: without the picture of a place in a file.
fn in_one_line(text: &str) -> String {
    let is_picture = |line: &&str| line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ').starts_with('|');
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty() && !is_picture(line)).map(str::trim).collect();
    lines.join("; ")
}

pub(super) fn run(args: &Doctor, output: &Output) -> Result<(), Failure> {
    let mut findings = examine(args, output)?;
    let mends: Vec<Mend> =
        findings.iter().filter(|finding| finding.state == Health::Bad).filter_map(|finding| finding.mend.clone()).collect();
    let mut mended = Vec::new();
    if args.fix && !mends.is_empty() {
        // What cannot be mended is told again by the second look.
        mended = mend::all(args, mends, output);
        if !mended.is_empty() {
            output.say(&format!("mended: {}", mended.join(", ")));
        }
        findings = examine(args, output)?;
    }
    show(&findings, &mended, output)
}

fn examine(args: &Doctor, output: &Output) -> Result<Vec<Finding>, Failure> {
    let connect = Connect::plain(Vec::new(), args.url.clone());
    let task = Task::new(&connect)?;
    let standing = connect::standing(&task)?;
    let key = world::variable("TOOLCRIB_KEY");
    let (running, alive) = runtime::on_all_cores(async {
        let running = gateway::look(&task.endpoint, key.as_deref()).await;
        let mut alive = Vec::new();
        for client in &standing {
            let url = client.target().filter(|target| target.starts_with("http://") || target.starts_with("https://"));
            alive.push(match url {
                Some(url) => gateway::look(&url, None).await.is_some(),
                None => false,
            });
        }
        Ok::<_, Failure>((running, alive))
    })?;
    let is_needed =
        args.url.is_some() || standing.iter().any(|client| matches!(client.state, State::Connected) && client.client.takes_urls());
    let mut findings = vec![gateway_finding(&task, running.as_ref(), is_needed)];
    let (configuration, compiled) = configuration(&task, output);
    findings.push(configuration);
    findings.extend(runtimes::look(&programs(compiled.as_ref()))?);
    findings.extend(rights::look(&task.own, compiled.as_ref(), &|path| places::shown(path, &task.places)));
    findings.push(sandbox_finding());
    let packages = compiled.as_ref().map(|compiled| packages::look(compiled, running.as_ref(), !args.no_start, output)).transpose()?;
    findings.extend(packages.into_iter().flatten());
    findings.extend(elsewhere::look());
    findings.extend(running.iter().flat_map(|running| servers(running, compiled.as_ref())));
    findings.extend(standing.iter().zip(alive).map(|(client, is_alive)| client_finding(client, is_alive)));
    Ok(findings)
}

fn gateway_finding(task: &Task<'_>, running: Option<&Running>, is_needed: bool) -> Finding {
    let url = task.endpoint.trim_end_matches("/mcp");
    match running {
        Some(Running { servers: Some(servers) }) => {
            let tools: usize = servers.iter().filter_map(|server| server.tools).sum();
            Finding::new("gateway", Health::Good, format!("{url}, {}, {}", count(servers.len(), "server"), count(tools, "tool")))
        }
        Some(Running { servers: None }) => Finding::new("gateway", Health::Good, format!("{url}, with keys (TOOLCRIB_KEY)")),
        None if is_needed => Finding::new("gateway", Health::Bad, format!("none runs at {url}")).fix("toolcrib serve"),
        None => Finding::new("gateway", Health::Plain, format!("none runs at {url}")),
    }
}

fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// The configuration that is used where none is named.
fn configuration(task: &Task<'_>, output: &Output) -> (Finding, Option<Compiled>) {
    let path = places::shown(&task.own.config, &task.places);
    if !config::is_own() {
        return (Finding::new("config", Health::Plain, format!("there is no {path}; the built-in server is used")), None);
    }
    match config::load(&[], output) {
        Ok(compiled) => {
            let words = format!("{path}, {}", count(compiled.servers.len(), "server"));
            (Finding::new("config", Health::Good, words), Some(compiled))
        }
        Err(failure) => {
            let fix = failure.remedy().unwrap_or("toolcrib serve --check").to_owned();
            (Finding::new("config", Health::Bad, failure.one_line()).fix(fix), None)
        }
    }
}

/// The programs that servers are started with.
fn programs(compiled: Option<&Compiled>) -> Vec<String> {
    let program = |source: &Source| if let Source::Command { program, .. } = source { Some(program.clone()) } else { None };
    compiled.into_iter().flat_map(|compiled| &compiled.servers).filter_map(|server| program(&server.source)).collect()
}

/// What of the sandbox holds on this machine.
fn sandbox_finding() -> Finding {
    let report = match sandbox::bare() {
        Ok(report) => report,
        Err(failure) => return Finding::new("sandbox", Health::Plain, format!("cannot be tried out: {}", failure.one_line())),
    };
    let all = report.iter().count();
    let gaps: Vec<String> = report.gaps().map(|(promise, holds)| format!("{promise}: {holds}")).collect();
    match gaps.as_slice() {
        [] => Finding::new("sandbox", Health::Good, format!("all {all} promises hold")),
        gaps => Finding::new("sandbox", Health::Plain, format!("{} of {all} promises hold; {}", all - gaps.len(), gaps.join("; "))),
    }
}

/// What the gateway says of servers that do not run; packages were tried out.
fn servers(running: &Running, compiled: Option<&Compiled>) -> Vec<Finding> {
    let is_package = |name: &str| {
        let mut servers = compiled.into_iter().flat_map(|compiled| &compiled.servers);
        servers.any(|server| server.slug.as_str() == name && matches!(server.source, Source::Package(_)))
    };
    let failed = running.servers.iter().flatten().filter_map(|server| Some((&server.name, server.error.as_ref()?)));
    let failed = failed.filter(|(name, _)| !is_package(name));
    let finding = |(name, why): (&String, &crib_control::Why)| {
        let finding = Finding::new("servers", Health::Bad, format!("{name}: {} {}", why.code, why.message));
        // The last line of a hint is what to type.
        let fix = why.hint.as_deref().and_then(|hint| hint.lines().last()).map(str::to_owned);
        finding.fix(fix.unwrap_or_else(|| format!("toolcrib show {name}   or, where nobody needs it: toolcrib rm {name}")))
    };
    failed.map(finding).collect()
}

fn client_finding(standing: &Standing, is_alive: bool) -> Finding {
    let (name, id) = (standing.client.name, standing.client.id);
    let good = |words: String| Finding::new("clients", Health::Good, format!("{name}: {words}"));
    let bad = |words: String| Finding::new("clients", Health::Bad, format!("{name}: {words}"));
    if let Some((program, is_there)) = standing.starts() {
        return if is_there {
            good(format!("starts {program}"))
        } else {
            bad(format!("starts {program}, which is not there")).fix(format!("toolcrib connect {id}")).of(id)
        };
    }
    match &standing.state {
        State::Connected => good("has its entry".to_owned()),
        State::Known(entry) => good(format!("has its entry, as \"{entry}\"")),
        State::Apart => Finding::new("clients", Health::Plain, format!("{name}: not connected")).fix(format!("toolcrib connect {id}")),
        State::Broken(failure) => bad(failure.one_line()).fix(format!("toolcrib connect {id}   shows the place")),
        State::Elsewhere(_) => {
            let target = standing.target().unwrap_or_default();
            if is_alive || !is_loopback(&target) {
                good(format!("leads to {target}"))
            } else {
                bad(format!("leads to {target}, where nothing answers")).fix(format!("toolcrib connect {id}")).of(id)
            }
        }
    }
}

/// A gateway on another machine may be away for a while; one on this machine is not.
fn is_loopback(url: &str) -> bool {
    ["//127.", "//localhost", "//[::1]"].iter().any(|host| url.contains(host))
}

fn show(findings: &[Finding], mended: &[String], output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Document<'a> {
        problems: usize,
        /// What `--fix` mended before this look.
        #[serde(skip_serializing_if = "<[String]>::is_empty")]
        mended: &'a [String],
        findings: &'a [Finding],
    }
    let problems = findings.iter().filter(|finding| finding.state == Health::Bad).count();
    if output.is_json {
        output.document("doctor", &Document { problems, mended, findings })?;
    } else {
        output.folded(&lines(findings))?;
        let mendable = findings.iter().filter(|finding| finding.state == Health::Bad && finding.fixable).count();
        let count = count(problems, "problem");
        match (problems, mendable) {
            (0, _) => output.say("\nno problems"),
            (_, 0) => output.say(&format!("\n{count}")),
            (all, mendable) if all == mendable => output.say(&format!("\n{count}, to be mended by: toolcrib doctor --fix")),
            (_, mendable) => output.say(&format!("\n{count}, {mendable} to be mended by: toolcrib doctor --fix")),
        }
    }
    if problems == 0 { Ok(()) } else { Err(Failure::shown(Exit::Check)) }
}

fn lines(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| crib_words::width(&said(&finding.words))).filter(|width| *width <= 70).max().unwrap_or(0);
    let line = |finding: &Finding| {
        let mark = match finding.state {
            Health::Good => format!("{GREEN}✓{RESET}"),
            Health::Bad => format!("{RED}✗{RESET}"),
            Health::Plain => "–".to_owned(),
        };
        let fix = finding.fix.as_ref().map(|fix| format!("   {}: {}", said("fix"), said(fix))).unwrap_or_default();
        let text = format!("  {mark}  {}  {}{fix}", padded(&said(finding.about), 9), padded(&said(&finding.words), width));
        format!("{}\n", text.trim_end())
    };
    findings.iter().map(line).collect()
}
