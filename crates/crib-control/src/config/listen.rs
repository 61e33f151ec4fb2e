//! Addresses to listen on.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// The port when nobody says: TOOL on the keys of a telephone.
pub const PORT: u16 = 8665;

/// One entry of `listen`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOn(Vec<SocketAddr>);

/// The addresses of one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen(pub Vec<ListenOn>);

impl ListenOn {
    /// Reads `ADDRESS:PORT`, `PORT` or `localhost:PORT`; the last two mean both loopback addresses.
    ///
    /// # Errors
    /// Says what an address looks like.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self(vec![address]));
        }
        let port = text.strip_prefix("localhost:").unwrap_or(text);
        match port.parse::<u16>() {
            Ok(port) => Ok(Self::loopback(port)),
            Err(_) if text.starts_with(':') || text.starts_with("*:") => {
                Err(format!("`{text}` names no address: write `0.0.0.0{}` for every address of this machine", text.trim_start_matches('*')))
            }
            Err(_) => Err(format!("`{text}` is not an address like `127.0.0.1:8665`, `[::1]:8665` or `8665`")),
        }
    }

    /// Both loopback addresses: a name like `localhost` may mean either.
    #[must_use]
    pub fn loopback(port: u16) -> Self {
        Self(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()])
    }
}

impl Listen {
    /// Returns every address once, in the order given.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses = Vec::new();
        for address in self.0.iter().flat_map(|on| &on.0) {
            if !addresses.contains(address) {
                addresses.push(*address);
            }
        }
        addresses
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self(vec![ListenOn::loopback(PORT)])
    }
}

impl<'de> Deserialize<'de> for ListenOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Listen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ListenVisitor)
    }
}

struct ListenVisitor;

impl<'de> Visitor<'de> for ListenVisitor {
    type Value = Listen;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or a list of addresses")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Listen, E> {
        Ok(Listen(vec![ListenOn::parse(text).map_err(E::custom)?]))
    }

    fn visit_u64<E: Error>(self, port: u64) -> Result<Listen, E> {
        self.visit_str(&port.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Listen, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = seq.next_element()? {
            entries.push(entry);
        }
        if entries.is_empty() { Err(A::Error::custom("at least one address is needed")) } else { Ok(Listen(entries)) }
    }
}

impl JsonSchema for Listen {
    fn schema_name() -> Cow<'static, str> {
        "Listen".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = json_schema!({ "type": ["string", "integer"] });
        json_schema!({
            "description": "An address, a port, or a list of them.",
            "oneOf": [{ "type": ["string", "integer"] }, { "type": "array", "minItems": 1, "items": one }],
            "examples": ["127.0.0.1:8665", 8665, ["127.0.0.1:8665", "[::1]:8665"]]
        })
    }
}
