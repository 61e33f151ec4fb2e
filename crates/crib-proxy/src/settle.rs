//! Hop 8: one entry for every call, written exactly once, whatever became of it.

use std::sync::Arc;
use std::time::Instant;

use crib_mcp::Method;
use crib_model::{Client, Clock, Code, Ending, Entry, Fault, Ledger, Principal, Slug, TraceContext};

/// The open account of one call. Dropping it unsettled writes the call down as abandoned.
pub(crate) struct Ticket {
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    opened: Instant,
    entry: Entry,
    is_settled: bool,
}

impl Ticket {
    pub(crate) fn open(
        ledger: &Arc<dyn Ledger>,
        clock: &Arc<dyn Clock>,
        principal: &Arc<Principal>,
        client: &Client,
        method: Method,
    ) -> Self {
        let opened = clock.now();
        let entry = Entry {
            principal: Arc::clone(principal),
            client: client.revision,
            client_name: client.label.clone(),
            method,
            upstream: None,
            target: None,
            ending: Ending::Abandoned,
            latency: std::time::Duration::ZERO,
            ended: opened,
            request_bytes: 0,
            reply_bytes: 0,
            trace: None,
            parent_span: None,
        };
        Self { ledger: Arc::clone(ledger), clock: Arc::clone(clock), opened, entry, is_settled: false }
    }

    pub(crate) fn opened(&self) -> Instant {
        self.opened
    }

    pub(crate) fn sized(&mut self, request_bytes: usize) {
        self.entry.request_bytes = request_bytes;
    }

    pub(crate) fn traced(&mut self, trace: Option<TraceContext>, parent_span: Option<u64>) {
        self.entry.trace = trace;
        self.entry.parent_span = parent_span;
    }

    pub(crate) fn routed(&mut self, upstream: Slug, target: Option<Arc<str>>) {
        self.entry.upstream = Some(upstream);
        self.entry.target = target;
    }

    /// Writes the call down. Only the first time counts.
    pub(crate) fn settle(&mut self, ending: Ending, reply_bytes: usize) {
        if !std::mem::replace(&mut self.is_settled, true) {
            self.entry.ending = ending;
            self.entry.reply_bytes = reply_bytes;
            self.entry.ended = self.clock.now();
            self.entry.latency = self.entry.ended.saturating_duration_since(self.opened);
            self.ledger.settle(&self.entry);
        }
    }

    pub(crate) fn fail(&mut self, fault: &Fault) {
        self.settle(Ending::Failed(fault.code()), 0);
    }

    pub(crate) fn refuse(&mut self, code: Code) {
        self.settle(Ending::Failed(code), 0);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.settle(Ending::Abandoned, 0);
    }
}
