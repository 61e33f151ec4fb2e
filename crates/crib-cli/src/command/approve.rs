//! `toolcrib approve`: what of the servers' tools waits, what is different about it, and taking it as it is now.

use std::borrow::Cow;

use clap::Args;
use crib_control::LeftOutRow;
use crib_control::pins::PinFile;
use crib_model::{Clock as _, Code};
use crib_registry::pins::{Approval, Book, HeldWhy, Pending, unified, visible};
use serde::Serialize;

use crate::args::TEMPLATE;
use crate::failure::Failure;
use crate::machine::Machine;
use crate::output::Output;
use crate::pins;
use crate::tongue::{said, word};

/// How many that wait are named one by one.
const HELD_MAX: usize = 4;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib approve                                 what waits for approval
  toolcrib approve github.create_issue --diff      what is different about it
  toolcrib approve github.create_issue             take it as it is now
  toolcrib approve github --all                    take everything of a server
")]
pub(crate) struct Approve {
    /// Server, or SERVER.TOOL [default: every server]
    #[arg(value_name = "SERVER[.TOOL]")]
    name: Option<String>,
    /// Approve everything that is shown
    #[arg(long)]
    all: bool,
    /// Show what is different and approve nothing
    #[arg(long, conflicts_with = "all")]
    diff: bool,
}

/// Something that waits.
#[derive(Serialize)]
struct Row {
    server: String,
    tool: String,
    digest: String,
    #[serde(flatten)]
    why: HeldWhy,
    message: String,
    diff: String,
    #[serde(skip)]
    origin: String,
}

#[derive(Serialize)]
struct Report {
    /// What waits, or waited until now.
    waiting: Vec<Row>,
    /// Whether it was approved.
    approved: Vec<String>,
}

pub(super) fn run(args: &Approve, output: &Output) -> Result<(), Failure> {
    let file = pins::file().ok_or_else(|| Failure::usage("there is no home directory").hint("set the variable HOME"))?;
    let book = file.read().map_err(|error| Failure::from(error.fault()))?;
    let (server, tool) = match args.name.as_deref().map(|name| name.split_once('.').unwrap_or((name, ""))) {
        Some((server, tool)) => (server, tool),
        None => ("", ""),
    };
    let waiting = waiting(&book, server, tool);
    if waiting.is_empty() && !server.is_empty() {
        check_known(&book, server, tool)?;
    }
    let takes = !args.diff && (args.all || !tool.is_empty());
    let approved = if takes { approve(&file, &waiting)? } else { Vec::new() };
    let report = Report { waiting, approved };
    if output.is_json {
        return output.document("approve", &report);
    }
    show(&report, takes, args, output)
}

fn waiting(book: &Book, server: &str, tool: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for ((slug, origin), record) in book.records() {
        if !server.is_empty() && !slug.eq_ignore_ascii_case(server) {
            continue;
        }
        for (name, pending) in record.pending.iter().filter(|(name, _)| tool.is_empty() || *name == tool || visible(name) == tool) {
            let kind = pending.kinds.first().map(String::as_str);
            let source = if let HeldWhy::Renamed { from } = &pending.why { from } else { name };
            let old = record.trusted(source, kind).map_or("", |pin| &pin.text);
            rows.push(Row {
                server: slug.to_owned(),
                tool: name.clone(),
                digest: pending.digest.clone(),
                why: pending.why.clone(),
                message: pending.why.to_string(),
                diff: diff(old, pending),
                origin: origin.to_owned(),
            });
        }
    }
    rows
}

fn diff(old: &str, pending: &Pending) -> String {
    if pending.text.is_empty() { "(the definition is too long to keep)\n".to_owned() } else { unified(old, &pending.text) }
}

/// Refuses names that nothing is known of; what is known and does not wait is fine.
fn check_known(book: &Book, server: &str, tool: &str) -> Result<(), Failure> {
    let mut records = book.records().filter(|((slug, _), _)| slug.eq_ignore_ascii_case(server)).peekable();
    let unknown = |what: String| Failure::coded(Code::UnknownTarget, what);
    if records.peek().is_none() {
        let failure = unknown(format!("nothing is known of a server `{server}`"));
        return Err(match crib_control::nearest(server, book.records().map(|((slug, _), _)| slug)) {
            Some(near) => failure.hint(format!("did you mean `{near}`?")),
            None => failure.hint("a server is known after its tools were listed once: toolcrib list"),
        });
    }
    if tool.is_empty() || records.any(|(_, record)| record.tools.contains_key(tool)) {
        return Ok(());
    }
    Err(unknown(format!("nothing is known of a tool `{server}.{tool}`")).hint(format!("toolcrib approve {server} shows what waits")))
}

fn approve(file: &PinFile, rows: &[Row]) -> Result<Vec<String>, Failure> {
    let approval =
        |row: &Row| Approval { slug: row.server.clone(), origin: row.origin.clone(), name: row.tool.clone(), digest: row.digest.clone() };
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let done = file.approve(rows.iter().map(approval).collect(), Machine.unix().as_secs()).map_err(|error| error.fault())?;
    if done.len() < rows.len() {
        let left = rows.len() - done.len();
        return Err(Failure::coded(Code::ToolHeld, format!("{left} of {} changed once more while they were looked at", rows.len()))
            .hint("look again: toolcrib approve --diff"));
    }
    Ok(done.into_iter().map(|approval| format!("{}.{}", approval.slug, visible(&approval.name))).collect())
}

/// Says the names of both sides of a diff in the user's language; all else in it is the server's.
pub(super) fn diff_line(line: &str) -> Cow<'_, str> {
    let is_head = line.starts_with("--- approved ") || line.starts_with("+++ new ");
    if is_head { said(line) } else { Cow::Borrowed(line) }
}

fn show(report: &Report, takes: bool, args: &Approve, output: &Output) -> Result<(), Failure> {
    if report.waiting.is_empty() {
        output.say("nothing waits for approval");
        return Ok(());
    }
    let mut text = String::new();
    for row in &report.waiting {
        let path = format!("{}.{}", row.server, visible(&row.tool));
        text.extend([path.as_str(), " ", &said(&row.message), "\n"]);
        if let HeldWhy::Suspicious { findings } = &row.why {
            text.extend(findings.iter().map(|finding| format!("  {} {}: {}\n", finding.rule.as_str(), finding.place, finding.excerpt)));
        }
        if args.name.is_some() || args.diff || takes {
            text.extend(row.diff.lines().map(|line| format!("  {}\n", diff_line(line))));
        }
    }
    output.data(&text)?;
    if takes {
        output.say(&format!("approved {}", report.approved.join(", ")));
    } else {
        let what = args.name.as_deref().unwrap_or("SERVER");
        let all = if what.contains('.') { "" } else { " --all" };
        output.say(&format!("approve  toolcrib approve {what}{all}"));
    }
    Ok(())
}

/// Says what of a server clients do not see, or should look at twice.
pub(super) fn say_left_out(server: &str, rows: &[LeftOutRow], output: &Output) {
    let held = rows.iter().filter(|row| row.state == "held").count();
    if held > HELD_MAX {
        output.warn(&format!("{server}: {held} held back"));
    }
    for row in rows.iter().filter(|row| held <= HELD_MAX || row.state != "held") {
        output.warn(&format!("{server}.{} {}: {}", row.name, word("left out", &row.state), said(&row.message)));
    }
    if rows.iter().any(|row| row.state == "held") {
        output.say(&format!("review   toolcrib approve {server} --diff"));
    }
}
