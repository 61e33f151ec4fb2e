use anyhow::Result;
use crib_spec::{
    client::{Legacy, full_capabilities},
    fixture::Era,
    wait::{SOON, within},
};
use serde_json::{Value, json};

use super::before;

#[tokio::test]
async fn trap_05_a_legacy_client_gets_real_requests_for_one_round_of_a_modern_server() -> Result<()> {
    let (fixture, gateway) = before(Era::Modern).await?;
    let client = Legacy::connect(gateway.address, "2025-11-25", full_capabilities()).await?;
    let seen = client.tool_obliging("test_input_required_result_multiple_inputs", json!({})).await?;
    let mut methods: Vec<&str> = seen.iter().filter_map(|message| message["method"].as_str()).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["elicitation/create", "roots/list", "sampling/createMessage"], "on the stream of the call: {seen:?}");
    let reply = seen.last().cloned().unwrap_or_default();
    assert!(reply["result"]["content"][0]["text"].as_str().unwrap_or_default().starts_with("All answers"), "{reply}");
    assert!(reply["result"].get("resultType").is_none(), "legacy results have no resultType: {reply}");

    let calls = fixture.journal.received("tools/call");
    assert_eq!(calls.len(), 2, "one call and one retry");
    assert_ne!(calls[0]["body"]["id"], calls[1]["body"]["id"], "the retry has an id of its own");
    // The fixture refuses a state that is not to the byte what it gave.
    assert!(calls[1]["body"]["params"]["requestState"].is_string());
    assert_eq!(calls[1]["body"]["params"]["inputResponses"].as_object().map(serde_json::Map::len), Some(3));
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_05_a_client_without_elicitation_gets_a_tool_error_at_once() -> Result<()> {
    let (_fixture, gateway) = before(Era::Modern).await?;
    for (revision, capabilities) in [("2024-11-05", json!({ "sampling": {}, "roots": {} })), ("2025-11-25", json!({}))] {
        let client = Legacy::connect(gateway.address, revision, capabilities).await?;
        // A question that nobody can answer would keep the call for minutes.
        let reply: Value = within(SOON, "an answer", client.tool("test_elicitation", json!({ "message": "hello" }))).await??;
        assert_eq!(reply["result"]["isError"], true, "{revision}: {reply}");
        let text = reply["result"]["content"][0]["text"].as_str().unwrap_or_default();
        assert!(text.contains("elicitation"), "{revision}: the text names what is missing: {text}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_05_sampling_and_roots_reach_a_2024_client() -> Result<()> {
    let (_fixture, gateway) = before(Era::Modern).await?;
    let client = Legacy::connect(gateway.address, "2024-11-05", json!({ "sampling": {}, "roots": {} })).await?;
    for tool in ["test_input_required_result_sampling", "test_input_required_result_list_roots"] {
        let seen = client.tool_obliging(tool, json!({})).await?;
        assert_eq!(seen.len(), 2, "{tool}: a request and a reply: {seen:?}");
        assert!(seen[1]["result"]["content"].is_array(), "{tool}: {seen:?}");
    }
    gateway.stop().await?;
    Ok(())
}
