//! What a server was granted, as it stands in the lockfile and is shown to people.

use std::fmt;
use std::path::PathBuf;

use crib_sandbox::HostRule;
use serde::{Deserialize, Serialize};

/// What a server may have beyond its own files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Grants {
    pub read: Vec<PathBuf>,
    pub write: Vec<PathBuf>,
    pub net: NetGrant,
    /// Names of variables it is given.
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "Engine::is_usual")]
    pub engine: Engine,
    /// It may run where nothing confines it, because somebody agreed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unconfined: bool,
    /// What was asked for and not given; it is not asked for again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub declined: Vec<String>,
}

/// What confines a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Our own launcher.
    #[default]
    Process,
    /// `runc`, `crun` or `runsc`, whichever is there; for images.
    Container,
}

impl Engine {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

/// Which networks a server may reach; in the lockfile a list of hosts, `["*"]` for every one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub enum NetGrant {
    #[default]
    None,
    Hosts(Vec<HostRule>),
    All,
}

impl TryFrom<Vec<String>> for NetGrant {
    type Error = String;

    fn try_from(hosts: Vec<String>) -> Result<Self, String> {
        if hosts.is_empty() {
            return Ok(Self::None);
        }
        if hosts == ["*"] {
            return Ok(Self::All);
        }
        let rules = hosts.iter().map(|host| host.parse::<HostRule>().map_err(|error| error.to_string()));
        rules.collect::<Result<_, _>>().map(Self::Hosts)
    }
}

impl From<NetGrant> for Vec<String> {
    fn from(grant: NetGrant) -> Self {
        match grant {
            NetGrant::None => Self::new(),
            NetGrant::All => vec!["*".to_owned()],
            NetGrant::Hosts(rules) => rules.iter().map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for Grants {
    /// Says it in words, one grant per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for path in &self.read {
            writeln!(f, "read     {}", path.display())?;
        }
        for path in &self.write {
            writeln!(f, "write    {}", path.display())?;
        }
        match &self.net {
            NetGrant::None => writeln!(f, "network  none")?,
            NetGrant::All => writeln!(f, "network  every host")?,
            NetGrant::Hosts(rules) => rules.iter().try_for_each(|rule| writeln!(f, "network  {rule}"))?,
        }
        self.env.iter().try_for_each(|name| writeln!(f, "variable {name}"))?;
        self.declined.iter().try_for_each(|what| writeln!(f, "declined {what}"))?;
        if self.engine == Engine::Container {
            writeln!(f, "engine   a container")?;
        }
        if self.unconfined { writeln!(f, "engine   none where there is no sandbox, as you agreed") } else { Ok(()) }
    }
}
