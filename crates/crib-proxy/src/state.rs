//! `requestState` towards modern clients: sealed, bound to caller, method, target and arguments, and short-lived.

use std::time::Duration;

use crib_mcp::{Json, Kind, Method, Payload};
use crib_model::{Clock, Code, Fault, InputResponse, Inputs, ParkId, Principal, Replica, State};
use crib_policy::{Purpose, Seal};

const UPSTREAM: u8 = 0;
const PARKED: u8 = 1;
const NOTHING: u8 = 2;

/// What must come back with the answers.
pub(crate) struct Token<'a> {
    /// The last moment, in time since 1970.
    pub(crate) expires: Duration,
    pub(crate) state: Option<&'a State>,
    /// Where a call waits that does, when there are several replicas.
    pub(crate) holder: Option<Replica>,
}

/// A request that brings answers.
pub(crate) struct Retry {
    pub(crate) inputs: Inputs,
    /// The replica in which the call waits.
    pub(crate) holder: Option<Replica>,
}

/// Seals what must come back with the answers.
pub(crate) fn seal(seal: &Seal, principal: &Principal, request: (&Method, &Payload), token: &Token<'_>) -> String {
    let mut plain = token.expires.as_secs().to_le_bytes().to_vec();
    match token.state {
        Some(State::Upstream(json)) => {
            plain.push(UPSTREAM);
            plain.extend_from_slice(json.bytes());
        }
        Some(State::Parked(ParkId(id))) => {
            plain.push(PARKED);
            plain.extend_from_slice(&id.to_le_bytes());
            plain.extend(token.holder.iter().flat_map(|holder| holder.0.to_le_bytes()));
        }
        None => plain.push(NOTHING),
    }
    seal.seal(Purpose::RequestState, principal, &digest(request.0, request.1), &plain)
}

/// Reads the answers and the state of a retried request; `None` when it is no retry.
///
/// # Errors
/// The state was not given to this caller for this request, or has expired.
pub(crate) fn inputs(seal: &Seal, clock: &dyn Clock, principal: &Principal, request: (&Method, &Payload)) -> Result<Option<Retry>, Fault> {
    let params = request.1;
    let is_retry = params.object.has("inputResponses") || params.object.has("requestState");
    if !is_retry || !request.0.allows_input() {
        return Ok(None);
    }
    let (state, holder) = match params.get("requestState") {
        None => (None, None),
        Some(token) => {
            let token = token.as_text().ok_or_else(lost)?;
            let plain = seal.open(Purpose::RequestState, principal, &digest(request.0, params), &token).ok_or_else(lost)?;
            open(&plain, clock)?
        }
    };
    let responses = match params.get("inputResponses") {
        None => Vec::new(),
        Some(responses) => {
            let responses = responses.to_object().map_err(|_not_an_object| malformed())?;
            responses.object.members().map(|(key, value)| (key.into_owned(), InputResponse::Result(value))).collect()
        }
    };
    Ok(Some(Retry { inputs: Inputs { responses, state }, holder }))
}

fn open(plain: &[u8], clock: &dyn Clock) -> Result<(Option<State>, Option<Replica>), Fault> {
    let (expires, rest) = plain.split_first_chunk::<8>().ok_or_else(lost)?;
    if u64::from_le_bytes(*expires) < clock.unix().as_secs() {
        return Err(lost());
    }
    match rest.split_first() {
        Some((&UPSTREAM, json)) => {
            let json = Json::parse(&bytes::Bytes::copy_from_slice(json)).map_err(|_damaged| lost())?;
            Ok((Some(State::Upstream(json)), None))
        }
        Some((&PARKED, id)) => {
            let (id, holder) = id.split_first_chunk::<16>().ok_or_else(lost)?;
            let holder = holder.first_chunk::<8>().map(|holder| Replica(u64::from_le_bytes(*holder)));
            Ok((Some(State::Parked(ParkId(u128::from_le_bytes(*id)))), holder))
        }
        Some((&NOTHING, _)) => Ok((None, None)),
        Some(_) | None => Err(lost()),
    }
}

pub(crate) fn lost() -> Fault {
    Fault::new(Code::InputLost, "Invalid or expired requestState").hint("call again from the start, without `requestState`")
}

fn malformed() -> Fault {
    Fault::new(Code::ArgumentsInvalid, "Invalid params: `inputResponses` must be an object")
}

/// Names the request by method, target and arguments; the order in which a client writes members does not matter.
fn digest(method: &Method, params: &Payload) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(method.as_str().as_bytes());
    let mut add = |name: &str| {
        if let Some(value) = params.get(name) {
            hasher.update(&[0]);
            hasher.update(name.as_bytes());
            hasher.update(canonical(&value).as_bytes());
        }
    };
    add("name");
    add("uri");
    add("arguments");
    *hasher.finalize().as_bytes()
}

fn canonical(json: &Json) -> String {
    match json.kind() {
        Kind::Object => {
            let object = json.to_object().unwrap_or_default();
            let mut members: Vec<(String, String)> =
                object.object.members().map(|(name, value)| (name.into_owned(), canonical(&value))).collect();
            members.sort();
            format!("{members:?}")
        }
        Kind::Array => {
            let elements: Vec<String> = json.to_elements().unwrap_or_default().iter().map(canonical).collect();
            format!("{elements:?}")
        }
        Kind::String => format!("{:?}", json.as_text().unwrap_or_default()),
        Kind::Number | Kind::Bool | Kind::Null => json.as_str().to_owned(),
    }
}
