//! Tokens: asked for with a login where there is one, and without one where not.

use crib_model::{Code, Fault};
use crib_transport::Endpoint;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;

use super::challenge::Challenge;
use super::{Refused, Session};
use crate::credentials::Login;

/// Largest answer with a token in it.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    token: String,
    access_token: String,
}

impl Session<'_> {
    /// Returns the header that a challenge asks for; none where nobody is logged in and somebody would have to be.
    pub(super) async fn token(&self, challenge: &Challenge) -> Result<Option<HeaderValue>, Refused> {
        let (login, why) = self.registry.credentials.login(self.reference.registry()).await;
        *self.unasked.lock().await = why;
        match (challenge, login) {
            (Challenge::Basic, Some(Login::Basic(pair))) => Ok(Some(self.secret(&format!("Basic {pair}"))?)),
            (Challenge::Basic, Some(Login::Refresh(_)) | None) => Ok(None),
            (Challenge::Bearer { realm, service, scope }, login) => {
                self.bearer(&query(realm, service, scope, self.scope()), login.as_ref()).await
            }
        }
    }

    /// What is asked for where the registry does not say.
    fn scope(&self) -> String {
        format!("repository:{}:pull", self.reference.repository())
    }

    async fn bearer(&self, url: &str, login: Option<&Login>) -> Result<Option<HeaderValue>, Refused> {
        let endpoint = self.allowed(Endpoint::parse(url)?)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        match login {
            Some(Login::Basic(pair)) => drop(headers.insert(AUTHORIZATION, self.secret(&format!("Basic {pair}"))?)),
            Some(Login::Refresh(token)) => drop(headers.insert(AUTHORIZATION, self.secret(&format!("Bearer {token}"))?)),
            None => {}
        }
        let received = self.registry.send(&endpoint, headers).await.map_err(Refused::Send)?;
        match received.status {
            200 => {}
            400..=499 if received.status != 429 => return Err(self.denied().await.into()),
            status => return Err(self.failed(format!("its tokens are not to be had: {endpoint} answered {status}")).into()),
        }
        let body = received.body.collect(ANSWER_BYTES_MAX).await.map_err(Refused::Send)?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| self.failed(error))?;
        let token = if answer.token.is_empty() { answer.access_token } else { answer.token };
        if token.is_empty() {
            return Err(self.failed("it gave an answer without a token").into());
        }
        Ok(Some(self.secret(&format!("Bearer {token}"))?))
    }

    fn secret(&self, text: &str) -> Result<HeaderValue, Fault> {
        let odd = |_odd| Fault::new(Code::PullFailed, format!("the login at `{}` cannot be sent", self.reference.registry()));
        let mut value = HeaderValue::try_from(text).map_err(odd)?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn query(realm: &str, service: &str, scope: &str, usual: String) -> String {
    let mark = if realm.contains('?') { '&' } else { '?' };
    let scope = if scope.is_empty() { usual } else { scope.to_owned() };
    let service = if service.is_empty() { String::new() } else { format!("service={}&", escaped(service)) };
    format!("{realm}{mark}{service}scope={}", escaped(&scope))
}

fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b':' | b'/' | b',');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
