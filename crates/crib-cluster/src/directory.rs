//! The directory of the replicas that run: in Redis, with what was read there last for when it is away.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_model::{Code, Fault, Replica};
use crib_transport::Endpoint;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};

use crate::keys::Keys;

/// How often a replica says that it runs.
const BEAT: Duration = Duration::from_secs(2);
/// How often it is tried while Redis is away.
const BEAT_AWAY: Duration = Duration::from_millis(500);
/// How long it is believed without having said so again.
const LIFE: Duration = Duration::from_secs(10);
/// How long an answer of Redis is used again.
const FRESH: Duration = Duration::from_secs(1);
/// How long after a connection was opened a missing entry says nothing: where Redis forgot everything, those that run
/// have yet to say so again.
const SETTLE: Duration = Duration::from_secs(6);
/// Longest wait for Redis to accept a connection, and for one answer.
const CONNECT_WAIT: Duration = Duration::from_secs(2);
const ANSWER_WAIT: Duration = Duration::from_secs(1);
/// Replicas remembered at once; beyond it all are asked for again.
const KNOWN_MAX: usize = 1024;

/// A replica as it was found.
#[derive(Clone)]
struct Known {
    endpoint: Endpoint,
    since: Instant,
}

#[derive(Clone)]
struct Open {
    connection: MultiplexedConnection,
    since: Instant,
}

pub(crate) struct Directory {
    client: Client,
    connection: Mutex<Option<Open>>,
    keys: Arc<Keys>,
    known: Mutex<HashMap<Replica, Known>>,
    trouble: Mutex<Option<Fault>>,
}

impl Directory {
    /// Reads where Redis is. Nothing is opened yet.
    pub(crate) fn new(url: &str, keys: Arc<Keys>) -> Result<Self, Fault> {
        // What is wrong with the text is not repeated: a password may stand in it.
        let invalid =
            |error: RedisError| Fault::new(Code::ConfigInvalid, "`cluster.redis` is not the URL of a Redis").because(error.category());
        let client = Client::open(url).map_err(invalid)?;
        let starting = Fault::new(Code::ReplicaUnreachable, "Redis has not been asked yet");
        Ok(Self { client, connection: Mutex::default(), keys, known: Mutex::default(), trouble: Mutex::new(Some(starting)) })
    }

    /// Returns why Redis does not answer at the moment.
    pub(crate) fn trouble(&self) -> Option<Fault> {
        self.trouble.lock().clone()
    }

    /// Says that a replica runs, and returns when to say so again.
    pub(crate) async fn beat(&self, replica: Replica, url: &str) -> Duration {
        let mut command = redis::cmd("SET");
        command.arg(self.name(replica)).arg(self.keys.entry(replica, url)).arg("PX").arg(millis(LIFE));
        if self.connection.lock().is_none() {
            self.connect().await;
        }
        match self.ask::<()>(&command).await {
            Ok(()) => BEAT,
            Err(_) => BEAT_AWAY,
        }
    }

    /// Says that a replica does not run any more.
    pub(crate) async fn leave(&self, replica: Replica) {
        let mut command = redis::cmd("DEL");
        // Without this it is forgotten a little later.
        drop(self.ask::<()>(command.arg(self.name(replica))).await);
    }

    /// Finds out where a replica is; `None` when it does not run.
    ///
    /// # Errors
    /// Redis does not answer, and the replica is not known from before.
    pub(crate) async fn find(&self, replica: Replica) -> Result<Option<Endpoint>, Fault> {
        let known = self.known.lock().get(&replica).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.since.elapsed() < FRESH) {
            return Ok(Some(known.endpoint.clone()));
        }
        let mut command = redis::cmd("GET");
        let entry = match self.ask::<Option<String>>(command.arg(self.name(replica))).await {
            Ok(None) if self.is_settling() => Err(self.away("it has just come back")),
            answer => answer,
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(fault) => return known.map(|known| Some(known.endpoint)).ok_or(fault),
        };
        let endpoint = entry.as_deref().and_then(|entry| self.keys.url(replica, entry)).and_then(|url| Endpoint::parse(url).ok());
        let mut known = self.known.lock();
        let Some(endpoint) = endpoint else {
            known.remove(&replica);
            return Ok(None);
        };
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(replica, Known { endpoint: endpoint.clone(), since: Instant::now() });
        Ok(Some(endpoint))
    }

    fn name(&self, replica: Replica) -> String {
        format!("{}{replica}", self.keys.prefix)
    }

    /// Asks Redis, where there is a connection. One that fails is thrown away, and the next beat opens another: nobody
    /// who looks for a replica waits for that.
    async fn ask<T: redis::FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Fault> {
        let open = self.connection.lock().clone();
        let Some(Open { mut connection, since }) = open else {
            return Err(self.trouble().unwrap_or_else(|| self.away("there is no connection")));
        };
        match tokio::time::timeout(ANSWER_WAIT, command.query_async(&mut connection)).await {
            Ok(Ok(value)) => {
                if self.trouble.lock().take().is_some() {
                    tracing::info!(redis = %self.address(), "the directory of the replicas answers");
                }
                Ok(value)
            }
            Ok(Err(error)) => Err(self.fail(&error.to_string(), Some(since))),
            Err(_late) => Err(self.fail("it does not answer in time", Some(since))),
        }
    }

    async fn connect(&self) {
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT_WAIT)).set_response_timeout(Some(ANSWER_WAIT));
        let opening = Box::pin(self.client.get_multiplexed_async_connection_with_config(&config));
        match tokio::time::timeout(CONNECT_WAIT + ANSWER_WAIT, opening).await {
            Ok(Ok(connection)) => *self.connection.lock() = Some(Open { connection, since: Instant::now() }),
            Ok(Err(error)) => drop(self.fail(&error.to_string(), None)),
            Err(_late) => drop(self.fail("it does not accept a connection in time", None)),
        }
    }

    /// Notes that Redis is away, and throws away the connection that says so.
    fn fail(&self, why: &str, of: Option<Instant>) -> Fault {
        let mut connection = self.connection.lock();
        if connection.as_ref().is_some_and(|open| Some(open.since) == of) {
            *connection = None;
        }
        drop(connection);
        let fault = self.away(why);
        // Before the first answer there is trouble without a cause, which nobody was told of.
        let is_news = self.trouble.lock().replace(fault.clone()).is_none_or(|before| before.causes().is_empty());
        if is_news {
            tracing::warn!("{fault}");
        }
        fault
    }

    fn is_settling(&self) -> bool {
        self.connection.lock().as_ref().is_none_or(|open| open.since.elapsed() < SETTLE)
    }

    fn away(&self, why: &str) -> Fault {
        let message = format!("the directory of the replicas, Redis at {}, does not answer", self.address());
        Fault::new(Code::ReplicaUnreachable, message).because(why).hint("see that Redis runs and can be reached from here")
    }

    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
