//! A server that a person can switch off: it ends, and is not started by calls until it is switched on again.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crib_model::{BoxFuture, Code, Fault, Forward, Health, Reply, Slug, Upstream};
use crib_store::{Document, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The name of the file in the data directory.
const FILE: &str = "stopped.json";
/// Largest file: more names than any configuration has.
const BYTES_MAX: usize = 1024 * 1024;

/// Which servers somebody stopped, and where that is kept for the next gateway.
#[derive(Debug, Default)]
pub struct Switches {
    file: Option<Document>,
    off: Mutex<BTreeSet<Slug>>,
}

struct Switched(Arc<Inner>);

struct Inner {
    slug: Slug,
    upstream: Arc<dyn Upstream>,
    is_off: AtomicBool,
    switches: Arc<Switches>,
    /// Rung when it is switched on.
    on: Notify,
}

/// Puts a switch before a server. It is off if somebody stopped the server.
#[must_use]
pub fn switch(slug: &Slug, upstream: Arc<dyn Upstream>, switches: &Arc<Switches>) -> Arc<dyn Upstream> {
    let is_off = AtomicBool::new(switches.off.lock().contains(slug));
    Arc::new(Switched(Arc::new(Inner { slug: slug.clone(), upstream, is_off, switches: Arc::clone(switches), on: Notify::new() })))
}

impl Switches {
    /// Reads which servers of a data directory were stopped. What cannot be read is said, and stops none.
    #[must_use]
    pub fn of(directory: &Path) -> Self {
        let file = Document::new(directory.join(FILE), "toolcrib-stopped", BYTES_MAX);
        let off = file.read().map(|body| parse(body.as_deref())).unwrap_or_else(|error| {
            tracing::warn!("which servers were stopped is not known: {error}");
            BTreeSet::new()
        });
        Self { file: Some(file), off: Mutex::new(off) }
    }

    /// Forgets servers that are not there any more.
    pub fn keep_only(&self, is_there: impl Fn(&Slug) -> bool) {
        let mut off = self.off.lock();
        let before = off.len();
        off.retain(is_there);
        if off.len() < before {
            self.save(&off);
        }
    }

    /// Keeps what somebody did. They wait for it, and no call does.
    fn set(&self, slug: &Slug, is_off: bool) {
        let mut off = self.off.lock();
        let has_changed = if is_off { off.insert(slug.clone()) } else { off.remove(slug) };
        if has_changed {
            self.save(&off);
        }
    }

    fn save(&self, off: &BTreeSet<Slug>) {
        let names: Vec<&str> = off.iter().map(Slug::as_str).collect();
        let body = serde_json::to_vec(&names).unwrap_or_default();
        let saved = self.file.as_ref().map(|file| file.update(|_old| Ok::<_, StoreError>((Some(body), ()))));
        if let Some(Err(error)) = saved {
            tracing::warn!("the next gateway will not know which servers were stopped: {error}");
        }
    }
}

fn parse(body: Option<&[u8]>) -> BTreeSet<Slug> {
    let names: Vec<String> = body.and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    names.iter().filter_map(|name| Slug::parse(name)).collect()
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
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            inner.switches.set(&inner.slug, true);
            inner.upstream.rest().await;
        })
    }

    fn start(&self) {
        self.0.is_off.store(false, Ordering::Release);
        self.0.switches.set(&self.0.slug, false);
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
        let server = switch(&Slug::from_name("files"), Arc::clone(&fake) as Arc<dyn Upstream>, &Arc::default());
        assert!(server.call(forward()).await.is_ok());
        server.stop().await;
        let refused = server.call(forward()).await.unwrap_err();
        assert_eq!((refused.code(), refused.message()), (Code::ServerStopped, "`files` was stopped"));
        assert_eq!((server.health().state, server.health().fault.is_none(), fake.0.load(Ordering::SeqCst)), ("stopped", true, 1));
        server.start();
        assert!(server.call(forward()).await.is_ok());
        assert_eq!(server.health().state, "running");
    }

    #[tokio::test]
    async fn the_next_gateway_knows_what_was_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let (files, git) = (Slug::from_name("files"), Slug::from_name("git"));
        let state = |slug: &Slug, switches: &Arc<Switches>| switch(slug, Arc::new(Fake::default()), switches).health().state;
        let first = Arc::new(Switches::of(folder.path()));
        for slug in [&files, &git] {
            switch(slug, Arc::new(Fake::default()), &first).stop().await;
        }
        let second = Arc::new(Switches::of(folder.path()));
        assert_eq!((state(&files, &second), state(&git, &second)), ("stopped", "stopped"));
        switch(&files, Arc::new(Fake::default()), &second).start();
        second.keep_only(|slug| *slug == files);
        let third = Arc::new(Switches::of(folder.path()));
        assert_eq!((state(&files, &third), state(&git, &third)), ("running", "running"), "one was started, one is gone");
        std::fs::write(folder.path().join(FILE), "not a document").unwrap();
        assert_eq!(state(&files, &Arc::new(Switches::of(folder.path()))), "running");
    }
}
