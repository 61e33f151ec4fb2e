//! A server as `GET /v1/servers` and `/readyz` describe it, for who writes the answer and for who reads it.

use std::borrow::Cow;

use crib_model::{Code, Fault};
use crib_proxy::{LeftOut, LeftOutWhy, ServerInfo};
use crib_registry::pins::{Finding, HeldWhy};
use serde::{Deserialize, Serialize};

use crate::figures::ServerFigure;

/// The answer of `GET /v1/servers`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Servers {
    pub servers: Vec<ServerRow>,
}

/// A server as operators see it.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct ServerRow {
    pub name: String,
    pub state: Cow<'static, str>,
    /// The revision it speaks, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<Cow<'static, str>>,
    /// Tools the caller may use, once it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tools: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    pub processes: usize,
    /// Resident memory of its processes and of all they started.
    #[serde(default, rename = "memoryBytes", skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Calls since the gateway was started.
    #[serde(default)]
    pub calls: u64,
    /// Calls that did not end as the caller wished.
    #[serde(default)]
    pub failures: u64,
    /// How long the median call and one of twenty take, in milliseconds.
    #[serde(default, rename = "p50Ms", skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    #[serde(default, rename = "p95Ms", skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// Since the last call ended.
    #[serde(default, rename = "idleSeconds", skip_serializing_if = "Option::is_none")]
    pub idle_seconds: Option<u64>,
    /// Where it comes from, where whoever describes it knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The grade that was measured of its package on this machine; told as the source is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<String>,
    /// Calls that wait for a person.
    pub parked: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Why>,
    /// What of it is not shown, or should be looked at.
    #[serde(default, rename = "leftOut", skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutRow>,
}

/// Something of a server that clients do not see, or should look at twice.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct LeftOutRow {
    /// The server's own name for it.
    pub name: String,
    /// `held` and `dropped` are not shown; `warned`, `odd` and `lookalike` are.
    pub state: Cow<'static, str>,
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl LeftOutRow {
    pub(super) fn of(LeftOut { name, why, .. }: LeftOut) -> Self {
        let state = why.state();
        let (message, findings) = match why {
            LeftOutWhy::Held(why) | LeftOutWhy::Warned(why) => {
                let message = format!("it {why}");
                (message, if let HeldWhy::Suspicious { findings } = why { findings } else { Vec::new() })
            }
            LeftOutWhy::Dropped(why) => (why, Vec::new()),
            LeftOutWhy::Lookalike(what) => (what, Vec::new()),
            LeftOutWhy::Odd(findings) => {
                let mut said: Vec<&str> = findings.iter().map(|finding| finding.rule.describe()).collect();
                said.dedup();
                (format!("its text {}", said.join(", ")), findings)
            }
        };
        Self { name, state: state.into(), message, findings }
    }

    /// Tells whether clients do not see it.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        matches!(&*self.state, "held" | "dropped")
    }
}

/// Why a server has nothing to offer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Why {
    pub code: Cow<'static, str>,
    pub message: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

pub(super) fn has_failed(server: &ServerInfo) -> bool {
    // What a person stopped has not failed, whatever it said before.
    server.health.state != "stopped" && is_faulty(server)
}

fn is_faulty(server: &ServerInfo) -> bool {
    server.health.state == "failed" || server.fault.is_some() || server.health.fault.is_some()
}

impl ServerRow {
    pub(super) fn of(server: ServerInfo) -> Self {
        let state = if has_failed(&server) { "failed" } else { server.health.state };
        let ServerInfo { slug, health, tools, fault, .. } = server;
        let error = fault.or(health.fault).filter(|_| state == "failed").map(|fault| Why::of(&fault));
        Self {
            name: slug.to_string(),
            state: state.into(),
            revision: health.revision.map(|revision| revision.as_str().into()),
            tools: tools.filter(|_| error.is_none()),
            pid: health.pid,
            processes: health.processes,
            memory_bytes: None,
            calls: 0,
            failures: 0,
            p50_ms: None,
            p95_ms: None,
            idle_seconds: None,
            source: None,
            grade: None,
            parked: health.parked,
            error,
            left_out: Vec::new(),
        }
    }

    /// Adds what was measured.
    pub(super) fn measure(&mut self, measured: Option<ServerFigure>, memory_bytes: Option<u64>) {
        self.memory_bytes = memory_bytes;
        let Some(ServerFigure { figure, idle }) = measured else { return };
        (self.calls, self.failures) = (figure.calls, figure.failures);
        (self.p50_ms, self.p95_ms) = (Some(figure.latency_ms.p50), Some(figure.latency_ms.p95));
        self.idle_seconds = Some(idle.as_secs());
    }
}

impl Why {
    fn of(fault: &Fault) -> Self {
        Self {
            code: fault.code().as_str().into(),
            message: fault.message().to_owned(),
            cause: fault.causes().to_vec(),
            hint: fault.remedy().map(str::to_owned),
        }
    }

    /// Returns the code, where this program knows it: the gateway may be a newer one.
    #[must_use]
    pub fn known_code(&self) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.as_str() == self.code)
    }
}

#[cfg(test)]
mod tests {
    use crib_mcp::Revision;
    use crib_model::{Health, Slug};

    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let fault = Fault::new(Code::SpawnFailed, "`x` cannot be started").because("no such file").hint("install it");
        let health = Health { state: "running", revision: Some(Revision::V2025_06_18), processes: 2, pid: Some(7), ..Health::default() };
        let slug = Slug::from_name("x");
        for fault in [None, Some(fault)] {
            let row = ServerRow::of(ServerInfo { slug: slug.clone(), health: health.clone(), tools: Some(3), fault, pids: vec![7] });
            let text = serde_json::to_string(&row).unwrap();
            let read: ServerRow = serde_json::from_str(&text).unwrap();
            assert_eq!(read, row, "{text}");
            assert_eq!(read.error.as_ref().and_then(Why::known_code), read.error.as_ref().map(|_| Code::SpawnFailed));
            assert_eq!((row.state == "failed", row.tools.is_none()), (row.error.is_some(), row.error.is_some()));
        }
        let least = r#"{"name":"x","state":"idle","processes":0,"parked":0}"#;
        assert!(serde_json::from_str::<ServerRow>(least).is_ok());
    }
}
