//! Calls that wait for a person: kept alive by a task each, found again by a handle, given up after a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crib_model::limits::PARKED_MAX;
use crib_model::{Code, Entropy, Fault, ParkId, Principal};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::exchange::Exchange;
use super::legacy::Session;
use super::pool::Lease;
use super::questions::{self, Question};

/// A call that waits.
pub(crate) struct Parked {
    pub(crate) session: Arc<Session>,
    pub(crate) exchange: Exchange,
    pub(crate) lease: Option<Arc<Lease>>,
    pub(crate) questions: Vec<Question>,
    /// How many questions the call has asked so far: keys are never used twice.
    pub(crate) asked: usize,
    pub(crate) principal: Arc<Principal>,
}

/// Where the calls of one upstream wait.
pub(crate) struct Lot {
    places: Mutex<HashMap<ParkId, Claim>>,
    entropy: Arc<dyn Entropy>,
    tracker: TaskTracker,
    closing: CancellationToken,
    pub(super) timeout: Duration,
}

/// Whoever holds this may take the call back, once.
struct Claim {
    principal: Arc<Principal>,
    take: oneshot::Sender<oneshot::Sender<Parked>>,
}

/// Why no task answers: the call was given up a moment ago.
fn lost() -> Fault {
    Fault::new(Code::InputLost, "the call these answers belong to is not waiting for them")
}

// === impl Lot ===

impl Lot {
    pub(crate) fn new(entropy: Arc<dyn Entropy>, tracker: TaskTracker, timeout: Duration) -> Arc<Self> {
        Arc::new(Self { places: Mutex::default(), entropy, tracker, closing: CancellationToken::new(), timeout })
    }

    pub(crate) fn len(&self) -> usize {
        self.places.lock().len()
    }

    /// Leaves a call to wait under a new handle.
    pub(crate) fn park(self: &Arc<Self>, parked: Parked) -> Result<ParkId, Fault> {
        let id = ParkId(self.entropy.u128());
        let (take, claimed) = oneshot::channel();
        let is_full = {
            let mut places = self.places.lock();
            let is_full = places.len() >= PARKED_MAX || self.closing.is_cancelled();
            if !is_full {
                places.insert(id, Claim { principal: Arc::clone(&parked.principal), take });
            }
            is_full
        };
        if is_full {
            abandon(parked);
            return Err(Fault::new(Code::TooBusy, "too many calls wait for a person already"));
        }
        let lot = Arc::clone(self);
        self.tracker.spawn(async move { lot.keep(id, parked, claimed).await });
        Ok(id)
    }

    /// Takes a waiting call back. A handle works once, and only for the caller whose call it is.
    pub(crate) async fn take(&self, id: ParkId, principal: &Principal) -> Result<Parked, Fault> {
        let claim = {
            let mut places = self.places.lock();
            let is_theirs = places.get(&id).is_some_and(|claim| *claim.principal == *principal);
            if is_theirs { places.remove(&id) } else { None }
        };
        let claim = claim.ok_or_else(lost)?;
        let (back, parked) = oneshot::channel();
        claim.take.send(back).map_err(|_back| lost())?;
        parked.await.map_err(|_closed| lost())
    }

    /// Gives all waiting calls up.
    pub(crate) fn close(&self) {
        self.closing.cancel();
    }

    async fn keep(self: Arc<Self>, id: ParkId, mut parked: Parked, claimed: oneshot::Receiver<oneshot::Sender<Parked>>) {
        let over = parked.exchange.link().over().clone();
        let claim = tokio::select! {
            biased;
            claim = claimed => claim.ok(),
            () = self.closing.cancelled() => None,
            () = over.cancelled() => None,
            () = tokio::time::sleep(self.timeout) => None,
            () = parked.exchange.idle() => None,
        };
        self.places.lock().remove(&id);
        let unclaimed = match claim {
            Some(back) => back.send(parked).err(),
            None => Some(parked),
        };
        if let Some(parked) = unclaimed {
            abandon(parked);
        }
    }
}

impl std::fmt::Debug for Lot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lot({})", self.len())
    }
}

/// Tells the server that nobody will answer; dropping the exchange cancels the call.
fn abandon(parked: Parked) {
    questions::give_up(&parked.session, &parked.questions);
    drop(parked);
}
