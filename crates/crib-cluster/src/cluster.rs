//! One replica among the others: it says that it runs, and hands on what another one holds.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crib_model::{Answer, Astray, BoxFuture, Code, Elsewhere, Entropy, Fault, Inbound, Replica, limits};
use crib_transport::{ClientOptions, Endpoint, HttpClient};
use secrecy::{ExposeSecret as _, SecretString};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::directory::Directory;
use crate::forward::{self, PROOF};
use crate::frames::Gone;
use crate::keys::{ClusterSecret, Keys};

/// How often it is looked whether the replica that has a call still runs.
const WATCH: Duration = Duration::from_secs(2);
/// Longest wait for another replica to accept a connection; they are near.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

/// What a replica has to know.
#[derive(Clone, Debug)]
pub struct Options {
    /// URL of Redis; `rediss://` for TLS. A password may stand in it.
    pub redis: SecretString,
    /// Where the other replicas reach this one.
    pub url: String,
    pub secret: ClusterSecret,
}

/// One replica.
pub struct Cluster {
    here: Replica,
    url: String,
    keys: Arc<Keys>,
    directory: Arc<Directory>,
    http: HttpClient,
    tracker: TaskTracker,
    closing: CancellationToken,
    me: Weak<Self>,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("here", &self.here).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reads the options. Nothing is opened or said before [`Cluster::join`].
    ///
    /// # Errors
    /// TC0101 where a URL is none.
    pub fn new(options: &Options, entropy: &dyn Entropy) -> Result<Arc<Self>, Fault> {
        let keys = Arc::new(Keys::of(&options.secret));
        Endpoint::parse(&options.url)?;
        let http = ClientOptions {
            // A stream for each session of another replica, and calls beside them.
            connections_max: limits::SESSIONS_MAX * 2,
            connect_timeout: CONNECT_WAIT,
            ..ClientOptions::default()
        };
        let (directory, http) = (Directory::new(options.redis.expose_secret(), Arc::clone(&keys))?, HttpClient::new(http)?);
        let mut name = [0; 8];
        entropy.fill(&mut name);
        Ok(Arc::new_cyclic(|me| Self {
            here: Replica(u64::from_le_bytes(name)),
            url: options.url.clone(),
            keys,
            directory: Arc::new(directory),
            http,
            tracker: TaskTracker::new(),
            closing: CancellationToken::new(),
            me: Weak::clone(me),
        }))
    }

    /// Lets the others find this replica from now on.
    pub fn join(self: &Arc<Self>) {
        let cluster = Arc::clone(self);
        self.tracker.spawn(async move {
            loop {
                let pause = cluster.directory.beat(cluster.here, &cluster.url).await;
                tokio::select! {
                    () = cluster.closing.cancelled() => return cluster.directory.leave(cluster.here).await,
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// Leaves the others, and waits for it.
    pub async fn close(&self) {
        self.closing.cancel();
        self.tracker.close();
        self.tracker.wait().await;
        self.http.close().await;
    }

    async fn hand_on(self: Arc<Self>, to: Replica, inbound: Inbound) -> Result<Answer, Astray> {
        let was_handed_on = inbound.headers.get(PROOF).and_then(|proof| proof.to_str().ok()).is_some_and(|proof| self.keys.proves(proof));
        if was_handed_on {
            return Err(Astray::Gone);
        }
        let replica = match self.directory.find(to).await {
            Ok(Some(replica)) => replica,
            Ok(None) => return Err(Astray::Gone),
            Err(fault) => return Err(Astray::Unreachable(fault)),
        };
        let gone = || gone(Arc::clone(&self.directory), to);
        forward::send(&self.http, &replica, (inbound, self.keys.proof(to)), gone).await
    }
}

/// Waits until a replica does not run any more.
fn gone(directory: Arc<Directory>, replica: Replica) -> Gone {
    Box::pin(async move {
        loop {
            tokio::time::sleep(WATCH).await;
            if let Ok(None) = directory.find(replica).await {
                return;
            }
        }
    })
}

impl Elsewhere for Cluster {
    fn here(&self) -> Replica {
        self.here
    }

    fn forward(&self, to: Replica, inbound: Inbound) -> BoxFuture<'static, Result<Answer, Astray>> {
        match self.me.upgrade() {
            Some(cluster) => Box::pin(cluster.hand_on(to, inbound)),
            None => {
                let fault = Fault::new(Code::ReplicaUnreachable, "this replica is about to end");
                Box::pin(std::future::ready(Err(Astray::Unreachable(fault))))
            }
        }
    }

    fn trouble(&self) -> Option<Fault> {
        self.directory.trouble()
    }
}
