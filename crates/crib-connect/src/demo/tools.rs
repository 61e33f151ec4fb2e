//! The table of tools.

mod ask;
mod content;
mod count;
mod numbers;
mod words;

use std::sync::Arc;

use crib_mcp::Revision;
use crib_model::{Clock, Fault, Forward, Outcome, Reply};
use serde_json::{Value, json};

use super::tool::{Context, Row, row};
use super::{bounded, invalid, outcome, steps};

const TOOLS: &[Row] = &[
    row::<numbers::Add>(),
    row::<numbers::Subtract>(),
    row::<numbers::Statistics>(),
    row::<words::Echo>(),
    row::<words::Now>(),
    row::<count::Count>(),
    row::<content::Image>(),
    row::<content::Audio>(),
    row::<content::Embed>(),
    row::<content::Link>(),
    row::<ask::AskName>(),
    row::<ask::Summarize>(),
    row::<ask::ListRoots>(),
];

pub(crate) fn definitions() -> Vec<Value> {
    TOOLS.iter().map(|row| (row.define)()).collect()
}

pub(crate) fn list() -> Value {
    json!({ "tools": definitions() })
}

pub(crate) async fn call(forward: Arc<Forward>, clock: Arc<dyn Clock>) -> Result<Reply, Fault> {
    let name = forward.target_name().unwrap_or_default();
    let Some(row) = TOOLS.iter().find(|row| row.name == name) else {
        let error = invalid(format!("Unknown tool: {name}"));
        return Ok(Reply::Done(Outcome::Error(error, Revision::LATEST)));
    };
    let deadline = forward.deadline;
    let is_heard = forward.progress_token.is_some() || forward.log_level.is_some();
    if !(row.speaks && is_heard) {
        let cx = Arc::new(Context { forward, clock, voice: None });
        return bounded(deadline, async { Ok(Reply::Done(outcome((row.run)(cx).await))) }).await;
    }
    steps::settle(steps::talk(|voice| async move {
        let cx = Arc::new(Context { forward, clock, voice: Some(voice) });
        bounded(deadline, async { Ok(outcome((row.run)(cx).await)) }).await
    }))
    .await
}
