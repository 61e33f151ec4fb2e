//! From a description of a server to something that can be called.

use std::sync::Arc;
use std::time::Duration;

use crib_model::{BoxFuture, Fault, Forward, Health, Reply, Upstream};

use crate::http::Http;
use crate::options::{ConnectorOptions, Shared, Source};
use crate::stdio::Stdio;

/// Makes the connector for a server. Nothing is started or contacted before the first call.
#[must_use]
pub fn connect(options: ConnectorOptions, shared: Arc<Shared>) -> Arc<dyn Upstream> {
    match options.source.clone() {
        Source::Stdio(command) => Arc::new(Connector(Stdio::new(options, command, shared))),
        Source::Http { url, headers } => Arc::new(Connector(Http::new(options, (url, &headers), &shared, false))),
        Source::Sse { url, headers } => Arc::new(Connector(Http::new(options, (url, &headers), &shared, true))),
    }
}

/// What a connector does; it is shared by the calls in progress.
pub(crate) trait Connect: Send + Sync + 'static {
    fn call(self: Arc<Self>, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>>;
    fn timeout(&self) -> Duration;
    fn health(&self) -> Health;
    fn close(self: Arc<Self>) -> BoxFuture<'static, ()>;

    fn pids(&self) -> Vec<u32> {
        Vec::new()
    }

    fn woken(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    fn rest(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Connector<C>(Arc<C>);

impl<C: Connect> Upstream for Connector<C> {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        Arc::clone(&self.0).call(forward)
    }

    fn timeout(&self) -> Option<Duration> {
        Some(self.0.timeout())
    }

    fn health(&self) -> Health {
        self.0.health()
    }

    fn pids(&self) -> Vec<u32> {
        self.0.pids()
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        Arc::clone(&self.0).woken()
    }

    fn rest(&self) -> BoxFuture<'static, ()> {
        Arc::clone(&self.0).rest()
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        Arc::clone(&self.0).close()
    }
}
