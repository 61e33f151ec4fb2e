//! What of a configuration takes effect at the next start only, and how a newer one differs in it.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::compile::{AccessLog, Compiled, Traces};

const SAMPLE_RATIO: &str = "observability.sampleRatio";

/// The settings a running gateway keeps until it is started again.
#[derive(Clone, Debug, PartialEq)]
pub struct AtStart {
    pub listen: Vec<SocketAddr>,
    pub web_socket: Vec<SocketAddr>,
    pub allowed_hosts: Vec<String>,
    pub allowed_origins: Vec<String>,
    pub body_bytes_max: usize,
    pub access_log: AccessLog,
    pub audit: Option<PathBuf>,
    pub traces: Option<Traces>,
    /// Redis without what may be secret, and the address of this replica.
    pub cluster: Option<(String, String)>,
}

/// A setting that differs from what is running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// The field as the file has it: `gateway.listen`.
    pub field: &'static str,
    pub running: String,
    pub wanted: String,
}

impl fmt::Display for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, running, wanted } = self;
        write!(f, "`{field}` is `{wanted}` in the file and `{running}` in effect: restart to apply")
    }
}

impl AtStart {
    #[must_use]
    pub fn of(compiled: &Compiled) -> Self {
        let Compiled { listen, web_socket, allowed_hosts, allowed_origins, limits, access_log, audit, traces, cluster, .. } = compiled;
        Self {
            listen: listen.clone(),
            web_socket: web_socket.clone(),
            allowed_hosts: allowed_hosts.clone(),
            allowed_origins: allowed_origins.clone(),
            body_bytes_max: limits.body_bytes_max,
            access_log: access_log.clone(),
            audit: audit.clone(),
            traces: traces.clone(),
            cluster: cluster.as_ref().map(|cluster| (cluster.redis_shown(), cluster.url.clone())),
        }
    }

    /// Returns what a newer configuration wants otherwise, in words.
    #[must_use]
    pub fn pending(&self, newer: &Compiled) -> Vec<Pending> {
        let newer = Self::of(newer);
        let is_other_collector =
            self.traces.as_ref().map(|traces| &traces.endpoint) != newer.traces.as_ref().map(|traces| &traces.endpoint);
        let newer = newer.shown();
        let pairs = self.shown().into_iter().zip(newer).filter(|((_, running), (_, wanted))| running != wanted);
        // A share of nothing is not worth a line of its own.
        let pairs = pairs.filter(|((field, _), _)| !is_other_collector || *field != SAMPLE_RATIO);
        pairs.map(|((field, running), (_, wanted))| Pending { field, running, wanted }).collect()
    }

    /// The settings as people write them.
    fn shown(&self) -> [(&'static str, String); 11] {
        let Self { listen, web_socket, allowed_hosts, allowed_origins, body_bytes_max, access_log, audit, traces, cluster } = self;
        let (redis, url) = cluster.clone().unwrap_or_else(|| ("none".to_owned(), "none".to_owned()));
        let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
        let (otlp, ratio) = match traces {
            // Credentials may stand in a query.
            Some(Traces { endpoint, ratio }) => (endpoint.split(['?', '#']).next().unwrap_or_default().to_owned(), ratio.to_string()),
            None => ("off".to_owned(), "none".to_owned()),
        };
        let addresses = |addresses: &[SocketAddr]| list(addresses.iter().map(SocketAddr::to_string).collect());
        [
            ("gateway.listen", addresses(listen)),
            ("gateway.webSocket.listen", addresses(web_socket)),
            ("gateway.allowedHosts", list(allowed_hosts.clone())),
            ("gateway.allowedOrigins", list(allowed_origins.clone())),
            ("gateway.bodyBytesMax", body_bytes_max.to_string()),
            ("gateway.accessLog", access_log.to_string()),
            ("observability.audit", audit.as_ref().map_or_else(|| "none".to_owned(), |path| path.display().to_string())),
            ("observability.otlp", otlp),
            (SAMPLE_RATIO, ratio),
            ("cluster.redis", redis),
            ("cluster.url", url),
        ]
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Fixed, compile};

    fn compiled(text: &str) -> Compiled {
        compile(&[PathBuf::from("a.yaml")], &Fixed::new("/srv").file("a.yaml", text)).unwrap()
    }

    #[test]
    fn what_cannot_be_applied_is_said_with_both_values() {
        let running = AtStart::of(&compiled("version: 1\n"));
        let newer = compiled(
            "gateway: { listen: \"127.0.0.1:9000\", webSocket: { listen: 9001 }, allowedHosts: [a.example], allowedOrigins: [\"https://a.example\"], \
             bodyBytesMax: 5000, accessLog: calls.log }\nobservability: { otlp: \"http://c:4318?key=1\", sampleRatio: 0.5, audit: audit.jsonl }\n",
        );
        let said: Vec<String> = running.pending(&newer).iter().map(Pending::to_string).collect();
        let expected = [
            "`gateway.listen` is `127.0.0.1:9000` in the file and `127.0.0.1:8665, [::1]:8665` in effect: restart to apply",
            "`gateway.webSocket.listen` is `127.0.0.1:9001, [::1]:9001` in the file and `none` in effect: restart to apply",
            "`gateway.allowedHosts` is `a.example` in the file and `none` in effect: restart to apply",
            "`gateway.allowedOrigins` is `https://a.example` in the file and `none` in effect: restart to apply",
            "`gateway.bodyBytesMax` is `5000` in the file and `16777216` in effect: restart to apply",
            "`gateway.accessLog` is `calls.log` in the file and `off` in effect: restart to apply",
            "`observability.audit` is `audit.jsonl` in the file and `none` in effect: restart to apply",
            "`observability.otlp` is `http://c:4318` in the file and `off` in effect: restart to apply",
        ];
        assert_eq!(said, expected);
        let once = AtStart::of(&newer);
        let rarer = compiled("observability: { otlp: \"http://c:4318?key=1\", sampleRatio: 0.1 }\n");
        assert!(once.pending(&rarer).iter().any(|pending| (pending.field, &*pending.wanted) == (SAMPLE_RATIO, "0.1")));
    }

    #[test]
    fn what_is_applied_at_once_is_not_pending() {
        let running = AtStart::of(&compiled("version: 1\n"));
        let newer = "gateway: { pageSize: 5, callTimeout: 3s }\nservers: { demo: { builtin: demo } }\nobservability: { metrics: /m }\n";
        assert_eq!(running.pending(&compiled(newer)), []);
    }
}
