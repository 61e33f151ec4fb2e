//! Registries that are asked, and what they answered before.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crib_model::{Clock, Code, Fault};
use crib_transport::{Endpoint, HttpClient};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use crate::book::{Part, Registry, references, unknown};
use crate::cache::{Cache, Kept};
use crate::fetch::{self, Fetched};

/// How long an answer is taken for true where the registry does not say.
const FRESH_SECONDS: u64 = 300;
/// The longest that a registry may say.
const FRESH_SECONDS_MAX: u64 = 3600;
/// Longest wait for one answer, redirects included.
const WAIT: Duration = Duration::from_secs(20);

/// Gives the values that headers refer to.
pub trait Reveal: Send + Sync {
    /// # Errors
    /// TC0302 where it has no value, TC0304 where it cannot be read.
    fn secret(&self, name: &str) -> Result<SecretString, Fault>;

    /// Returns a variable of whoever asks.
    fn variable(&self, name: &str) -> Option<String>;
}

/// When a registry is asked although it answered before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asking {
    /// When the answer has become old.
    #[default]
    WhenOld,
    Always,
    /// Never: what is not kept is not known.
    Never,
}

/// What registries are asked with.
pub struct MarketOptions {
    /// The data directory; answers are kept in `market` below it.
    pub data: PathBuf,
    pub http: HttpClient,
    pub clock: Arc<dyn Clock>,
    pub reveal: Arc<dyn Reveal>,
    /// In the order in which they are asked.
    pub registries: Vec<Registry>,
}

/// The registries of one user.
#[derive(Debug)]
pub struct Market {
    pub(crate) options: MarketOptions,
    pub(crate) asking: Asking,
    wait: Duration,
}

impl std::fmt::Debug for MarketOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MarketOptions").field("data", &self.data).field("registries", &self.registries).finish_non_exhaustive()
    }
}

/// What a registry said, now or before.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(crate) value: Value,
    /// When it said it, in seconds since 1970.
    pub at: u64,
    /// Why it was not asked anew, where it should have been.
    pub stale: Option<Fault>,
}

impl Market {
    #[must_use]
    pub fn new(options: MarketOptions) -> Self {
        Self { options, asking: Asking::default(), wait: WAIT }
    }

    /// Asks again, whatever is known.
    #[must_use]
    pub fn anew(mut self) -> Self {
        self.asking = Asking::Always;
        self
    }

    /// Asks nobody.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.asking = Asking::Never;
        self
    }

    /// Waits this long for one answer.
    #[must_use]
    pub fn patient(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Asks only one of the registries, by its name.
    ///
    /// # Errors
    /// TC0443 when there is none of that name.
    pub fn only(mut self, name: &str) -> Result<Self, Fault> {
        let names: Vec<String> = self.options.registries.iter().map(|registry| registry.name.clone()).collect();
        self.options.registries.retain(|registry| registry.name == name);
        if self.options.registries.is_empty() { Err(unknown(name, &names)) } else { Ok(self) }
    }

    #[must_use]
    pub fn registries(&self) -> &[Registry] {
        &self.options.registries
    }

    pub(crate) fn now(&self) -> u64 {
        self.options.clock.unix().as_secs()
    }

    pub(crate) fn cache(&self, registry: &Registry) -> Cache {
        Cache::of(&self.options.data, &registry.url)
    }

    /// Asks a registry for a document below `/v0.1`; none where it has no such thing.
    ///
    /// # Errors
    /// TC0440 when it cannot be asked and nothing is kept, TC0441 for an answer that is none, TC0442 when it refuses.
    pub(crate) async fn ask(&self, registry: &Registry, path: &str) -> Result<Option<Answer>, Fault> {
        let url = format!("{}/v0.1/{path}", registry.url);
        let (cache, now) = (self.cache(registry), self.now());
        let kept = cache.read(&url);
        let is_fresh = |kept: &Kept| {
            let lasts = kept.max_age.unwrap_or(FRESH_SECONDS).min(FRESH_SECONDS_MAX);
            // A clock that was set back makes nothing young again.
            kept.at <= now && now - kept.at < lasts
        };
        match (self.asking, kept) {
            (Asking::WhenOld, Some(kept)) if is_fresh(&kept) => Ok(Some(Answer { value: kept.value, at: kept.at, stale: None })),
            (Asking::Never, Some(kept)) => {
                let stale = (!is_fresh(&kept)).then(|| unreachable(registry).because("nobody is asked"));
                Ok(Some(Answer { value: kept.value, at: kept.at, stale }))
            }
            (Asking::Never, None) => Err(unreachable(registry).because("nobody is asked, and nothing is kept of what it said")),
            (Asking::WhenOld | Asking::Always, kept) => match self.fetch(registry, &url, kept.as_ref()).await {
                Ok(News::Same) => {
                    let Some(kept) = kept else { return Err(broken(registry, "it says that nothing changed, and nothing is known")) };
                    let kept = Kept { at: now, ..kept };
                    cache.write(&url, &kept);
                    Ok(Some(Answer { value: kept.value, at: now, stale: None }))
                }
                Ok(News::New(kept)) => {
                    cache.write(&url, &kept);
                    Ok(Some(Answer { value: kept.value, at: now, stale: None }))
                }
                Ok(News::Nothing) => Ok(None),
                Err(fault) if fault.code() == Code::RegistryRefused => Err(fault),
                Err(fault) => match kept {
                    Some(kept) => Ok(Some(Answer { value: kept.value, at: kept.at, stale: Some(fault) })),
                    None => Err(fault),
                },
            },
        }
    }

    async fn fetch(&self, registry: &Registry, url: &str, kept: Option<&Kept>) -> Result<News, Fault> {
        let endpoint = Endpoint::parse(url)?;
        let headers = self.headers(registry)?;
        let etag = kept.and_then(|kept| kept.etag.as_deref());
        let fetched =
            fetch::get(&self.options.http, &endpoint, fetch::Asked { credentials: &headers, etag, deadline: Instant::now() + self.wait })
                .await;
        let Fetched { status, etag, max_age, body } = fetched.map_err(|error| unreachable(registry).because(error))?;
        match status {
            200 => {
                let value = serde_json::from_slice(&body).map_err(|error| broken(registry, &format!("it is not JSON: {error}")))?;
                Ok(News::New(Kept { at: self.now(), etag, max_age, value }))
            }
            304 => Ok(News::Same),
            404 | 410 => Ok(News::Nothing),
            401 | 403 => Err(Fault::new(Code::RegistryRefused, format!("the registry `{}` refuses: it answered {status}", registry.name))
                .hint(format!(
                    "give it a credential: toolcrib registry add {} {} --header 'Authorization: Bearer ${{secret:NAME}}'",
                    registry.name, registry.url
                ))),
            status => Err(unreachable(registry).because(format!("it answered {status}{}", told(&body)))),
        }
    }

    /// Puts values into the headers of a registry.
    fn headers(&self, registry: &Registry) -> Result<HeaderMap, Fault> {
        let mut headers = HeaderMap::new();
        for (name, value) in &registry.headers {
            let mut text = String::new();
            for part in references(value)? {
                match part {
                    Part::Text(part) => text.push_str(part),
                    Part::Secret(name) => text.push_str(self.options.reveal.secret(name)?.expose_secret()),
                    Part::Variable(name) => text.push_str(&self.options.reveal.variable(name).ok_or_else(|| {
                        Fault::new(Code::SecretMissing, format!("the registry `{}` needs the variable {name}", registry.name))
                    })?),
                }
            }
            let carries =
                |()| Fault::new(Code::RegistryInvalid, format!("the header `{name}` of `{}` cannot carry its value", registry.name));
            let mut value = HeaderValue::try_from(text).map_err(|_odd| carries(()))?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name).map_err(|_odd| carries(()))?, value);
        }
        Ok(headers)
    }
}

enum News {
    /// What is kept is still true.
    Same,
    New(Kept),
    Nothing,
}

/// Returns what a registry says of its refusal, if it is something people can read.
fn told(body: &[u8]) -> String {
    let value: Value = serde_json::from_slice(body.get(..4096.min(body.len())).unwrap_or_default()).unwrap_or_default();
    let text = ["error", "detail", "message", "title"].iter().find_map(|name| value.get(name)?.as_str());
    text.map(|text| format!(": {}", crate::shown(text, 200))).unwrap_or_default()
}

pub(crate) fn unreachable(registry: &Registry) -> Fault {
    Fault::new(Code::RegistryUnreachable, format!("the registry `{}` ({}) cannot be asked", registry.name, registry.url))
}

pub(crate) fn broken(registry: &Registry, why: &str) -> Fault {
    Fault::new(Code::RegistryBroken, format!("the registry `{}` ({}) does not speak the registry API v0.1", registry.name, registry.url))
        .because(why)
}
