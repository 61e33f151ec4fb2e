//! Which era a server belongs to, believed for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{Chunks, Json, Payload, Revision, RpcError, code, meta};
use crib_model::{Clock, Fault, Slug};
use parking_lot::Mutex;
use serde_json::json;

use crate::outcome::broken;
use crate::session::legacy::client_info;

/// A server that goes on refusing requests is not probed for each of them.
const DOUBT_PAUSE: Duration = Duration::from_secs(1);

/// How a server wants to be spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Era {
    Modern,
    /// Streamable HTTP or stdio of 2024-11-05 to 2025-11-25.
    Legacy,
    /// HTTP+SSE of 2024-11-05.
    Sse,
}

/// A verdict and until when it is believed. A wrong "legacy" never fails, so it has to expire.
pub(crate) struct Verdict {
    clock: Arc<dyn Clock>,
    ttl: Duration,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    era: Option<(Era, Instant)>,
    /// A probe made the server exit; until then it gets none.
    unprobed_until: Option<Instant>,
    /// A doubt was settled a moment ago; until then there is none.
    undoubted_until: Option<Instant>,
}

// === impl Verdict ===

impl Verdict {
    pub(crate) fn new(clock: Arc<dyn Clock>, ttl: Duration) -> Self {
        Self { clock, ttl, held: Mutex::default() }
    }

    /// Returns the era while the verdict holds.
    pub(crate) fn era(&self) -> Option<Era> {
        let now = self.clock.now();
        self.held.lock().era.filter(|(_, until)| now < *until).map(|(era, _)| era)
    }

    /// Returns the last verdict, expired or not.
    pub(crate) fn last(&self) -> Option<Era> {
        self.held.lock().era.map(|(era, _)| era)
    }

    pub(crate) fn set(&self, era: Era) {
        self.held.lock().era = Some((era, self.clock.now() + self.ttl));
    }

    /// The server does not behave as the verdict says.
    pub(crate) fn forget(&self) {
        self.held.lock().era = None;
    }

    pub(crate) fn spare(&self) {
        self.held.lock().unprobed_until = Some(self.clock.now() + self.ttl);
    }

    /// Tells whether a doubt is worth a probe; many calls that are refused at once are one doubt.
    pub(crate) fn may_doubt(&self) -> bool {
        let now = self.clock.now();
        let mut held = self.held.lock();
        let may = held.undoubted_until.is_none_or(|until| until <= now);
        if may {
            held.undoubted_until = Some(now + DOUBT_PAUSE);
        }
        may
    }

    pub(crate) fn may_probe(&self) -> bool {
        let now = self.clock.now();
        self.held.lock().unprobed_until.is_none_or(|until| until <= now)
    }
}

/// Tells whether an error is what a server of another era would say to a request it did not look at. It is only a
/// reason to ask: an error alone never makes a request be made again.
///
/// - A modern server refuses a request of a session by what it lacks: its headers or its version.
/// - A legacy server knows neither modern requests nor, without a session, any.
pub(crate) fn is_doubtful(spoken: Era, error: &RpcError) -> bool {
    match spoken {
        Era::Modern => matches!(error.code, code::METHOD_NOT_FOUND | code::INVALID_REQUEST),
        Era::Legacy | Era::Sse => matches!(error.code, code::HEADER_MISMATCH | code::UNSUPPORTED_VERSION),
    }
}

/// What the answer to a probe tells.
#[derive(Debug)]
pub(crate) enum Told {
    Modern,
    Legacy,
    /// The server is modern and shares no version with this gateway.
    Stranger(Fault),
}

/// Reads the answer to `server/discover`: only a modern server answers it, or refuses it with a modern code.
pub(crate) fn read_probe(slug: &Slug, answer: &Result<Payload, RpcError>) -> Told {
    let versions = match answer {
        Ok(result) => result.get("supportedVersions"),
        Err(error) if error.code == code::UNSUPPORTED_VERSION => {
            error.data.as_ref().and_then(|data| data.to_object().ok()?.get("supported"))
        }
        Err(error) if matches!(error.code, code::HEADER_MISMATCH | code::MISSING_CAPABILITY) => return Told::Modern,
        Err(_) => return Told::Legacy,
    };
    let Some(versions) = versions.and_then(|versions| versions.to_elements().ok()) else {
        return if answer.is_err() { Told::Modern } else { Told::Legacy };
    };
    let named: Vec<_> = versions.iter().filter_map(Json::as_text).collect();
    if named.iter().any(|version| version == Revision::LATEST.as_str()) {
        return Told::Modern;
    }
    Told::Stranger(broken(slug, format!("it speaks only {}", named.join(", "))).hint("a newer toolcrib may know these versions"))
}

/// Writes the parameters of a request of the gateway itself.
pub(crate) fn own_params() -> Chunks {
    Json::of(&json!({ "_meta": {
        meta::PROTOCOL_VERSION: Revision::LATEST.as_str(),
        meta::CLIENT_CAPABILITIES: {},
        meta::CLIENT_INFO: client_info(),
    }}))
    .into()
}
