//! What replicas are told of each other.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use crate::config::Cluster;
use crate::problem::{File, Problem};
use crate::tree::Node;

/// Shortest secret of a cluster, of which keys are made without stretching.
const SECRET_LEN_MIN: usize = 32;

/// Checks what replicas are told of each other.
pub(in super::super) fn check(cluster: &Cluster, file: &Arc<File>, root: &Node) -> Option<Problem> {
    let problem = |member: &str, label: String| Problem::at(file, root.locate(&["cluster", member]), label);
    let redis = cluster.redis.expose_secret();
    if !["redis://", "rediss://", "unix://", "redis+unix://"].iter().any(|scheme| redis.starts_with(scheme)) {
        return Some(
            problem("redis", "not a redis:// or rediss:// address".to_owned()).hint("an address looks like redis://localhost:6379"),
        );
    }
    let url = &cluster.url;
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    if host.is_none_or(|host| host.trim_end_matches('/').is_empty() || host.trim_end_matches('/').contains(['/', '?', '#', '@'])) {
        let problem = problem("url", "not the address of a gateway: http://HOST:PORT".to_owned());
        return Some(problem.hint("the address of this replica, not the one of the load balancer: http://10.0.0.5:8665"));
    }
    let secret = cluster.secret.expose_secret();
    if !crate::secrets::is_marked(secret) && secret.len() < SECRET_LEN_MIN {
        let label = format!("the secret of a cluster has at least {SECRET_LEN_MIN} characters");
        return Some(problem("secret", label).hint("make one: openssl rand -hex 32"));
    }
    None
}
