//! The real binary, started with a configuration, waited for and reaped.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tokio::{net::TcpStream, process::Child, process::Command, time::Instant};

use crate::{settings, wait};

const START: Duration = Duration::from_secs(20);
const STOP: Duration = Duration::from_secs(10);

/// What the gateway is configured with. This file alone knows the shape of the configuration.
#[derive(Debug, Clone)]
pub struct Config {
    servers: Map<String, Value>,
    keys: Vec<Value>,
    gateway: Map<String, Value>,
    observability: Map<String, Value>,
    cluster: Option<(SocketAddr, String)>,
}

/// A running gateway; dropping it kills the process, [`Gateway::stop`] ends it politely.
#[derive(Debug)]
pub struct Gateway {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    dir: PathBuf,
}

/// Returns a folder of this test's own, below the build folder.
///
/// # Errors
/// When it cannot be created.
pub fn scratch(name: &str) -> Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = settings::build_dir().join("spec-scratch").join(format!("{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
    Ok(dir)
}

/// Returns a loopback port nobody listens on at this moment.
///
/// # Errors
/// When the system has none.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Default for Config {
    fn default() -> Self {
        Self::new()
    }
}

impl Config {
    /// Returns a configuration without servers or keys.
    #[must_use]
    pub fn new() -> Self {
        Self { servers: Map::new(), keys: Vec::new(), gateway: Map::new(), observability: Map::new(), cluster: None }
    }

    /// Returns a configuration of one server whose tools keep their own names.
    #[must_use]
    pub fn plain(name: &str, server: Value) -> Self {
        Self::new().server(name, server).gateway("toolNames", json!("{tool}"))
    }

    /// Adds a server.
    #[must_use]
    pub fn server(mut self, name: &str, server: Value) -> Self {
        self.servers.insert(name.to_owned(), server);
        self
    }

    /// Adds a key that may use everything.
    #[must_use]
    pub fn key(self, name: &str, secret: &str) -> Self {
        self.key_with(json!({ "name": name, "secret": secret }))
    }

    /// Adds a key as written.
    #[must_use]
    pub fn key_with(mut self, key: Value) -> Self {
        self.keys.push(key);
        self
    }

    /// Sets a field of the `gateway` section.
    #[must_use]
    pub fn gateway(mut self, field: &str, value: Value) -> Self {
        self.gateway.insert(field.to_owned(), value);
        self
    }

    /// Sets a field of the `observability` section.
    #[must_use]
    pub fn observability(mut self, field: &str, value: Value) -> Self {
        self.observability.insert(field.to_owned(), value);
        self
    }

    /// Makes it one of the replicas that meet in this Redis and share this secret.
    #[must_use]
    pub fn cluster(mut self, redis: SocketAddr, secret: &str) -> Self {
        self.cluster = Some((redis, secret.to_owned()));
        self
    }

    /// Writes the configuration into a folder of its own.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, address: SocketAddr) -> Result<PathBuf> {
        let file = scratch("gateway")?.join("toolcrib.yaml");
        std::fs::write(&file, self.render(address))?;
        Ok(file)
    }

    fn render(&self, address: SocketAddr) -> String {
        let mut gateway = self.gateway.clone();
        gateway.insert("listen".to_owned(), json!(address.to_string()));
        // The tools of the fixtures change as the tests want; pins have tests of their own.
        gateway.entry("pins").or_insert_with(|| json!({ "mode": "off" }));
        let mut root = json!({ "version": 1, "gateway": gateway, "servers": self.servers });
        if let (false, Some(root)) = (self.keys.is_empty(), root.as_object_mut()) {
            root.insert("keys".to_owned(), json!(self.keys));
        }
        if let (false, Some(root)) = (self.observability.is_empty(), root.as_object_mut()) {
            root.insert("observability".to_owned(), json!(self.observability));
        }
        if let (Some((redis, secret)), Some(root)) = (&self.cluster, root.as_object_mut()) {
            let url = format!("http://{address}");
            root.insert("cluster".to_owned(), json!({ "redis": format!("redis://{redis}"), "url": url, "secret": secret }));
        }
        // JSON is YAML.
        format!("{root:#}\n")
    }
}

/// Returns a server started by a command.
#[must_use]
pub fn stdio_server(program: &Path, args: &[&str]) -> Value {
    json!({ "command": program.display().to_string(), "args": args })
}

/// Returns a server reached by URL.
#[must_use]
pub fn url_server(url: &str) -> Value {
    json!({ "url": url })
}

impl Gateway {
    /// Writes the configuration, starts the binary and waits until it accepts connections.
    ///
    /// # Errors
    /// When the binary is missing, ends early or does not listen in time; its standard error is part of the message.
    pub async fn start(config: &Config) -> Result<Self> {
        let binary = settings::gateway_binary();
        if !binary.is_file() {
            bail!("the gateway is not built: {} (cargo build -p crib-cli, or set TOOLCRIB_BIN)", binary.display());
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?));
        let file = config.write(address)?;
        let dir = file.parent().context("a folder")?.to_owned();
        let log = std::fs::File::create(dir.join("stderr"))?;
        let child = Command::new(&binary)
            .arg("serve")
            .arg("-c")
            .arg(&file)
            .current_dir(&dir)
            .env("TOOLCRIB_HOME", &dir)
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(Stdio::from(log))
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", binary.display()))?;
        let mut gateway = Self { address, child, dir };
        gateway.listening().await?;
        Ok(gateway)
    }

    async fn listening(&mut self) -> Result<()> {
        let end = Instant::now() + START;
        loop {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the gateway ended with {status} before it listened:\n{}", self.log());
            }
            if Instant::now() > end {
                bail!("the gateway does not listen on {} within {START:?}:\n{}", self.address, self.log());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Returns the URL of its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Returns where it listens for WebSockets.
    ///
    /// # Errors
    /// When it does not say so in time.
    pub async fn socket(&self) -> Result<SocketAddr> {
        let said = || async {
            let log = self.log();
            let (_, after) = log.split_once("ws://")?;
            after.split_once("/mcp")?.0.parse().ok()
        };
        wait::eventually(wait::SOON, "the gateway says where it listens for WebSockets", said).await
    }

    /// Writes another configuration, which a running gateway takes by itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn reconfigure(&self, config: &Config) -> Result<()> {
        let fresh = self.dir.join("toolcrib.yaml.new");
        std::fs::write(&fresh, config.render(self.address))?;
        Ok(std::fs::rename(fresh, self.dir.join("toolcrib.yaml"))?)
    }

    /// Returns the process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Returns what it wrote to its standard output and error so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// Kills it outright.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks it to end, waits, and returns its exit code.
    ///
    /// # Errors
    /// When it does not end in time (it is killed then).
    pub async fn stop(mut self) -> Result<Option<i32>> {
        if let Some(pid) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            kill_process(pid, Signal::TERM)?;
        }
        let ended = wait::within(STOP, "the gateway ends after SIGTERM", self.child.wait()).await;
        match ended {
            Ok(status) => Ok(status?.code()),
            Err(error) => {
                self.child.kill().await?;
                Err(error.context(self.log()))
            }
        }
    }
}
