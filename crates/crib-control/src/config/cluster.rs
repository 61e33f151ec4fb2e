//! Several gateways behind one address, as people configure them.

use schemars::JsonSchema;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

/// What the replicas of one gateway need of each other, when several stand behind one address.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Cluster {
    /// Redis in which the replicas find each other: `redis://HOST:6379`, or `rediss://` for TLS; better `${env:NAME}` where a password stands in it.
    #[schemars(with = "String")]
    pub redis: SecretString,
    /// Where the other replicas reach this one: `http://10.0.0.5:8665`. Different for each.
    pub url: String,
    /// What all replicas share and nobody else knows, at least 32 characters; better `${env:NAME}` than the text. Every replica opens what another one sealed with it.
    #[schemars(with = "String")]
    pub secret: SecretString,
}

impl Cluster {
    /// Returns where Redis is, without user name, password and query.
    pub(crate) fn redis_shown(&self) -> String {
        let place = self.redis.expose_secret().split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = place.split_once("://") else { return String::new() };
        format!("{scheme}://{}", rest.rsplit_once('@').map_or(rest, |(_, host)| host))
    }

    /// Returns the host by which the other replicas call this one.
    pub(crate) fn host(&self) -> Option<String> {
        let (_, host) = self.url.split_once("://")?;
        Some(host.trim_end_matches('/').to_owned())
    }
}
