//! Servers behind a command, of either era.

mod fault;
mod idle;
mod process;
mod start;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use crib_mcp::{ClientCaps, Revision};
use crib_model::limits::STOP_GRACE;
use crib_model::{BoxFuture, Fault, Forward, Health, Reply, State};
use crib_transport::CommandLine;
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::connect::Connect;
use crate::era::{Era, Verdict};
use crate::options::{ConnectorOptions, Shared};
use crate::session::legacy::{Session, late};
use crate::session::link::{Link, closed};
use crate::session::memory::Memory;
use crate::session::park::Lot;
use crate::session::pool::{Open, Pool, PoolOptions};
use crate::session::{call, modern};
use idle::Idle;
use process::Process;
use start::Started;

/// How often a call looks for a running server before it gives up: each look may start one.
const LOOKS_MAX: usize = 3;

/// A connector for one command.
pub(crate) struct Stdio {
    pub(crate) options: ConnectorOptions,
    pub(crate) command: CommandLine,
    pub(crate) shared: Arc<Shared>,
    pub(crate) verdict: Verdict,
    pub(crate) memory: Arc<Memory>,
    /// The process of a modern server: one serves all.
    modern: Mutex<Option<Arc<Process>>>,
    /// Only one start at a time while the era is unknown.
    turn: Arc<Semaphore>,
    pool: Arc<Pool>,
    lot: Arc<Lot>,
    fault: Mutex<Option<Fault>>,
    /// Where it is to end when nobody uses it.
    idle: Option<Arc<Idle>>,
}

/// Starts further processes of a server that is known to be legacy.
struct Opener {
    options: ConnectorOptions,
    command: CommandLine,
    shared: Arc<Shared>,
    memory: Arc<Memory>,
}

enum Ready {
    Modern(Arc<Link>),
    Legacy,
    Unknown,
}

// === impl Stdio ===

impl Stdio {
    pub(crate) fn new(options: ConnectorOptions, command: CommandLine, shared: Arc<Shared>) -> Arc<Self> {
        let memory = Arc::new(Memory::default());
        let opener =
            Opener { options: options.clone(), command: command.clone(), shared: Arc::clone(&shared), memory: Arc::clone(&memory) };
        let pool_options = PoolOptions {
            slug: options.slug.clone(),
            interactive_max: options.processes_max,
            is_one_channel: true,
            // A server of which there may be one process keeps its state in it.
            idle: (options.processes_max > 1).then_some(options.process_idle),
        };
        let pool = Pool::new(pool_options, Arc::new(opener), shared.tracker.clone());
        let lot = Lot::new(Arc::clone(&shared.entropy), shared.tracker.clone(), options.input_timeout);
        let verdict = Verdict::new(Arc::clone(&shared.clock), options.era_ttl);
        let (modern, turn, fault) = (Mutex::default(), Arc::new(Semaphore::new(1)), Mutex::default());
        let idle = options.keep_alive.map(Idle::new);
        Arc::new(Self { options, command, shared, verdict, memory, modern, turn, pool, lot, fault, idle })
    }

    fn ready(&self) -> Ready {
        if let Some(process) = &*self.modern.lock()
            && !process.link().is_over()
        {
            return Ready::Modern(Arc::clone(process.link()));
        }
        // A process that runs does not change its era.
        let is_legacy =
            self.verdict.era() == Some(Era::Legacy) || (self.verdict.last() == Some(Era::Legacy) && !self.pool.sessions().is_empty());
        if is_legacy { Ready::Legacy } else { Ready::Unknown }
    }

    async fn serve(self: Arc<Self>, forward: Arc<Forward>) -> Result<Reply, Fault> {
        if matches!(&forward.inputs, Some(inputs) if matches!(inputs.state, Some(State::Parked(_)))) {
            return Box::pin(call::resume(Arc::clone(&self.lot), forward)).await;
        }
        if let Some(home) = call::home(&self.memory, &forward) {
            return Box::pin(call::call(home, None, Arc::clone(&self.lot), forward)).await;
        }
        for _ in 0..LOOKS_MAX {
            match self.ready() {
                Ready::Modern(link) => return modern::call(link, forward).await,
                Ready::Legacy => {
                    let (session, lease) = match self.pool.take_open(&forward) {
                        Some(taken) => taken,
                        None => Box::pin(self.pool.take(&forward)).await?,
                    };
                    return call::call(session, Some(lease), Arc::clone(&self.lot), forward).await;
                }
                Ready::Unknown => Box::pin(self.start(&forward)).await?,
            }
        }
        Err(self.fault.lock().clone().unwrap_or_else(|| late(&self.options.slug)))
    }

    /// Takes away what runs, if nothing is in hand, and ends it.
    async fn end(&self, is_quiet: impl Fn() -> bool) -> bool {
        let fall_asleep = || self.idle.iter().for_each(|idle| idle.fall_asleep());
        let process = {
            let mut modern = self.modern.lock();
            if !is_quiet() {
                return false;
            }
            let process = modern.take().filter(|process| !process.link().is_over());
            // Known before anybody misses it.
            process.iter().for_each(|_| fall_asleep());
            process
        };
        let Some(sessions) = self.pool.release(&is_quiet, fall_asleep) else { return process.is_some() };
        let is_any = process.is_some() || !sessions.is_empty();
        if let Some(process) = process {
            process.link().fail(&closed(&self.options.slug));
            process.stop(STOP_GRACE).await;
        }
        futures_util::future::join_all(sessions.iter().map(|session| session.close())).await;
        is_any
    }

    /// Has somebody look after the server from its first call on, who ends it when it was not used for a while.
    fn look_after(self: &Arc<Self>, idle: &Arc<Idle>) {
        if !idle.wants_keeper() {
            return;
        }
        let (idle, this) = (Arc::clone(idle), Arc::downgrade(self));
        self.shared.tracker.spawn(async move {
            let mut pause = Duration::ZERO;
            loop {
                let wait = idle.rest().unwrap_or(pause);
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = idle.closing().cancelled() => return,
                }
                let Some(stdio) = this.upgrade() else { return };
                if idle.rest().is_some() {
                    continue;
                }
                // What has nothing to end, or waits for a person, is looked at again when it could have changed.
                pause = idle.pause();
                if stdio.end(|| !idle.is_busy() && stdio.lot.len() == 0).await {
                    pause = Duration::ZERO;
                    let seconds = stdio.options.keep_alive.unwrap_or_default().as_secs();
                    tracing::info!(upstream = %stdio.options.slug, seconds, "stopped, because nobody used it; the next call starts it again");
                }
                drop(stdio);
                idle.woken().await;
            }
        });
    }

    /// Starts the server and finds out what it is. The start outlives the call that caused it, for others wait too.
    async fn start(self: &Arc<Self>, forward: &Forward) -> Result<(), Fault> {
        let slug = &self.options.slug;
        let turn = tokio::time::timeout_at(forward.deadline.into(), Arc::clone(&self.turn).acquire_owned()).await;
        let turn = turn.map_err(|_elapsed| late(slug))?.map_err(|_closed| closed(slug))?;
        if !matches!(self.ready(), Ready::Unknown) {
            return Ok(());
        }
        if let Some(fault) = self.pool.resting() {
            return Err(fault);
        }
        let (this, caps, principal) = (Arc::clone(self), forward.client.caps.clone(), Arc::clone(&forward.principal));
        let starting = self.shared.tracker.spawn(async move {
            let _turn = turn;
            let started = start::start(&this, &caps).await;
            this.pool.note_start(started.as_ref().err());
            *this.fault.lock() = started.as_ref().err().cloned();
            match started? {
                Started::Modern(process) => {
                    this.verdict.set(Era::Modern);
                    *this.modern.lock() = Some(process);
                }
                Started::Legacy(session) => {
                    this.verdict.set(Era::Legacy);
                    this.pool.adopt(session, &caps, &principal);
                }
            }
            Ok(())
        });
        let started = tokio::time::timeout_at(forward.deadline.into(), starting).await;
        started.map_err(|_elapsed| late(slug))?.unwrap_or_else(|_ended| Err(closed(slug)))
    }
}

impl Connect for Stdio {
    fn call(self: Arc<Self>, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        let Some(idle) = &self.idle else { return Box::pin(self.serve(forward)) };
        let stay = idle.enter(&forward);
        idle.wake();
        self.look_after(idle);
        Box::pin(async move { Ok(stay.follow(self.serve(forward).await?)) })
    }

    fn timeout(&self) -> Duration {
        self.options.timeout
    }

    fn health(&self) -> Health {
        let modern = self.modern.lock().clone().filter(|process| !process.link().is_over());
        let sessions = self.pool.sessions();
        let fault = self.fault.lock().clone().or_else(|| self.pool.fault());
        let processes = sessions.len() + usize::from(modern.is_some());
        let pid = modern.as_ref().map(|process| process.pid()).or_else(|| sessions.first().and_then(|session| session.link.wire().pid()));
        let revision = modern.as_ref().map(|_| Revision::LATEST).or_else(|| sessions.first().map(|session| session.revision));
        let state = match (processes, &fault) {
            (0, Some(_)) => "failed",
            (0, None) if self.idle.as_ref().is_some_and(|idle| idle.is_asleep()) => "sleeping",
            (0, None) => "idle",
            _ => "running",
        };
        Health { state, revision, processes, pid, parked: self.lot.len(), fault: fault.filter(|_| processes == 0) }
    }

    fn pids(&self) -> Vec<u32> {
        let modern = self.modern.lock().clone().filter(|process| !process.link().is_over());
        let sessions = self.pool.sessions();
        modern.iter().map(|process| process.pid()).chain(sessions.iter().filter_map(|session| session.link.wire().pid())).collect()
    }

    fn woken(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if let Some(idle) = &self.idle {
                idle.woken().await;
            }
        })
    }

    fn rest(self: Arc<Self>) -> BoxFuture<'static, ()> {
        let ending = self.shared.tracker.clone().spawn(async move {
            // A start under way would leave a process behind.
            let _turn = self.turn.acquire().await;
            self.end(|| true).await;
        });
        // What was begun goes on when nobody waits for it.
        Box::pin(async move { drop(ending.await) })
    }

    fn close(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.idle.iter().for_each(|idle| idle.closing().cancel());
            self.turn.close();
            self.lot.close();
            let modern = self.modern.lock().take();
            if let Some(process) = modern {
                process.link().fail(&closed(&self.options.slug));
                process.stop(STOP_GRACE).await;
            }
            self.pool.close().await;
        })
    }
}

impl Open for Opener {
    fn open(&self, caps: &ClientCaps) -> BoxFuture<'static, Result<Arc<Session>, Fault>> {
        let (options, caps, memory) = (self.options.clone(), caps.clone(), Arc::clone(&self.memory));
        let process = Process::spawn(&self.command, &options, &caps, &self.shared.tracker);
        Box::pin(async move {
            let process = process?;
            let opened = Session::open(Arc::clone(process.link()), &caps, &memory, options.start_timeout).await;
            match opened {
                Ok(session) => Ok(session),
                Err(fault) => Err(process.start_fault(fault).await),
            }
        })
    }
}
