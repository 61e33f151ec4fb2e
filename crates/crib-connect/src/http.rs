//! Servers behind a URL, of either era and all three HTTP transports.

mod answer;
mod ear;
mod legacy;
mod modern;
mod probe;
mod remote;
mod sse;
pub(crate) mod trace;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_mcp::{ClientCaps, Revision};
use crib_model::{BoxFuture, Code, Fault, Forward, Health, Outcome, Reply, State};
use crib_transport::Endpoint;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::connect::Connect;
use crate::era::{Era, Verdict, is_doubtful};
use crate::options::{ConnectorOptions, Shared};
use crate::outcome::broken;
use crate::session::call;
use crate::session::legacy::{Session, late};
use crate::session::link::closed;
use crate::session::memory::Memory;
use crate::session::park::Lot;
use crate::session::pool::{Open, Pool, PoolOptions};
use modern::{Again, Modern, Served};
use remote::Remote;

/// Sessions with one HTTP server for clients that can be asked.
const SESSIONS_MAX: usize = 1024;
/// How often a call tries: once, after a new look at the era, and once in a new session.
const TRIES_MAX: usize = 3;

/// A connector for one URL.
pub(crate) struct Http {
    options: ConnectorOptions,
    remote: Remote,
    verdict: Verdict,
    is_sse_only: bool,
    modern: Modern,
    /// Sessions of Streamable HTTP, and of HTTP+SSE.
    streamable: Arc<Pool>,
    sse: Arc<Pool>,
    lot: Arc<Lot>,
    memory: Arc<Memory>,
    turn: Semaphore,
    fault: Mutex<Option<Fault>>,
}

struct Opener {
    remote: Remote,
    memory: Arc<Memory>,
    options: ConnectorOptions,
    is_sse: bool,
}

// === impl Http ===

impl Http {
    pub(crate) fn new(
        options: ConnectorOptions,
        (url, headers): (Endpoint, &[(String, String)]),
        shared: &Shared,
        is_sse_only: bool,
    ) -> Arc<Self> {
        let slug = options.slug.clone();
        let remote = Remote::new(slug.clone(), url, headers, (shared.http.clone(), shared.tracker.clone()));
        let memory = Arc::new(Memory::default());
        let pool = |is_sse: bool| {
            let interactive_max = if is_sse { options.processes_max } else { SESSIONS_MAX };
            let pool_options = PoolOptions { slug: slug.clone(), interactive_max, is_one_channel: is_sse, idle: None };
            let opener = Opener { remote: remote.clone(), memory: Arc::clone(&memory), options: options.clone(), is_sse };
            Pool::new(pool_options, Arc::new(opener), shared.tracker.clone())
        };
        Arc::new(Self {
            modern: Modern::new(remote.clone()),
            streamable: pool(false),
            sse: pool(true),
            lot: Lot::new(Arc::clone(&shared.entropy), shared.tracker.clone(), options.input_timeout),
            verdict: Verdict::new(Arc::clone(&shared.clock), options.era_ttl),
            turn: Semaphore::new(1),
            fault: Mutex::default(),
            options,
            remote,
            is_sse_only,
            memory,
        })
    }

    /// Serves a call that is not done with its first try, or for which nobody knows yet how to try.
    async fn serve(self: Arc<Self>, forward: Arc<Forward>, first: Option<(Era, Served)>) -> Result<Reply, Fault> {
        let mut fault = None;
        let mut tried = first;
        for _ in 0..TRIES_MAX {
            let (era, served) = match tried.take() {
                Some(tried) => tried,
                None => {
                    let era = match self.era() {
                        Some(era) => era,
                        None => self.find_out(&forward).await?,
                    };
                    let served = match era {
                        Era::Modern => self.modern.call(&forward).await?,
                        Era::Legacy => self.serve_session(&self.streamable, &forward).await?,
                        Era::Sse => self.serve_session(&self.sse, &forward).await?,
                    };
                    (era, served)
                }
            };
            match served {
                Ok(Reply::Done(Outcome::Error(error, _))) if is_doubtful(era, &error) && self.has_changed(&forward, era).await => {
                    fault = Some(broken(&self.options.slug, error.message));
                }
                Ok(reply) => return Ok(reply),
                Err(Again::Misjudged(why)) => {
                    self.verdict.forget();
                    fault = Some(why);
                }
                Err(Again::SessionLost(why)) => fault = Some(why),
            }
        }
        Err(fault.unwrap_or_else(|| late(&self.options.slug)))
    }

    fn era(&self) -> Option<Era> {
        if self.is_sse_only { Some(Era::Sse) } else { self.verdict.era() }
    }

    async fn serve_session(&self, pool: &Arc<Pool>, forward: &Arc<Forward>) -> Result<Served, Fault> {
        let lot = Arc::clone(&self.lot);
        if let Some(home) = call::home(&self.memory, forward) {
            return Box::pin(call::call(home, None, lot, Arc::clone(forward))).await.map(Ok);
        }
        let (session, lease) = match pool.take_open(forward) {
            Some(taken) => taken,
            None => match Box::pin(pool.take(forward)).await {
                Ok(taken) => taken,
                // It may be because the server has been changed that it takes no new sessions.
                Err(fault) if self.may_have_changed(&fault) => return Ok(Err(Again::Misjudged(fault))),
                Err(fault) => return Err(fault),
            },
        };
        match call::call(session, Some(lease), lot, Arc::clone(forward)).await {
            Err(fault) if fault.code() == Code::SessionUnknown => {
                let gone = Fault::new(Code::ServerGone, format!("`{}` forgot its session again and again", self.options.slug));
                Ok(Err(Again::SessionLost(gone)))
            }
            reply => reply.map(Ok),
        }
    }

    fn may_have_changed(&self, fault: &Fault) -> bool {
        !self.is_sse_only && matches!(fault.code(), Code::StartFailed | Code::UpstreamStatus | Code::ProtocolBroken)
    }

    /// Finds out the era, one call at a time.
    async fn find_out(&self, forward: &Forward) -> Result<Era, Fault> {
        let slug = &self.options.slug;
        let turn = tokio::time::timeout_at(forward.deadline.into(), self.turn.acquire()).await;
        let _turn = turn.map_err(|_elapsed| late(slug))?.map_err(|_closed| closed(slug))?;
        if let Some(era) = self.verdict.era() {
            return Ok(era);
        }
        let was_wrong = self.verdict.last().is_none();
        let found = self.look(forward).await;
        *self.fault.lock() = found.as_ref().err().cloned();
        let era = found?;
        if was_wrong {
            self.dismiss_others(era);
        }
        Ok(era)
    }

    /// Looks again after a server refused a request as one of another era would. Then, and only then, it has not looked
    /// at the request, which may be made again in the way the server wants.
    async fn has_changed(&self, forward: &Forward, spoken: Era) -> bool {
        let turn = tokio::time::timeout_at(forward.deadline.into(), self.turn.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return false };
        if let Some(known) = self.verdict.era()
            && known != spoken
        {
            return true;
        }
        let may_look = !self.is_sse_only && self.verdict.may_doubt();
        if !may_look {
            return false;
        }
        let found = self.look(forward).await;
        let changed = found.ok().filter(|found| *found != spoken);
        if let Some(era) = changed {
            self.dismiss_others(era);
        }
        changed.is_some()
    }

    /// Ends the sessions of other eras: whoever listens in one has to listen anew.
    fn dismiss_others(&self, era: Era) {
        for (pool, own) in [(&self.streamable, Era::Legacy), (&self.sse, Era::Sse)] {
            if own != era {
                pool.dismiss();
            }
        }
    }

    async fn look(&self, forward: &Forward) -> Result<Era, Fault> {
        let deadline = forward.deadline.min(Instant::now() + self.options.start_timeout);
        let era = self.probe(&forward.client.caps, &forward.principal, deadline).await?;
        self.verdict.set(era);
        Ok(era)
    }
}

/// Tells whether an answer may only mean that the server is of another era by now.
fn is_in_doubt(spoken: Era, reply: &Reply) -> bool {
    matches!(reply, Reply::Done(Outcome::Error(error, _)) if is_doubtful(spoken, error))
}

impl Connect for Http {
    /// The first try has a future of its own for each era, with room for nothing else; nearly always it is the last.
    fn call(self: Arc<Self>, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        if matches!(&forward.inputs, Some(inputs) if matches!(inputs.state, Some(State::Parked(_)))) {
            return Box::pin(call::resume(Arc::clone(&self.lot), forward));
        }
        match self.era() {
            Some(era @ Era::Modern) => Box::pin(async move {
                match self.modern.call(&forward).await? {
                    Ok(reply) if !is_in_doubt(era, &reply) => Ok(reply),
                    served => Box::pin(self.serve(forward, Some((era, served)))).await,
                }
            }),
            Some(era @ (Era::Legacy | Era::Sse)) => Box::pin(async move {
                let pool = if era == Era::Sse { &self.sse } else { &self.streamable };
                match self.serve_session(pool, &forward).await? {
                    Ok(reply) if !is_in_doubt(era, &reply) => Ok(reply),
                    served => Box::pin(self.serve(forward, Some((era, served)))).await,
                }
            }),
            None => Box::pin(self.serve(forward, None)),
        }
    }

    fn timeout(&self) -> Duration {
        self.options.timeout
    }

    fn health(&self) -> Health {
        let sessions: Vec<Arc<Session>> = self.streamable.sessions().into_iter().chain(self.sse.sessions()).collect();
        let era = self.verdict.last();
        let revision = match era {
            Some(Era::Modern) => Some(Revision::LATEST),
            _ => sessions.first().map(|session| session.revision),
        };
        let fault = self.fault.lock().clone();
        let state = match (&fault, era.is_some() || !sessions.is_empty()) {
            (Some(_), _) => "failed",
            (None, true) => "running",
            (None, false) => "idle",
        };
        Health { state, revision, processes: 0, pid: None, parked: self.lot.len(), fault }
    }

    fn close(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.turn.close();
            self.lot.close();
            self.streamable.close().await;
            self.sse.close().await;
        })
    }
}

impl Open for Opener {
    fn open(&self, caps: &ClientCaps) -> BoxFuture<'static, Result<Arc<Session>, Fault>> {
        let (remote, caps, memory, options) = (self.remote.clone(), caps.clone(), Arc::clone(&self.memory), self.options.clone());
        let is_sse = self.is_sse;
        Box::pin(async move {
            if is_sse {
                return sse::open(&remote, &caps, &memory, options.start_timeout).await;
            }
            legacy::open(&remote, &caps, &memory, options.start_timeout).await.map_err(legacy::Refused::into_fault)
        })
    }
}
