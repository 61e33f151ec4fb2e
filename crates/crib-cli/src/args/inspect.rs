//! The arguments of `toolcrib inspect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueHint};
use crib_inspect::{EraChoice, UrlTransport};

use super::{TEMPLATE, duration};

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib inspect time                            look around, call tools, see every message
  toolcrib inspect -- node build/index.js          a server you are writing
  toolcrib inspect --watch -- python3 server.py    started again whenever its files change
  toolcrib inspect https://mcp.example.com/mcp --era modern --record a.ndjson
  toolcrib inspect time --method tools/call \\
      --params '{\"name\": \"get_current_time\", \"arguments\": {}}'
  toolcrib inspect time --lint                     what models' APIs will not take
  toolcrib inspect time --grade                    measured on this machine, with the evidence
  toolcrib inspect time --grade --suite            and by the official conformance suite
")]
#[command(group = ArgGroup::new("mode").args(["method", "replay", "lint", "load", "grade", "watch"]))]
pub(crate) struct Inspect {
    /// Server of the configuration, package, URL, or `demo`
    #[arg(value_name = "SERVER", required_unless_present_any = ["more", "serve_stdio"])]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) look: Look,
    #[command(flatten)]
    pub(crate) task: Task,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// A command to start and inspect
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) more: Vec<String>,
}

/// How the conversation is held.
#[derive(Debug, Args)]
pub(crate) struct Look {
    /// auto, modern, legacy, or a revision like 2025-06-18
    #[arg(long, value_name = "ERA", value_parser = era, default_value = "auto")]
    pub(crate) era: EraChoice,
    /// Write every message to a file, one per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) record: Option<PathBuf>,
    /// With --record: secrets as they are; else what looks like one is masked
    #[arg(long, requires = "record")]
    pub(crate) record_secrets: bool,
    /// Tell the server that this client can do nothing: no elicitation, sampling, roots or tasks
    #[arg(long)]
    pub(crate) bare: bool,
    /// Longest wait for an answer: 500ms, 30s, 5m
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    pub(crate) timeout: Duration,
}

/// What is done with the server, instead of looking around.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task")]
pub(crate) struct Task {
    /// Send one request and print the answer
    #[arg(long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// Parameters of the request, as JSON
    #[arg(long, value_name = "JSON", requires = "method")]
    pub(crate) params: Option<String>,
    #[command(flatten)]
    pub(crate) again: Again,
    /// Check the definitions against what models' APIs accept
    #[arg(long)]
    pub(crate) lint: bool,
    /// Call a tool again and again, for at most 60s
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) load: Option<Duration>,
    /// With --load: this many calls at once, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1, requires = "load")]
    pub(crate) connections: usize,
    /// With --load: this tool, whatever it does [default: a read-only one, or ping]
    #[arg(long, value_name = "TOOL", requires = "load")]
    pub(crate) tool: Option<String>,
    /// With --tool: its arguments, as one JSON object
    #[arg(long, value_name = "JSON", requires = "tool")]
    pub(crate) args: Option<String>,
    #[command(flatten)]
    pub(crate) measured: Measured,
    /// Start the server again whenever its files change, and say what is different then
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true, value_hint = ValueHint::AnyPath)]
    pub(crate) watch: Option<Vec<PathBuf>>,
}

/// What is graded, and by whom.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task")]
pub(crate) struct Measured {
    /// Measure a grade from A to F and keep it
    #[arg(long)]
    pub(crate) grade: bool,
    /// With --grade: by the official conformance suite as well; it is downloaded and needs Node.js 22
    #[arg(long, requires = "grade")]
    pub(crate) suite: bool,
}

/// What is done with a recording.
#[derive(Debug, Args)]
#[command(next_help_heading = "Task")]
pub(crate) struct Again {
    /// Send a recording's requests again and compare the answers
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) replay: Option<PathBuf>,
    /// With --replay: leave a place of the answers out of the comparison, like /content/0/text
    #[arg(long, value_name = "PLACE", requires = "replay")]
    pub(crate) ignore: Vec<String>,
    /// With --replay: be the recorded server, on standard input and output
    #[arg(long, requires = "replay")]
    pub(crate) serve_stdio: bool,
}

/// How the server is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Where")]
pub(crate) struct Reach {
    /// File with servers, where SERVER is one of them
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Vec<PathBuf>,
    /// Header for a URL: 'Authorization: Bearer …'
    #[arg(long, short = 'H', value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// Variable for a command: NAME=VALUE, or NAME for your own value
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    pub(crate) env: Vec<String>,
    /// What a URL speaks: auto, http or sse
    #[arg(long, short, value_name = "TRANSPORT", value_parser = transport, default_value = "auto")]
    pub(crate) transport: UrlTransport,
}

fn era(text: &str) -> Result<EraChoice, String> {
    EraChoice::parse(text).ok_or_else(|| "auto, modern, legacy, or a revision like 2025-06-18".to_owned())
}

fn transport(text: &str) -> Result<UrlTransport, String> {
    match text {
        "auto" => Ok(UrlTransport::Auto),
        "http" | "streamable-http" => Ok(UrlTransport::Streamable),
        "sse" => Ok(UrlTransport::Sse),
        _ => Err("auto, http or sse".to_owned()),
    }
}
