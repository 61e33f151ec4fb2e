//! A grade from A to F that is measured on this machine, each point of it with its evidence.
//!
//! Each part has lines, each line a weight and a share of it that was earned, or is not known: what does not apply or
//! could not be measured counts neither for nor against a server.

mod definitions;
mod origin;
mod protocol;
mod results;
mod safety;
mod speed;
mod starts;
mod store;
mod suite;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crib_model::Fault;
use crib_registry::pins::visible;
use crib_transport::Processes;
use serde::{Deserialize, Serialize};

pub use store::{Grades, Kept};

use crate::client::{Client, Decline};
use crate::lint::{self, lint};
use crate::overview::Overview;
use crate::suite::Suite;
use crate::tap::{Seen, Sink, Tap, Verdict};
use crate::target::{Options, Target};
use crate::words::{Speak, label, plainly};
use safety::Canary;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    pub what: String,
    /// What was found, in words.
    pub found: String,
    pub weight: f64,
    /// The share of the weight that was earned; absent where it is not known.
    pub earned: Option<f64>,
}

/// A part of a grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    pub max: f64,
    /// Absent where nothing of it is known.
    pub points: Option<f64>,
    pub lines: Vec<Line>,
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    pub os: String,
    pub arch: String,
    pub cores: usize,
}

/// A measured grade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grade {
    pub server: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    pub letter: String,
    /// Of 100.
    pub score: f64,
    /// Why the letter is worse than the score.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub caps: Vec<String>,
    pub parts: Vec<Part>,
    /// What the official conformance suite says, where it was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<crate::suite::Report>,
    pub revision: String,
    pub transport: String,
    pub measured_unix_ms: u64,
    pub toolcrib: String,
    pub machine: Machine,
}

/// The worst letter that a finding leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Cap {
    D,
    F,
}

/// What a part is made with.
struct Subject<'a> {
    target: &'a Target,
    options: &'a Options,
    client: &'a Client,
    overview: &'a Overview,
    lint: &'a lint::Report,
    canary: &'a Canary,
    /// The tools of an earlier run.
    first: &'a [serde_json::Value],
}

/// Measures a grade, with the official conformance suite where it is given. `sinks` see every message of it but the suite's.
///
/// # Errors
/// The server cannot be reached or started, or the suite cannot be.
pub async fn grade(target: &Target, options: &Options, sinks: Vec<Sink>, suite: Option<&Suite>) -> Result<Grade, Fault> {
    let canary = Canary::new(target)?;
    let noise = Arc::new(parking_lot::Mutex::new(0_usize));
    let counted = Arc::clone(&noise);
    let count: Sink = Arc::new(move |seen: &Seen| *counted.lock() += usize::from(seen.verdict == Verdict::Noise));
    let tap = Tap::new(sinks.into_iter().chain([count, canary.sink()]).collect());
    let marked = canary.mark(target);
    let (starts, first) = starts::measure(&marked, options, &tap).await?;
    let client = Client::connect(&marked, options, &tap, Arc::new(Decline)).await?;
    let result = parts(target, options, &client, (&canary, &first)).await;
    client.close().await;
    let (mut parts, caps, hello) = result?;
    protocol::stdout(&mut parts, hello.transport, *noise.lock());
    parts.insert(0, starts);
    let report = match suite {
        Some(suite) => Some(Box::pin(crate::suite::run(suite, target, options, &hello)).await?),
        None => None,
    };
    if let Some(report) = &report {
        suite::tell(&mut parts, report);
    }
    let mut grade = sum(target, parts, caps);
    grade.suite = report;
    (grade.revision, grade.transport) = (hello.revision.to_string(), hello.transport.to_owned());
    Ok(grade)
}

async fn parts(
    target: &Target,
    options: &Options,
    client: &Client,
    (canary, first): (&Canary, &[serde_json::Value]),
) -> Result<(Vec<Part>, Vec<(Cap, String)>, crate::client::Hello), Fault> {
    let overview = Overview::read(client).await?;
    let found = lint(&overview);
    let subject = Subject { target, options, client, overview: &overview, lint: &found, canary, first };
    let (mut caps, mut results) = (Vec::new(), results::Results::default());
    let mut parts = vec![
        protocol::measure(&subject).await?,
        definitions::measure(&subject),
        safety::measure(&subject, &mut caps, &mut results).await?,
        speed::measure(&subject).await?,
        origin::measure(&subject),
    ];
    results.tell(&mut parts);
    Ok((parts, caps, client.hello().clone()))
}

fn sum(target: &Target, mut parts: Vec<Part>, mut caps: Vec<(Cap, String)>) -> Grade {
    let (mut points, mut max) = (0.0, 0.0);
    for part in &mut parts {
        part.count();
        if let Some(earned) = part.points {
            points += earned;
            max += part.max;
        }
    }
    let score = if max > 0.0 { tenth(points / max * 100.0) } else { 0.0 };
    caps.sort();
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Grade {
        server: target.name.clone(),
        package: target.origin.package.clone(),
        digest: target.origin.digest.clone(),
        letter: letter(score, caps.last().map(|(cap, _)| *cap)).to_owned(),
        score,
        caps: caps.into_iter().map(|(_, why)| why).collect(),
        parts,
        suite: None,
        revision: String::new(),
        transport: String::new(),
        measured_unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        toolcrib: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine {
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        },
    }
}

fn letter(score: f64, cap: Option<Cap>) -> &'static str {
    let by_score = match score {
        score if score >= 90.0 => "A",
        score if score >= 80.0 => "B",
        score if score >= 70.0 => "C",
        score if score >= 60.0 => "D",
        _ => "F",
    };
    match cap {
        Some(Cap::F) => "F",
        Some(Cap::D) if by_score != "F" => "D",
        Some(Cap::D) | None => by_score,
    }
}

fn tenth(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Returns the memory of a server and of all it started; `None` where the system does not tell.
fn megabytes(pid: u32) -> Option<f64> {
    let bytes = Processes::look().bytes_of(&[pid])?;
    Some(u32::try_from(bytes / 1024).map(f64::from).unwrap_or(f64::MAX) / 1024.0)
}

/// Returns the share that a measure earns: all of it up to the first step, a quarter less behind each.
fn steps(measured: f64, steps: [f64; 4]) -> f64 {
    let behind = steps.iter().filter(|step| measured > **step).count();
    [1.0, 0.75, 0.5, 0.25, 0.0].get(behind).copied().unwrap_or(0.0)
}

// === impl Part ===

impl Part {
    fn new(name: &str, max: f64) -> Self {
        Self { name: name.to_owned(), max, points: None, lines: Vec::new() }
    }

    /// Notes something that was measured.
    fn earned(&mut self, weight: f64, share: f64, what: &str, found: impl Into<String>) {
        self.lines.push(Line { what: what.to_owned(), found: found.into(), weight, earned: Some(share.clamp(0.0, 1.0)) });
    }

    /// Notes something that could not be measured, or does not apply.
    fn unknown(&mut self, weight: f64, what: &str, why: impl Into<String>) {
        self.lines.push(Line { what: what.to_owned(), found: why.into(), weight, earned: None });
    }

    fn count(&mut self) {
        let known: f64 = self.lines.iter().filter(|line| line.earned.is_some()).map(|line| line.weight).sum();
        let earned: f64 = self.lines.iter().filter_map(|line| Some(line.weight * line.earned?)).sum();
        self.points = (known > 0.0).then(|| tenth(self.max * earned / known));
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told(plainly))
    }
}

impl Grade {
    /// Writes the grade and its evidence for people.
    #[must_use]
    pub fn told(&self, speak: Speak) -> String {
        let origin = self.package.as_deref().map_or_else(|| speak("no package"), Cow::Borrowed);
        let (of, over) = (speak(" of "), speak(" over "));
        let mut lines = vec![format!(
            "{}   {}{of}100   {}   {origin}   {}{over}{}",
            self.letter, self.score, self.server, self.revision, self.transport
        )];
        for why in &self.caps {
            lines.push(format!("{}{}", speak(&format!("no better than {}: ", self.letter)), speak(&visible(why))));
        }
        for part in &self.parts {
            let points = part.points.map_or_else(|| "-".to_owned(), |points| points.to_string());
            lines.push(format!("\n{} {points}{of}{}", label(speak, &part.name, 12), part.max));
            for line in &part.lines {
                let mark = mark(line.earned);
                let found = visible(&line.found).replace('\n', " ");
                lines.push(format!("  {mark} {} {}", label(speak, &line.what, 22), speak(&found)));
            }
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

fn mark(earned: Option<f64>) -> &'static str {
    match earned {
        None => "–",
        Some(share) if share >= 1.0 => "✓",
        Some(share) if share > 0.0 => "~",
        Some(_) => "✗",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_counts_neither_for_nor_against() {
        let mut part = Part::new("x", 20.0);
        part.earned(1.0, 1.0, "a", "");
        part.earned(3.0, 0.5, "b", "");
        part.unknown(100.0, "c", "");
        part.count();
        assert_eq!(part.points, Some(12.5));
        let mut none = Part::new("y", 20.0);
        none.unknown(1.0, "a", "");
        none.count();
        assert_eq!(none.points, None);
    }

    #[test]
    fn a_cap_is_stronger_than_the_score() {
        assert_eq!(
            [letter(95.0, None), letter(95.0, Some(Cap::D)), letter(95.0, Some(Cap::F)), letter(10.0, Some(Cap::D))],
            ["A", "D", "F", "F"]
        );
        assert_eq!([steps(1.0, [1.0, 2.0, 3.0, 4.0]), steps(2.5, [1.0, 2.0, 3.0, 4.0]), steps(9.0, [1.0, 2.0, 3.0, 4.0])], [1.0, 0.5, 0.0]);
    }
}
