//! `toolcrib admin audit`: checking an audit log against its own chain.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};
use crib_control::audit::{AuditError, Mark, Verified, verify};
use crib_model::Code;
use serde::Serialize;

use crate::args::TEMPLATE;
use crate::failure::Failure;
use crate::output::Output;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check that every line follows from the one before it
    Verify(Verify),
}

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib admin audit verify audit.jsonl
  toolcrib admin audit verify audit.jsonl --after 1204:5f2c…   the first line follows this one
")]
struct Verify {
    /// The audit log
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
    /// The line that the first one must follow: the last line of an earlier file
    #[arg(long, value_name = "SEQ:HASH", value_parser = mark)]
    after: Option<Mark>,
}

#[derive(Serialize)]
struct Report {
    lines: u64,
    calls: u64,
    lost: u64,
    after: String,
    last: String,
}

pub(super) fn run(args: &Audit, output: &Output) -> Result<(), Failure> {
    let Command::Verify(args) = &args.command;
    let found = check(&args.file, args.after)?;
    let Verified { lines, calls, lost, after, last } = found;
    if output.is_json {
        return output.document("audit", &Report { lines, calls, lost, after: after.to_string(), last: last.to_string() });
    }
    output.prose(&format!("lines  {lines}\ncalls  {calls}\nlost   {lost}\nlast   {last}\n"))?;
    if lost > 0 {
        output.warn(&format!("the log says itself that it could not keep {lost} calls"));
    }
    output.say("keep the last mark elsewhere: --after with it shows whether the log was written anew");
    Ok(())
}

fn check(path: &Path, after: Option<Mark>) -> Result<Verified, Failure> {
    let unreadable = |error: std::io::Error| {
        let failure = Failure::coded(Code::AuditUnusable, format!("cannot read {}", path.display())).because(error.to_string());
        failure.hint("check the path, and who may read the file")
    };
    let file = File::open(path).map_err(unreadable)?;
    verify(BufReader::new(file), after).map_err(|error| match error {
        AuditError::Read(error) => unreadable(error),
        AuditError::Broken { .. } | AuditError::Open { .. } | AuditError::Foreign(_) | AuditError::Writer(_) => {
            Failure::coded(Code::AuditBroken, format!("{} does not hold together: {error}", path.display()))
                .hint("what stands before that line is as it was written")
        }
    })
}

fn mark(text: &str) -> Result<Mark, String> {
    Mark::parse(text).ok_or_else(|| "not a mark, NUMBER:HASH, as `verify` prints it".to_owned())
}
