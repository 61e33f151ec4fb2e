//! The parts put together: from a compiled configuration to a running data plane, and to the next one on a reload.

mod http;
pub(crate) mod package;
mod setup;

pub(crate) use http::{Calls, PlainHttp};

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crib_cluster::Cluster;
use crib_control::audit::AuditLog;
use crib_control::secrets::Mark;
use crib_control::{Catalogue, Compiled, CompiledServer, Figures, Metrics, Source, Switches};
use crib_model::{Clock, Code, Elsewhere, Entropy, Fault, Slug, Upstream};
use crib_package::{Lock, Locked};
use crib_policy::Seal;
use crib_proxy::{Parts, Plane, Server};
use crib_transport::{ClientOptions, HttpClient};
use parking_lot::Mutex;
use tokio_util::task::TaskTracker;

use crate::machine::Machine;
use crate::pins;
use crate::shop::{self, Believed, Shop};
use crate::telemetry::{AccessLog, Book, Exporter, Gauges, Spans, Telemetry, expose};

/// How long calls under way may still use a server that is no longer configured.
const RETIRE: Duration = Duration::from_secs(30);

/// One running gateway without its listeners.
pub(crate) struct Instance {
    pub(crate) plane: Arc<Plane>,
    telemetry: Arc<Telemetry>,
    connectors: Arc<crib_connect::Shared>,
    catalogue: Catalogue,
    switches: Arc<Switches>,
    exporter: Option<Exporter>,
    cluster: Option<Arc<Cluster>>,
    tracker: TaskTracker,
    servers: Mutex<HashMap<Slug, Running>>,
    shop: Mutex<Option<Arc<Shop>>>,
}

#[derive(Clone)]
struct Running {
    server: CompiledServer,
    /// Tells the secrets it was started with from newer ones.
    secrets: Mark,
    /// What the lockfile had for it.
    locked: Option<Locked>,
    upstream: Arc<dyn Upstream>,
}

impl Running {
    /// Returns whether the lockfile still says the same of it; what it may have stands there.
    fn is_locked_as(&self, lock: &Lock) -> bool {
        self.locked.as_ref() == lock.get(&shop::owner(&self.server), &self.server.name)
    }
}

/// Opens the store, where there is a server from a package.
fn shop(compiled: &Compiled, known: Option<Arc<Shop>>) -> Result<(Option<Arc<Shop>>, Lock), Fault> {
    if !compiled.servers.iter().any(|server| matches!(server.source, Source::Package(_))) {
        return Ok((known, Lock::default()));
    }
    let shop = match known {
        Some(shop) => shop,
        None => Arc::new(Shop::open(Believed::of(&compiled.packages)?)?),
    };
    let lock = shop.lock()?;
    Ok((Some(shop), lock))
}

impl Instance {
    /// Puts the parts together. Starts no server.
    pub(crate) fn new(compiled: &Compiled) -> Result<Self, Fault> {
        Self::with(compiled, Switches::default())
    }

    /// Does so with the user's own configuration: what somebody stopped stays so.
    pub(crate) fn own(compiled: &Compiled) -> Result<Self, Fault> {
        Self::with(compiled, pins::data_directory().map(|data| Switches::of(&data)).unwrap_or_default())
    }

    fn with(compiled: &Compiled, switches: Switches) -> Result<Self, Fault> {
        let switches = Arc::new(switches);
        let clock: Arc<dyn Clock> = Arc::new(Machine);
        let entropy: Arc<dyn Entropy> = Arc::new(Machine);
        let http = HttpClient::new(ClientOptions::default())?;
        let tracker = TaskTracker::new();
        let (spans, exporter) = match &compiled.traces {
            Some(traces) => {
                let (spans, queue) = Spans::new(traces.ratio);
                (Some(spans), Some(Exporter::start(&traces.endpoint, queue, http.clone(), &tracker)?))
            }
            None => (None, None),
        };
        let audit = compiled.audit.as_ref().map(|path| audit(path, &clock)).transpose()?;
        let telemetry = Telemetry::new(AccessLog::open(&compiled.access_log)?, audit, spans);
        let catalogue = Catalogue::new(Arc::clone(&telemetry) as Arc<dyn Figures>);
        let connectors =
            Arc::new(crib_connect::Shared { http, clock: Arc::clone(&clock), entropy: Arc::clone(&entropy), tracker: tracker.clone() });
        let mut running = HashMap::new();
        let (shop, lock) = shop(compiled, None)?;
        let parts = setup::Parts { shared: &connectors, catalogue: &catalogue, switches: &switches, shop: shop.clone(), lock };
        let servers = setup::servers(&compiled.servers, &mut running, &parts)?;
        let setup = setup::setup(compiled, servers)?;
        let (cluster, seal) = match compiled.cluster.as_ref().map(setup::cluster).transpose()? {
            Some(options) => {
                let seal = Seal::new(&options.secret.seal_key(), Arc::clone(&entropy));
                (Some(Cluster::new(&options, &*entropy)?), seal)
            }
            None => (None, Seal::random(Arc::clone(&entropy))),
        };
        let elsewhere = cluster.clone().map(|cluster| cluster as Arc<dyn Elsewhere>);
        let ledger = Arc::clone(&telemetry) as Arc<dyn crib_model::Ledger>;
        let plane = Plane::new(Parts { setup, ledger, clock, entropy, seal, elsewhere });
        catalogue.attach(&plane);
        let (servers, shop) = (Mutex::new(running), Mutex::new(shop));
        Ok(Self { plane, telemetry, connectors, catalogue, switches, exporter, cluster, tracker, servers, shop })
    }

    /// Goes over to another configuration. Servers that did not change run on; calls under way are not disturbed.
    pub(crate) fn reload(&self, compiled: &Compiled) -> Result<(), Fault> {
        let believed = Believed::of(&compiled.packages)?;
        let (shop, lock) = shop(compiled, self.shop.lock().clone())?;
        self.shop.lock().clone_from(&shop);
        let mut running = self.servers.lock();
        let mut next: HashMap<Slug, Running> = HashMap::new();
        // What is taken over is put back when the rest turns out to be wrong.
        for server in &compiled.servers {
            if let Some(same) = running.get(&server.slug).filter(|known| known.server == *server && known.is_locked_as(&lock)) {
                next.insert(server.slug.clone(), same.clone());
            }
        }
        let parts = setup::Parts { shared: &self.connectors, catalogue: &self.catalogue, switches: &self.switches, shop, lock };
        let servers: Vec<Server> = setup::servers(&compiled.servers, &mut next, &parts)?;
        self.plane.swap(setup::setup(compiled, servers)?);
        if let Some(shop) = &*self.shop.lock() {
            shop.believe(believed);
        }
        self.plane.warm();
        self.forget_others(compiled);
        let old = std::mem::replace(&mut *running, next);
        let is_kept = |old: &Arc<dyn Upstream>| running.values().any(|new| Arc::ptr_eq(&new.upstream, old));
        for Running { upstream, .. } in old.into_values().filter(|old| !is_kept(&old.upstream)) {
            self.tracker.spawn(async move {
                tokio::time::sleep(RETIRE).await;
                upstream.close().await;
            });
        }
        Ok(())
    }

    /// Forgets who was stopped and is not there any more: what comes again by that name was stopped by nobody.
    pub(crate) fn forget_others(&self, compiled: &Compiled) {
        self.switches.keep_only(|slug| compiled.servers.iter().any(|server| server.slug == *slug));
    }

    /// Goes over to new files where logs were moved away.
    pub(crate) fn reopen_logs(&self) {
        if let Some(audit) = &self.telemetry.audit {
            audit.reopen();
        }
    }

    /// Returns the plain HTTP interface.
    pub(crate) fn routes(&self, compiled: &Compiled) -> Arc<PlainHttp> {
        let metrics = compiled.metrics.clone().map(|path| (path, self.metrics()));
        Arc::new(PlainHttp::new(&self.plane, &self.telemetry, metrics, &compiled.servers))
    }

    fn metrics(&self) -> Metrics {
        let (plane, telemetry) = (Arc::clone(&self.plane), Arc::clone(&self.telemetry));
        Arc::new(move || {
            let servers = plane.servers().into_iter().map(|server| (server.slug, server.health)).collect();
            let mut left_out = BTreeMap::new();
            for row in plane.left_out(&Arc::new(crib_model::Principal::anonymous())) {
                *left_out.entry((row.slug, row.why.state())).or_default() += 1;
            }
            expose(&telemetry, Gauges { servers, sessions: plane.session_count(), left_out })
        })
    }

    /// Lets the other replicas find this one, where there are any: it listens now.
    pub(crate) fn join(&self) {
        if let Some(cluster) = &self.cluster {
            cluster.join();
        }
    }

    /// Keeps calls from now on, for people who ask what was called.
    pub(crate) fn keep_calls(&self, compiled: &Compiled) {
        self.telemetry.recent.keep(&Book::of(compiled));
    }

    /// Ends everything and waits for it.
    pub(crate) async fn close(self) {
        if let Some(cluster) = self.cluster {
            cluster.close().await;
        }
        self.plane.close().await;
        if let Some(exporter) = self.exporter {
            exporter.close().await;
        }
        self.telemetry.close();
        self.connectors.http.close().await;
    }
}

/// Opens the audit log. Without it nothing is served: who wants one wants all of it.
fn audit(path: &Path, clock: &Arc<dyn Clock>) -> Result<AuditLog, Fault> {
    AuditLog::open(path, Arc::clone(clock)).map_err(|error| Fault::new(Code::AuditUnusable, error.to_string()))
}
