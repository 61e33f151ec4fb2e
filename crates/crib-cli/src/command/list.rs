//! `toolcrib list`: the servers and how they are.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use crib_control::{CompiledServer, ServerRow, Servers, Source, Why};
use crib_model::Code;

use super::search::Graded;
use super::serve;
use crate::args::{List, Target};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::instance::package::apart;
use crate::output::Output;
use crate::signals::Signals;
use crate::table::{self, Narrow, Shorten};
use crate::tongue::{said, word};
use crate::{amount, config, runtime, shop};

/// How often a list that is watched is written anew.
const LOOK: Duration = Duration::from_secs(1);
/// Takes a terminal to its first place, and away what stands there; what was said before stays.
const CLEAR: &str = "\x1b[H\x1b[J";

pub(super) fn run(args: &List, output: &Output) -> Result<(), Failure> {
    runtime::on_all_cores(async {
        // What is not running is not started to be shown.
        let client = if args.is_running_only && args.target.config.is_empty() {
            match Client::running_if_any(&args.target).await? {
                Some(client) => client,
                None => return nothing(args, output),
            }
        } else {
            Client::connect(&args.target, None, output).await?
        };
        let origins = Origins::read(&args.target);
        let result = if args.rows.watch { watch(args, client, &origins, output).await } else { once(args, client, &origins, output).await };
        // Whoever watches ends it like this.
        if matches!(&result, Err(failure) if args.rows.watch && failure.exit() == Exit::Interrupted) { Ok(()) } else { result }
    })
}

async fn once(args: &List, client: Client, origins: &Origins, output: &Output) -> Result<(), Failure> {
    let found = look(args, &client).await;
    client.close().await;
    let (mut found, others) = found?;
    origins.tell(&mut found);
    if output.is_json {
        return output.document("servers", &found);
    }
    output.data(&text(&found, args.rows.wide, table::columns()))?;
    match others {
        0 => {}
        1 => output.say("1 more does not run: toolcrib list"),
        others => output.say(&format!("{others} more do not run: toolcrib list")),
    }
    say_left_out(&found, None, output);
    origins.say_apart(output);
    Ok(())
}

/// No gateway runs, and so does no server.
fn nothing(args: &List, output: &Output) -> Result<(), Failure> {
    let found = Servers { servers: Vec::new() };
    if output.is_json {
        return output.document("servers", &found);
    }
    output.data(&text(&found, args.rows.wide, table::columns()))?;
    output.say("no gateway is running, and so no server   (toolcrib run NAME)");
    Ok(())
}

/// Returns the servers that are wanted, and how many others there are.
async fn look(args: &List, client: &Client) -> Result<(Servers, usize), Failure> {
    if !args.is_running_only {
        return Ok((servers(client).await?, 0));
    }
    let mut found = if args.target.config.is_empty() { client.get("/v1/servers").await?.read()? } else { servers(client).await? };
    let all = found.servers.len();
    found.servers.retain(|server| server.processes > 0 || state(server) == "running");
    let others = all - found.servers.len();
    Ok((found, others))
}

/// Shows the servers again and again, until somebody has seen enough.
async fn watch(args: &List, mut client: Client, origins: &Origins, output: &Output) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let is_terminal = std::io::stdout().is_terminal();
    let (mut found, _) = look(args, &client).await?;
    loop {
        origins.tell(&mut found);
        if output.is_json {
            output.document("servers", &found)?;
        } else {
            let clear = if is_terminal { CLEAR } else { "" };
            output.data(&[clear, &text(&found, args.rows.wide, table::columns())].concat())?;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = signals.stop() => {
                client.close().await;
                return Ok(());
            }
        }
        client.renew(args.target.timeout);
        found = if args.is_running_only { look(args, &client).await?.0 } else { client.get("/v1/servers").await?.read()? };
    }
}

/// Says what clients do not see, or should look at twice; of one server or all.
pub(super) fn say_left_out(found: &Servers, name: Option<&str>, output: &Output) {
    for server in found.servers.iter().filter(|server| name.is_none_or(|name| server.name == name)) {
        super::approve::say_left_out(&server.name, &server.left_out, output);
    }
}

/// Where servers come from, where the files that name them are here, and what was measured of them.
struct Origins(Vec<Origin>);

struct Origin {
    slug: crib_model::Slug,
    source: String,
    grade: Option<String>,
    /// The file in which what it was granted does not count.
    apart: Option<PathBuf>,
}

impl Origins {
    fn read(target: &Target) -> Self {
        let compiled = if target.url.is_none() { config::again(&target.only, &target.config).ok() } else { None };
        let servers = compiled.into_iter().flat_map(|compiled| compiled.servers);
        let graded = Graded::open();
        let lock = shop::data().and_then(|data| shop::lock(&data)).unwrap_or_default();
        let origin = |server: CompiledServer| {
            let grade = matches!(server.source, Source::Package(_)).then(|| graded.of_server(&server.name)).flatten();
            Origin { source: serve::describe(&server.source), apart: apart::of(&server, &lock), slug: server.slug, grade }
        };
        Self(servers.map(origin).collect())
    }

    /// Says which servers have been granted something that does not count in their file.
    fn say_apart(&self, output: &Output) {
        for Origin { slug, apart, .. } in &self.0 {
            if let Some(file) = apart {
                output.warn(&format!("`{slug}`: {}", apart::told(file)));
            }
        }
    }

    fn tell(&self, found: &mut Servers) {
        for server in &mut found.servers {
            let known = self.0.iter().find(|origin| origin.slug.as_str() == server.name);
            if let Some(origin) = known {
                server.source = Some(origin.source.clone());
            }
            server.grade = known.and_then(|origin| origin.grade.clone());
        }
    }
}

/// Says why a server has nothing to offer.
pub(super) fn check(found: &Servers, name: &str) -> Result<(), Failure> {
    match found.servers.iter().find(|server| server.name == name).and_then(|server| server.error.as_ref()) {
        Some(why) => Err(failure(why).server(name)),
        None => Ok(()),
    }
}

fn failure(why: &Why) -> Failure {
    let mut failure = match why.known_code() {
        Some(code) => Failure::coded(code, why.message.clone()),
        None => Failure::new(Exit::Unreachable, "server_failed", why.message.clone()),
    };
    for cause in &why.cause {
        failure = failure.because(cause);
    }
    match &why.hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

pub(super) async fn servers(client: &Client) -> Result<Servers, Failure> {
    // Asking for a tool makes sure that every server was asked once; what came of it is told with the servers.
    client.get("/v1/tools?limit=1").await?;
    client.get("/v1/servers").await?.read()
}

const HEADS: [&str; 10] = ["NAME", "STATE", "ERA", "TOOLS", "CALLS", "P95", "MEM", "IDLE", "SOURCE", ""];
const WIDE_HEADS: [&str; 15] =
    ["NAME", "STATE", "ERA", "TOOLS", "CALLS", "FAILED", "P50", "P95", "MEM", "IDLE", "PID", "PARKED", "GRADE", "SOURCE", ""];
/// Where a server comes from is told by its end as well as by its beginning.
const NARROW: Narrow<'_> =
    Narrow { shortened: &[Shorten::Middle("SOURCE")], dropped: &["IDLE", "P95", "CALLS", "MEM", "ERA", "SOURCE", "TOOLS"] };

/// A table; on a terminal what is wrong with a server stands under it, and only `--wide` has rows that are too wide.
fn text(found: &Servers, is_wide: bool, columns: Option<usize>) -> String {
    let mut rows: Vec<Vec<String>> = found.servers.iter().map(|server| row(server, is_wide)).collect();
    let heads = if is_wide { &WIDE_HEADS[..] } else { &HEADS };
    let Some(columns) = columns else { return table::lines(heads, &rows, NARROW, None).concat() };
    let notes: Vec<String> = rows.iter_mut().filter_map(Vec::pop).collect();
    let (heads, limit) = (heads.split_last().map_or(&[][..], |(_, heads)| heads), Some(columns).filter(|_| !is_wide));
    let mut lines = table::lines(heads, &rows, NARROW, limit).into_iter();
    let mut out = lines.next().unwrap_or_default();
    for (line, note) in lines.zip(notes) {
        out.push_str(&line);
        if !note.is_empty() {
            out.push_str(&table::fold(&format!("  {note}\n"), columns));
        }
    }
    out
}

fn row(server: &ServerRow, is_wide: bool) -> Vec<String> {
    let dash = || "-".to_owned();
    let or_dash = |text: Option<String>| text.unwrap_or_else(dash);
    let millis = |ms: Option<f64>| or_dash(ms.map(amount::millis));
    let note = server.error.as_ref().map(|why| format!("{} {}", why.code, said(&why.message))).unwrap_or_default();
    let mut row =
        vec![server.name.clone(), word("state", state(server)).to_owned(), or_dash(server.revision.as_deref().map(str::to_owned))];
    row.extend([or_dash(server.tools.map(|tools| tools.to_string())), server.calls.to_string()]);
    if is_wide {
        row.extend([server.failures.to_string(), millis(server.p50_ms)]);
    }
    row.extend([millis(server.p95_ms), or_dash(server.memory_bytes.map(amount::bytes)), or_dash(server.idle_seconds.map(amount::ago))]);
    if is_wide {
        let processes = match (server.pid, server.processes) {
            (Some(pid), 0 | 1) => pid.to_string(),
            (Some(pid), more) => format!("{pid} +{}", more - 1),
            (None, _) => dash(),
        };
        row.extend([processes, server.parked.to_string(), or_dash(server.grade.clone())]);
    }
    row.extend([or_dash(server.source.as_deref().map(source)), note]);
    row
}

/// What is built in has no source of its own that could be shown.
fn source(source: &str) -> String {
    word("source", source).to_owned()
}

/// Returns the state in the word that says most.
fn state(server: &ServerRow) -> &str {
    match server.error.as_ref().and_then(Why::known_code) {
        Some(Code::SecretMissing | Code::UpstreamUnauthorized) => "needs key",
        Some(_) | None => &server.state,
    }
}
