//! Starting a version of a server once, in its sandbox, to see whether it does and what it lists.

use std::sync::Arc;
use std::time::Duration;

use crib_control::{CompiledServer, Package};
use crib_inspect::{Abilities, Client, Decline, List, Options, Origin, Tap, Target, Way};
use crib_mcp::Json;
use crib_model::Fault;
use crib_package::Locked;

use crate::instance::package;
use crate::shop::Shop;

/// A server whose versions are started.
#[derive(Clone, Copy)]
pub(crate) struct Trial<'a> {
    pub(crate) shop: &'a Arc<Shop>,
    pub(crate) server: &'a CompiledServer,
    /// With the values of its secrets.
    pub(crate) package: &'a Package,
    /// What it is told that its client can do.
    pub(crate) abilities: Abilities,
    /// Longest wait for it to start, and again for its list.
    pub(crate) wait: Duration,
}

/// What a version lists.
pub(crate) struct Listed {
    pub(crate) tools: Vec<Json>,
    pub(crate) instructions: Option<String>,
}

impl Trial<'_> {
    /// Starts one version, reads its list, and ends it.
    pub(crate) async fn list(&self, locked: &Locked) -> Result<Listed, Fault> {
        let launch = package::launch_locked(self.server, self.package, self.shop, locked.clone()).await?;
        let origin = Origin::default();
        let target = Target { name: self.server.name.clone(), way: Way::Command(launch.command), origin };
        let options = Options { timeout: self.wait, start_timeout: self.wait, abilities: self.abilities, ..Options::default() };
        let talk = async {
            let client = Client::connect(&target, &options, &Tap::new(Vec::new()), Arc::new(Decline)).await?;
            let tools = client.list(List::Tools).await;
            let instructions = client.hello().instructions().map(str::to_owned);
            client.close().await;
            Ok(Listed { tools: tools?.unwrap_or_default().items.iter().map(Json::of).collect(), instructions })
        };
        let listed = talk.await;
        if let Some(egress) = launch.egress {
            egress.close().await;
        }
        listed
    }
}
