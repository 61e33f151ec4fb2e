//! Hop 3: from what the client named to one upstream and its own name for it.

use std::sync::Arc;

use crib_mcp::header::ParamHeaders;
use crib_mcp::{Json, Method, Payload};
use crib_model::{Code, Fault, Scope, Slug, Upstream};
use crib_policy::{Ask, Kind, Validator};

use crate::call::Call;
use crate::plane::Plane;
use crate::tasks;
use crate::view::View;

/// A call that knows where it goes.
pub(crate) struct Routed {
    pub(crate) slug: Slug,
    pub(crate) upstream: Arc<dyn Upstream>,
    /// What is asked for in the upstream's words.
    pub(crate) name: Arc<str>,
    /// The same in the client's words.
    pub(crate) exposed: Arc<str>,
    pub(crate) arguments: Option<Json>,
    pub(crate) kind: Kind,
    /// Set where the parameters have to say something else than the client wrote.
    pub(crate) target: Option<Arc<str>>,
    pub(crate) param_headers: Option<Arc<ParamHeaders>>,
    /// The tool's position in the view, for its validator.
    pub(crate) tool: Option<usize>,
    pub(crate) view: Arc<View>,
    /// Parameters other than the target that had to change.
    pub(crate) params: Option<Payload>,
    /// The task id as the client knows it.
    pub(crate) task: Option<Json>,
}

/// Why a call goes nowhere.
pub(crate) struct Unrouted {
    fault: Fault,
    /// The server it would have gone to, where that is known.
    server: Option<Slug>,
}

impl From<Fault> for Unrouted {
    fn from(fault: Fault) -> Self {
        Self { fault, server: None }
    }
}

impl Unrouted {
    fn at(server: &Slug, fault: Fault) -> Self {
        Self { fault, server: Some(server.clone()) }
    }

    /// Notes whom the call was for, and has that server asked again, which may be back; the next call finds out.
    pub(crate) fn note(self, plane: &Plane, call: &mut Call) -> Fault {
        if let Some(server) = self.server {
            call.snapshot.refresh_if_stale(&Scope::One(server.clone()), call.client.caps.set, plane.clock.now());
            call.ticket.routed(server, None);
        }
        self.fault
    }
}

impl Ask for Routed {
    fn slug(&self) -> &Slug {
        &self.slug
    }

    fn kind(&self) -> Kind {
        self.kind
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn exposed(&self) -> &str {
        &self.exposed
    }

    fn arguments(&self) -> Option<(&Validator, Option<&Json>)> {
        Some((self.view.validator(self.tool?)?, self.arguments.as_ref()))
    }
}

/// Returns the caller's catalogue where it is known already.
pub(crate) fn known_view(call: &Call) -> Option<Arc<View>> {
    call.snapshot.known_view(&call.scope, call.client.caps.set).filter(|view| view.is_settled)
}

/// Waits for as much of the caller's catalogue as the call needs.
pub(crate) async fn view(call: &Call) -> Arc<View> {
    let asked = call.method.target_key().and_then(|key| call.params.text(key)).unwrap_or_default();
    call.snapshot.view_for(&call.scope, &call.client.caps, &asked).await
}

/// Finds the upstream.
pub(crate) fn route(plane: &Plane, call: &Call, view: Arc<View>) -> Result<Routed, Unrouted> {
    match call.method {
        Method::ToolsCall => tool(call, view),
        Method::PromptsGet => prompt(call, &view),
        Method::ResourcesRead | Method::ResourcesDirectoryRead | Method::SkillsGet => resource(call, &view),
        Method::Complete => completion(call, &view),
        Method::TasksGet | Method::TasksUpdate | Method::TasksCancel => task(plane, call, view),
        _ => Err(Fault::new(Code::UnknownTarget, format!("Method not found: {}", call.method)).into()),
    }
}

fn tool(call: &Call, view: Arc<View>) -> Result<Routed, Unrouted> {
    let asked = call.params.text("name").ok_or_else(|| missing("name"))?;
    if let Some(entry) = view.catalog.tool(&asked) {
        let (slug, name, position) = (entry.slug.clone(), Arc::clone(&entry.name), entry.position);
        let target = (*entry.exposed != *entry.name).then(|| Arc::clone(&name));
        let (param_headers, exposed) = (entry.headers.clone(), Arc::clone(&entry.exposed));
        let arguments = call.params.get("arguments");
        let routed = plain(call, (slug, name, exposed), Kind::Tool, view)?;
        return Ok(Routed { target, param_headers, tool: Some(position), arguments, ..routed });
    }
    unlisted(call, &view, &asked, Kind::Tool, "tool")
}

fn prompt(call: &Call, view: &Arc<View>) -> Result<Routed, Unrouted> {
    let asked = call.params.text("name").ok_or_else(|| missing("name"))?;
    if let Some(entry) = view.catalog.prompt(&asked) {
        let (slug, name) = (entry.slug.clone(), Arc::clone(&entry.name));
        let target = (*entry.exposed != *entry.name).then(|| Arc::clone(&name));
        return Ok(Routed { target, ..plain(call, (slug, name, asked.as_ref().into()), Kind::Prompt, Arc::clone(view))? });
    }
    unlisted(call, view, &asked, Kind::Prompt, "prompt")
}

fn resource(call: &Call, view: &Arc<View>) -> Result<Routed, Unrouted> {
    let asked = call.params.text("uri").ok_or_else(|| missing("uri"))?;
    let routed = view.catalog.route_uri(&asked).map(|(slug, own)| (slug.clone(), Arc::<str>::from(&*own)));
    let Some((slug, own)) = routed else {
        return Err(no_resource(&asked).into());
    };
    let target = (*own != *asked).then(|| Arc::clone(&own));
    Ok(Routed { target, ..plain(call, (slug, own, asked.as_ref().into()), Kind::Resource, Arc::clone(view))? })
}

/// `completion/complete` names a prompt or a resource template in `ref`.
fn completion(call: &Call, view: &Arc<View>) -> Result<Routed, Unrouted> {
    let reference = call.params.get("ref").and_then(|r| r.to_object().ok()).ok_or_else(|| missing("ref"))?;
    let is_prompt = reference.text("type").as_deref() == Some("ref/prompt");
    let (key, kind) = if is_prompt { ("name", Kind::Prompt) } else { ("uri", Kind::Resource) };
    let asked = reference.text(key).ok_or_else(|| missing("ref"))?;
    let routed = if is_prompt {
        let listed = view.catalog.prompt(&asked).map(|entry| (entry.slug.clone(), Arc::clone(&entry.name)));
        listed.or_else(|| only(call).map(|slug| (slug, Arc::from(&*asked))))
    } else {
        view.catalog.route_uri(&asked).map(|(slug, own)| (slug.clone(), Arc::from(&*own)))
    };
    let Some((slug, own)) = routed else {
        let what = if is_prompt { "prompt" } else { "resource" };
        return Err(Fault::new(Code::UnknownTarget, format!("Unknown {what} to complete: {asked}")).into());
    };
    let mut routed = plain(call, (slug, Arc::clone(&own), asked.as_ref().into()), kind, Arc::clone(view))?;
    if *own != *asked {
        let mut edit = reference.edit();
        edit.set(key, Json::of(&*own));
        let reference = edit.finish();
        let mut edit = call.params.edit();
        edit.set("ref", reference);
        routed.params = Some(edit.to_payload());
    }
    Ok(routed)
}

fn task(plane: &Plane, call: &Call, view: Arc<View>) -> Result<Routed, Unrouted> {
    let asked = call.params.text("taskId").ok_or_else(|| missing("taskId"))?;
    let unknown = || Fault::new(Code::UnknownTarget, "Unknown task");
    let (slug, id) = tasks::open(plane, &call.principal, &asked).ok_or_else(unknown)?;
    let is_here = call.snapshot.in_scope(&call.scope).unwrap_or_default().iter().any(|server| server.slug == slug);
    if !is_here {
        return Err(unknown().into());
    }
    let id: Arc<str> = id.into();
    let routed = plain(call, (slug, Arc::clone(&id), asked.as_ref().into()), Kind::Tool, view)?;
    Ok(Routed { target: Some(id), task: call.params.get("taskId"), ..routed })
}

/// A route without further ado: the server, its own name for the thing, and the client's.
fn plain(call: &Call, (slug, name, exposed): (Slug, Arc<str>, Arc<str>), kind: Kind, view: Arc<View>) -> Result<Routed, Fault> {
    let upstream = upstream(call, &slug)?;
    Ok(Routed {
        slug,
        upstream,
        name,
        exposed,
        arguments: None,
        kind,
        target: None,
        param_headers: None,
        tool: None,
        view,
        params: None,
        task: None,
    })
}

/// What is not listed may exist all the same, where there is only one server to ask; it knows best what to answer.
fn unlisted(call: &Call, view: &Arc<View>, asked: &str, kind: Kind, what: &str) -> Result<Routed, Unrouted> {
    let may = |slug: &Slug, name: &str| call.snapshot.setup.rules.allows(&call.principal, slug, kind, name);
    if let Some(fault) = view.held_back(asked, may).filter(|_| kind == Kind::Tool) {
        return Err(fault.into());
    }
    if view.catalog.is_untouched()
        && let Some(slug) = only(call)
    {
        if let Some(fault) = view.fault(&slug) {
            return Err(Unrouted::at(&slug, fault.clone()));
        }
        if kind == Kind::Tool && !view.has_offer(&slug) && call.snapshot.setup.pins.holds(&slug) {
            let message = format!("`{slug}` has not listed its tools yet, and none is called before it is known");
            return Err(Unrouted::at(&slug, Fault::new(Code::DeadlineExceeded, message).hint("try again in a moment")));
        }
        return Ok(plain(call, (slug, asked.into(), asked.into()), kind, Arc::clone(view))?);
    }
    // A tool of a server that could not be listed: say what is wrong with the server.
    let prefixed = |slug: &Slug| asked.strip_prefix(slug.as_str()).is_some_and(|rest| rest.starts_with(['_', '.', '-', '/']));
    for (slug, offer) in &view.offers {
        let fault = offer.as_ref().and_then(|offer| offer.fault.as_ref());
        if let (true, Some(fault)) = (prefixed(slug), fault)
            && call.snapshot.setup.rules.allows(&call.principal, slug, kind, asked)
        {
            return Err(Unrouted::at(slug, fault.clone()));
        }
    }
    Err(unknown(call, view, asked, what).into())
}

/// The refusal for what does not exist, and for what the caller may not know of.
pub(crate) fn unknown(call: &Call, view: &View, asked: &str, what: &str) -> Fault {
    let rules = &call.snapshot.setup.rules;
    let kind = if what == "prompt" { Kind::Prompt } else { Kind::Tool };
    let similar = view.catalog.did_you_mean(asked, |entry| rules.allows(&call.principal, entry.slug(), kind, entry.own()));
    let message = match similar {
        Some(name) => format!("Unknown {what}: {asked}. Did you mean `{name}`?"),
        None => format!("Unknown {what}: {asked}"),
    };
    Fault::new(Code::UnknownTarget, message)
}

/// The refusal for a resource that does not exist or may not be read.
pub(crate) fn no_resource(asked: &str) -> Fault {
    Fault::new(Code::UnknownTarget, format!("Resource not found: {asked}"))
}

fn only(call: &Call) -> Option<Slug> {
    match (&call.scope, call.snapshot.setup.servers.as_slice()) {
        (Scope::One(slug), _) => Some(slug.clone()),
        (Scope::All, [server]) => Some(server.slug.clone()),
        (Scope::All, _) => None,
    }
}

fn upstream(call: &Call, slug: &Slug) -> Result<Arc<dyn Upstream>, Fault> {
    let server = call.snapshot.server(slug);
    server.map(|server| Arc::clone(&server.upstream)).ok_or_else(|| Fault::new(Code::UnknownTarget, format!("`{slug}` is not configured")))
}

fn missing(name: &str) -> Fault {
    Fault::new(Code::ArgumentsInvalid, format!("Invalid params: `{name}` is missing"))
}
