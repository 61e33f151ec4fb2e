//! Finding out what a URL speaks, newest first. Silence, trouble and missing credentials are no evidence.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use crib_mcp::ClientCaps;
use crib_model::{Fault, Principal};

use super::answer::status_fault;
use super::modern::Discovered;
use super::{Http, legacy, sse};
use crate::era::{Era, Told, read_probe};

impl Http {
    /// A legacy server that is still one needs no second session.
    fn running(&self) -> Option<Era> {
        let era = self.verdict.last()?;
        let pool = match era {
            Era::Legacy => &self.streamable,
            Era::Sse => &self.sse,
            Era::Modern => return None,
        };
        (!pool.sessions().is_empty()).then_some(era)
    }

    /// Tries the eras in turn. A session that is opened on the way is kept.
    pub(super) async fn probe(&self, caps: &ClientCaps, principal: &Arc<Principal>, deadline: Instant) -> Result<Era, Fault> {
        let slug = &self.options.slug;
        let trouble = |status: u16, body: &Bytes| Err(status_fault(slug, status, body));
        match self.modern.discover(deadline).await? {
            Discovered::Answer(answer) => match read_probe(slug, &answer) {
                Told::Modern => return Ok(Era::Modern),
                Told::Stranger(fault) => return Err(fault),
                Told::Legacy => {}
            },
            Discovered::Refused { status: status @ (401 | 403 | 429 | 502..=504), body } => return trouble(status, &body),
            Discovered::Refused { .. } => {}
        }
        if let Some(era) = self.running() {
            return Ok(era);
        }
        let timeout = deadline.saturating_duration_since(Instant::now());
        let refused = match legacy::open(&self.remote, caps, &self.memory, timeout).await {
            Ok(session) => {
                self.streamable.adopt(session, caps, principal);
                return Ok(Era::Legacy);
            }
            Err(refused) => refused,
        };
        if !refused.hints_at_sse() {
            return Err(refused.into_fault());
        }
        let timeout = deadline.saturating_duration_since(Instant::now());
        match sse::open(&self.remote, caps, &self.memory, timeout).await {
            Ok(session) => {
                self.sse.adopt(session, caps, principal);
                Ok(Era::Sse)
            }
            Err(fault) => Err(refused.into_fault().because(format!("nor does it speak HTTP+SSE: {fault}"))),
        }
    }
}
