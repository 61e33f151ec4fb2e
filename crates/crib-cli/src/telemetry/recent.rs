//! The last calls, kept in memory for people: `toolcrib logs --calls`.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crib_mcp::Method;
use crib_model::{Code, Entry, Principal};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::outcome;

/// Calls kept; the oldest go first.
const CALLS_MAX: usize = 2000;

/// What was called, and how it ended.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Call {
    /// Counts the calls.
    pub(crate) number: u64,
    /// When it ended, in milliseconds of Unix time.
    pub(crate) time: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client: Option<String>,
    pub(crate) method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// Tool, prompt or resource, by the server's own name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<String>,
    /// `ok`, `tool_error`, …
    pub(crate) outcome: String,
    /// `TC0203`, or the number of a JSON-RPC error; empty where all went well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) code: String,
    pub(crate) latency_ms: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trace_id: Option<String>,
}

/// Which calls are wanted.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) server: Option<&'a str>,
    /// The first letters of a trace's id.
    pub(crate) trace: Option<&'a str>,
    /// In milliseconds of Unix time.
    pub(crate) since: u64,
    /// The number of the first.
    pub(crate) from: u64,
    /// The last so many.
    pub(crate) tail: usize,
}

/// The last calls, once somebody wants them kept.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    is_kept: AtomicBool,
    calls: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    next: u64,
    calls: VecDeque<(u64, SystemTime, Entry)>,
}

// === impl Recent ===

impl Recent {
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, entry: &Entry) {
        let is_call = matches!(entry.method, Method::ToolsCall | Method::PromptsGet | Method::ResourcesRead);
        if !is_call || !self.is_kept() {
            return;
        }
        let (now, entry) = (SystemTime::now(), entry.clone());
        let mut kept = self.calls.lock();
        let number = kept.next;
        kept.next += 1;
        // What falls out is dropped after the lock.
        let _oldest = if kept.calls.len() == CALLS_MAX { kept.calls.pop_front() } else { None };
        kept.calls.push_back((number, now, entry));
    }

    /// Returns calls in the order in which they ended: of everybody, or of the one who asks, where there are keys.
    pub(crate) fn last(&self, principal: &Principal, wanted: &Wanted<'_>) -> Vec<Call> {
        let kept = self.calls.lock();
        let is_theirs = |entry: &Entry| *principal == Principal::anonymous() || *entry.principal == *principal;
        let newest = kept.calls.iter().rev().take_while(|(number, ..)| *number >= wanted.from);
        let calls = newest.filter(|(.., entry)| is_theirs(entry)).map(|(number, at, entry)| Call::of(*number, *at, entry));
        let mut calls: Vec<Call> = calls.filter(|call| wanted.has(call)).take(wanted.tail).collect();
        calls.reverse();
        calls
    }
}

impl Wanted<'_> {
    fn has(&self, call: &Call) -> bool {
        let is_of = self.server.is_none_or(|server| call.server.as_deref() == Some(server));
        let id = call.trace_id.as_deref();
        is_of && call.time >= self.since && self.trace.is_none_or(|trace| id.is_some_and(|id| id.starts_with(trace)))
    }
}

impl Call {
    fn of(number: u64, at: SystemTime, entry: &Entry) -> Self {
        let outcome = outcome::describe(outcome::index(&entry.ending));
        let time = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            number,
            time: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            client: entry.client_name.as_deref().map(str::to_owned),
            method: entry.method.as_str().to_owned(),
            server: entry.upstream.as_ref().map(ToString::to_string),
            target: entry.target.as_deref().map(str::to_owned),
            outcome: outcome.name.to_owned(),
            code: outcome.code,
            latency_ms: (entry.latency.as_secs_f64() * 1e6).round() / 1000.0,
            trace_id: entry.trace.map(|trace| format!("{:032x}", trace.trace_id)),
        }
    }

    /// Returns the code, where it is one of this program's.
    pub(crate) fn known_code(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == self.code)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crib_model::{Ending, Tenant, TraceContext};

    use super::super::tests::entry;
    use super::*;

    fn wanted() -> Wanted<'static> {
        Wanted { tail: usize::MAX, ..Wanted::default() }
    }

    #[test]
    fn calls_are_kept_once_somebody_wants_them() {
        let recent = Recent::default();
        recent.add(&entry("demo", "add", Ending::Ok));
        assert_eq!(recent.last(&Principal::anonymous(), &wanted()), []);
        recent.keep();
        recent.add(&entry("demo", "add", Ending::Ok));
        recent.add(&Entry { method: Method::ToolsList, ..entry("demo", "add", Ending::Ok) });
        let trace = TraceContext { trace_id: 0x7f3a << 112, span_id: 1, is_sampled: false };
        recent.add(&Entry { trace: Some(trace), ..entry("git", "log", Ending::Failed(Code::SecretMissing)) });
        let all = recent.last(&Principal::anonymous(), &wanted());
        let seen: Vec<_> =
            all.iter().map(|call| (call.number, call.server.as_deref().unwrap(), call.outcome.as_str(), call.code.as_str())).collect();
        assert_eq!(seen, [(0, "demo", "ok", ""), (1, "git", "failed", "TC0302")]);
        assert_eq!((all[0].latency_ms, all[1].known_code()), (1.5, Some(Code::SecretMissing)));
        let count = |wanted: Wanted<'_>| recent.last(&Principal::anonymous(), &wanted).len();
        assert_eq!(count(Wanted { server: Some("git"), ..wanted() }), 1);
        assert_eq!((count(Wanted { trace: Some("7f3a"), ..wanted() }), count(Wanted { trace: Some("8"), ..wanted() })), (1, 0));
        assert_eq!((count(Wanted { from: 1, ..wanted() }), count(Wanted { tail: 1, ..wanted() })), (1, 1));
        assert_eq!(count(Wanted { since: u64::MAX, ..wanted() }), 0);
        let stranger = Principal { tenant: Tenant::local(), name: "bob".into() };
        assert_eq!(recent.last(&stranger, &wanted()), []);
    }

    #[test]
    fn the_oldest_go_first() {
        let recent = Recent::default();
        recent.keep();
        let call = entry("demo", "add", Ending::Ok);
        (0..CALLS_MAX + 3).for_each(|_| recent.add(&call));
        let all = recent.last(&Arc::new(Principal::anonymous()), &wanted());
        assert_eq!((all.len(), all[0].number), (CALLS_MAX, 3));
    }
}
