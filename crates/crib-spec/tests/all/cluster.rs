//! Several gateways behind one address that know each other through a real Redis: whichever of them a request comes to,
//! it is answered by the one that holds its session.

mod directory;
mod legacy;
mod modern;

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result};
use crib_spec::{
    gateway::{Config, Gateway, free_port, scratch},
    http::{once, request},
    skip,
    wait::eventually,
};
use serde_json::Value;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

const SECRET: &str = "7c1d7f0e5b9a4d2c8e6f3a1b0d9c8e7f";
/// The bound on what takes a few seconds by design.
const SETTLED: Duration = Duration::from_secs(30);

/// A Redis of a test's own, which keeps nothing.
struct Redis {
    address: SocketAddr,
    child: Child,
}

impl Redis {
    /// Starts one; `None` where there is no Redis on this machine.
    async fn start(test: &str) -> Result<Option<Self>> {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()?)), test).await
    }

    async fn at(address: SocketAddr, test: &str) -> Result<Option<Self>> {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port", &address.port().to_string()]);
        command.current_dir(scratch("redis")?).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let Ok(child) = command.spawn() else {
            skip(test, "there is no redis-server");
            return Ok(None);
        };
        let listens = || async { TcpStream::connect(address).await.ok() };
        eventually(SETTLED, "Redis listens", listens).await?;
        Ok(Some(Self { address, child }))
    }

    async fn stop(mut self) -> Result<SocketAddr> {
        self.child.kill().await?;
        Ok(self.address)
    }
}

/// Starts replicas and waits until each has met the directory.
async fn replicas<const N: usize>(redis: &Redis, config: &Config) -> Result<[Gateway; N]> {
    let config = config.clone().cluster(redis.address, SECRET);
    let mut replicas = Vec::with_capacity(N);
    for _ in 0..N {
        replicas.push(Gateway::start(&config).await?);
    }
    for replica in &replicas {
        until_ready(replica, "ready").await?;
    }
    replicas.try_into().ok().context("as many as were started")
}

/// Waits until a replica says of itself that it is in this state, and returns what it says.
async fn until_ready(replica: &Gateway, status: &str) -> Result<Value> {
    let look = || async {
        let page = request(http::Method::GET, replica.address, "/readyz", &[], "").ok()?;
        let page = once(replica.address, page).await.ok()?.json().await.ok()?;
        (page["status"] == status).then_some(page)
    };
    eventually(SETTLED, &format!("the replica is {status}"), look).await
}

async fn stop_all<const N: usize>(replicas: [Gateway; N]) -> Result<()> {
    for replica in replicas {
        replica.stop().await?;
    }
    Ok(())
}
