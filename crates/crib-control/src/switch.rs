//! A server that a person can switch off: it ends, and is not started by calls until it is switched on again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crib_model::{BoxFuture, Code, Fault, Forward, Health, Reply, Slug, Upstream};
use tokio::sync::Notify;

struct Switched(Arc<Inner>);

struct Inner {
    slug: Slug,
    upstream: Arc<dyn Upstream>,
    is_off: AtomicBool,
    /// Rung when it is switched on.
    on: Notify,
}

/// Puts a switch before a server.
#[must_use]
pub fn switch(slug: &Slug, upstream: Arc<dyn Upstream>) -> Arc<dyn Upstream> {
    Arc::new(Switched(Arc::new(Inner { slug: slug.clone(), upstream, is_off: AtomicBool::new(false), on: Notify::new() })))
}

impl Inner {
    fn is_off(&self) -> bool {
        self.is_off.load(Ordering::Acquire)
    }

    async fn switched_on(&self) {
        loop {
            let on = self.on.notified();
            tokio::pin!(on);
            on.as_mut().enable();
            if !self.is_off() {
                return;
            }
            on.await;
        }
    }
}

impl Upstream for Switched {
    fn call(&self, forward: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
        if self.0.is_off() {
            let slug = &self.0.slug;
            let fault = Fault::new(Code::ServerStopped, format!("`{slug}` was stopped")).hint(format!("start it: toolcrib run {slug}"));
            return Box::pin(std::future::ready(Err(fault)));
        }
        self.0.upstream.call(forward)
    }

    fn timeout(&self) -> Option<Duration> {
        self.0.upstream.timeout()
    }

    fn health(&self) -> Health {
        let health = self.0.upstream.health();
        if self.0.is_off() { Health { state: "stopped", fault: None, ..health } } else { health }
    }

    fn pids(&self) -> Vec<u32> {
        self.0.upstream.pids()
    }

    fn woken(&self) -> BoxFuture<'static, ()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            inner.switched_on().await;
            inner.upstream.woken().await;
        })
    }

    fn rest(&self) -> BoxFuture<'static, ()> {
        self.0.upstream.rest()
    }

    fn stop(&self) -> BoxFuture<'static, ()> {
        // Calls are refused before anything ends, so that none of them starts it again.
        self.0.is_off.store(true, Ordering::Release);
        self.0.upstream.rest()
    }

    fn start(&self) {
        self.0.is_off.store(false, Ordering::Release);
        self.0.on.notify_waiters();
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        self.0.upstream.close()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Instant;

    use crib_mcp::{ClientCaps, Method, Payload, Revision};
    use crib_model::{Client, Outcome, Principal};

    use super::*;

    /// Counts how often it was put to rest.
    #[derive(Default)]
    struct Fake(AtomicUsize);

    impl Upstream for Fake {
        fn call(&self, _: Arc<Forward>) -> BoxFuture<'static, Result<Reply, Fault>> {
            Box::pin(async { Ok(Reply::Done(Outcome::Complete(Payload::default(), Revision::LATEST))) })
        }

        fn health(&self) -> Health {
            Health { state: "running", fault: Some(Fault::new(Code::ServerGone, "gone")), ..Health::default() }
        }

        fn rest(&self) -> BoxFuture<'static, ()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            Box::pin(std::future::ready(()))
        }

        fn close(&self) -> BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }
    }

    fn forward() -> Arc<Forward> {
        Arc::new(Forward {
            method: Method::ToolsCall,
            params: Payload::default(),
            target: None,
            param_headers: None,
            client: Arc::new(Client::new(Revision::LATEST, ClientCaps::none(), None)),
            principal: Arc::new(Principal::anonymous()),
            log_level: None,
            progress_token: None,
            inputs: None,
            trace: None,
            deadline: Instant::now() + Duration::from_secs(5),
        })
    }

    #[tokio::test]
    async fn what_was_stopped_says_so_until_it_is_started() {
        let fake = Arc::new(Fake::default());
        let server = switch(&Slug::from_name("files"), Arc::clone(&fake) as Arc<dyn Upstream>);
        assert!(server.call(forward()).await.is_ok());
        server.stop().await;
        let refused = server.call(forward()).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::ServerStopped, "`files` was stopped"));
        assert_eq!((server.health().state, server.health().fault.is_none(), fake.0.load(Ordering::SeqCst)), ("stopped", true, 1));
        server.start();
        assert!(server.call(forward()).await.is_ok());
        assert_eq!(server.health().state, "running");
    }
}
