//! Admission: how many calls one upstream gets at once, and who is next.

mod gate;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use crib_model::{Code, Fault, Slug};
use foldhash::fast::RandomState;

pub use gate::Slot;
use gate::{Gate, Wait};

/// How much one upstream gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width {
    /// Calls at once; at least one.
    pub calls: u32,
    /// Calls that may wait for one of them to end; beyond it [`Code::TooBusy`].
    pub waiting: u32,
}

impl Default for Width {
    fn default() -> Self {
        Self { calls: 1024, waiting: 1024 }
    }
}

/// The gates of all upstreams.
#[derive(Debug, Default)]
pub struct Admission {
    gates: HashMap<Slug, Arc<Gate>, RandomState>,
}

impl Admission {
    /// Makes a gate for every upstream.
    #[must_use]
    pub fn new(widths: impl IntoIterator<Item = (Slug, Width)>) -> Self {
        Self { gates: widths.into_iter().map(|(slug, width)| (slug, Arc::new(Gate::new(width)))).collect() }
    }

    /// Makes gates for a changed set of upstreams. Gates whose width stays are shared with `self`, so that calls
    /// admitted before the change still count.
    #[must_use]
    pub fn renew(&self, widths: impl IntoIterator<Item = (Slug, Width)>) -> Self {
        let gate = |slug: &Slug, width| {
            let old = self.gates.get(slug).filter(|gate| gate.width() == width);
            old.map_or_else(|| Arc::new(Gate::new(width)), Arc::clone)
        };
        let gates = widths
            .into_iter()
            .map(|(slug, width)| {
                let gate = gate(&slug, width);
                (slug, gate)
            })
            .collect();
        Self { gates }
    }

    /// Takes a slot if one is free and nobody waits for it. Takes no lock.
    #[must_use]
    pub fn try_admit(&self, slug: &Slug) -> Option<Slot> {
        self.gates.get(slug)?.try_enter()
    }

    /// Takes a slot, waiting in line for one until `patience`, which is only called if there is a wait, ends.
    ///
    /// # Errors
    /// [`Code::TooBusy`] when the line is full, [`Code::DeadlineExceeded`] when the patience ended first.
    pub async fn admit<P: Future<Output = ()>>(&self, slug: &Slug, patience: impl FnOnce() -> P) -> Result<Slot, Fault> {
        let Some(gate) = self.gates.get(slug) else {
            return Err(Fault::new(Code::Internal, format!("`{slug}` has no gate")));
        };
        if let Some(slot) = gate.try_enter() {
            return Ok(slot);
        }
        match gate.enter(patience()).await {
            Wait::Entered(slot) => Ok(slot),
            Wait::Full => Err(Fault::new(Code::TooBusy, format!("`{slug}` is busy and its queue is full")).because(format!(
                "{} calls run and {} wait",
                gate.width().calls,
                gate.width().waiting
            ))),
            Wait::Expired => Err(Fault::new(Code::DeadlineExceeded, format!("the call ran out of time waiting for `{slug}`"))
                .because(format!("all of its {} calls at once were taken", gate.width().calls))),
        }
    }

    /// Returns how many calls run at an upstream and how many wait.
    #[must_use]
    pub fn load(&self, slug: &Slug) -> Option<Load> {
        self.gates.get(slug).map(|gate| gate.load())
    }
}

/// How busy an upstream is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    pub running: u32,
    pub waiting: u32,
}
