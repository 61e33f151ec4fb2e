//! The client on `rmcp`.

#![expect(deprecated, reason = "what a revision took out, clients of the older ones still have")]

use std::{process::Stdio, sync::Arc};

use anyhow::{Context as _, Result, bail, ensure};
use parking_lot::Mutex;
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt as _, ErrorData, RoleClient,
    model::{
        CallToolRequest, CallToolRequestParams, ClientConfig, ClientRequest, CompleteRequestParams, CreateMessageRequestParams,
        CreateMessageResult, ElicitRequestParams, ElicitResult, GetPromptRequestParams, ListRootsResult, PaginatedRequestParams,
        ProgressNotificationParam, ProtocolVersion, ReadResourceRequestParams, ResourceUpdatedNotificationParam, ServerNotification,
        SubscribeRequestParams, SubscriptionFilter, UnsubscribeRequestParams,
    },
    service::{NotificationContext, PeerRequestOptions, RequestContext, RunningService, ServiceError},
    transport::{StreamableHttpClientTransport, TokioChildProcess},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use tokio::process::Command;

use super::Carrier;
use crate::{
    client::{answer, full_capabilities},
    fixture::Era,
    wait::{SOON, eventually, within},
};

/// What the client was asked and told.
#[derive(Debug, Default)]
struct Heard {
    asked: Vec<&'static str>,
    progress: Vec<Value>,
    told: Vec<Option<String>>,
}

#[derive(Debug, Clone, Default)]
struct Handler(Arc<Mutex<Heard>>);

type Client = RunningService<RoleClient, Handler>;

pub(super) async fn run(carrier: &Carrier, era: Era, steps: &[Value]) -> Result<Value> {
    let handler = Handler::default();
    // The SDK's futures are big.
    let client = Box::pin(connect(carrier, era, handler.clone())).await?;
    let info = client.peer_info().context("no info of the server")?;
    let server = json!({ "capabilities": info.capabilities, "instructions": info.instructions });
    let lists = json!({
        "tools": walk("tools", async |page| plain(Box::pin(client.list_tools(page)).await)).await?,
        "resources": walk("resources", async |page| plain(Box::pin(client.list_resources(page)).await)).await?,
        "resourceTemplates": walk("resourceTemplates", async |page| plain(Box::pin(client.list_resource_templates(page)).await)).await?,
        "prompts": walk("prompts", async |page| plain(Box::pin(client.list_prompts(page)).await)).await?,
    });
    let mut results = Map::new();
    for step in steps {
        let name = step["as"].as_str().context("a step has no name")?;
        let result = Box::pin(take(&client, era, step)).await.with_context(|| name.to_owned())?;
        results.insert(name.to_owned(), result);
    }
    client.cancel().await?;
    let asked = handler.0.lock().asked.clone();
    Ok(json!({ "server": server, "lists": lists, "results": results, "asked": asked }))
}

async fn connect(carrier: &Carrier, era: Era, handler: Handler) -> Result<Client> {
    let lifecycle = match era {
        Era::Modern => ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] },
        Era::Legacy | Era::Dual => ClientLifecycleMode::Initialize,
    };
    Ok(match carrier {
        Carrier::Http(url) => handler.serve_with_lifecycle(StreamableHttpClientTransport::from_uri(url.as_str()), lifecycle).await?,
        Carrier::Stdio(program, args) => {
            let mut command = Command::new(program);
            command.args(args);
            let (child, _) = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn()?;
            handler.serve_with_lifecycle(child, lifecycle).await?
        }
        Carrier::Sse(_) => bail!("rmcp has no HTTP+SSE"),
        Carrier::Socket(_) => bail!("rmcp has no WebSocket"),
    })
}

/// Turns a result of the SDK into JSON, and what the other side refused into its code.
fn plain<T: Serialize>(result: Result<T, ServiceError>) -> Result<Value> {
    match result {
        Ok(result) => Ok(serde_json::to_value(result)?),
        Err(ServiceError::McpError(error)) => Ok(json!({ "error": error.code })),
        Err(error) => Err(error.into()),
    }
}

fn params<T: DeserializeOwned>(value: Value) -> Result<T> {
    Ok(serde_json::from_value(value)?)
}

async fn walk(field: &str, mut page: impl AsyncFnMut(Option<PaginatedRequestParams>) -> Result<Value>) -> Result<Value> {
    let (mut items, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let asked = if cursor.is_null() { None } else { Some(params(json!({ "cursor": cursor }))?) };
        let result = page(asked).await?;
        items.extend(result[field].as_array().with_context(|| result.to_string())?.iter().cloned());
        cursor = result["nextCursor"].clone();
        if cursor.is_null() {
            return Ok(json!(items));
        }
    }
}

fn call_params(step: &Value) -> Result<CallToolRequestParams> {
    let arguments = step["arguments"].as_object().cloned().unwrap_or_default();
    params(json!({ "name": step["name"], "arguments": arguments }))
}

async fn take(client: &Client, era: Era, step: &Value) -> Result<Value> {
    match step["do"].as_str().unwrap_or_default() {
        "call" => {
            client.service().0.lock().progress.clear();
            let result = plain(Box::pin(client.call_tool(call_params(step)?)).await)?;
            let progress = client.service().0.lock().progress.clone();
            Ok(if step["progress"] == true { json!({ "result": result, "progress": progress }) } else { result })
        }
        "cancel" => cancel(client, step).await,
        "read" => plain(Box::pin(client.read_resource(params::<ReadResourceRequestParams>(json!({ "uri": step["uri"] }))?)).await),
        "prompt" => {
            let asked = json!({ "name": step["name"], "arguments": step["arguments"] });
            plain(Box::pin(client.get_prompt(params::<GetPromptRequestParams>(asked)?)).await)
        }
        "complete" => plain(Box::pin(client.complete(params::<CompleteRequestParams>(step["params"].clone())?)).await),
        "watch" if era == Era::Modern => listen(client, step).await,
        "watch" => watch(client, step).await,
        other => bail!("unknown step {other}"),
    }
}

async fn cancel(client: &Client, step: &Value) -> Result<Value> {
    client.service().0.lock().progress.clear();
    let request = ClientRequest::CallToolRequest(CallToolRequest::new(call_params(step)?));
    let handle = client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
    let begun = || std::future::ready((!client.service().0.lock().progress.is_empty()).then_some(()));
    eventually(SOON, "the call makes progress", begun).await?;
    handle.cancel(None).await?;
    Ok(json!("cancelled"))
}

/// Hears of a change by a subscription.
async fn listen(client: &Client, step: &Value) -> Result<Value> {
    let uri = step["uri"].as_str();
    let mut filter = SubscriptionFilter::default();
    match uri {
        Some(uri) => filter.resource_subscriptions = Some(vec![uri.to_owned()]),
        None => filter.tools_list_changed = Some(true),
    }
    let mut subscription = Box::pin(client.listen(filter)).await?;
    Box::pin(client.call_tool(call_params(step)?)).await?;
    let told = within(SOON, "news", subscription.next()).await??;
    let is_right = match (&told, uri) {
        (Some(ServerNotification::ResourceUpdatedNotification(told)), Some(uri)) => told.params.uri == uri,
        (Some(ServerNotification::ToolListChangedNotification(_)), None) => true,
        _ => false,
    };
    ensure!(is_right, "{told:?}");
    subscription.cancel().await?;
    Ok(json!("heard"))
}

/// Hears of a change as a client with a session does.
async fn watch(client: &Client, step: &Value) -> Result<Value> {
    let uri = step["uri"].as_str();
    if let Some(uri) = uri {
        client.subscribe(params::<SubscribeRequestParams>(json!({ "uri": uri }))?).await?;
    }
    Box::pin(client.call_tool(call_params(step)?)).await?;
    let wanted = uri.map(str::to_owned);
    let told = || std::future::ready(client.service().0.lock().told.contains(&wanted).then_some(()));
    eventually(SOON, "news", told).await?;
    if let Some(uri) = uri {
        client.unsubscribe(params::<UnsubscribeRequestParams>(json!({ "uri": uri }))?).await?;
    }
    Ok(json!("heard"))
}

// === impl Handler ===

impl Handler {
    fn oblige<T: DeserializeOwned>(&self, method: &'static str, asked: &impl Serialize) -> Result<T, ErrorData> {
        self.0.lock().asked.push(method);
        let broken = |error: serde_json::Error| ErrorData::internal_error(error.to_string(), None);
        let asked = serde_json::to_value(asked).map_err(broken)?;
        serde_json::from_value(answer(method, &asked)).map_err(broken)
    }
}

impl ClientHandler for Handler {
    fn get_info(&self) -> ClientConfig {
        let mut config = ClientConfig::default();
        config.capabilities = serde_json::from_value(full_capabilities()).unwrap_or_default();
        config
    }

    async fn create_message(
        &self,
        asked: CreateMessageRequestParams,
        _: RequestContext<RoleClient>,
    ) -> Result<CreateMessageResult, ErrorData> {
        self.oblige("sampling/createMessage", &asked)
    }

    async fn list_roots(&self, _: RequestContext<RoleClient>) -> Result<ListRootsResult, ErrorData> {
        self.oblige("roots/list", &json!({}))
    }

    async fn create_elicitation(&self, asked: ElicitRequestParams, _: RequestContext<RoleClient>) -> Result<ElicitResult, ErrorData> {
        self.oblige("elicitation/create", &asked)
    }

    async fn on_progress(&self, told: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        let progress = json!({ "progress": told.progress, "total": told.total, "message": told.message });
        self.0.lock().progress.push(progress);
    }

    async fn on_resource_updated(&self, told: ResourceUpdatedNotificationParam, _: NotificationContext<RoleClient>) {
        self.0.lock().told.push(Some(told.uri));
    }

    async fn on_tool_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.0.lock().told.push(None);
    }
}
