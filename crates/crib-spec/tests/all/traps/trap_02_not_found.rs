use anyhow::Result;
use crib_spec::{
    client::{Legacy, Modern},
    fixture::Era,
};
use serde_json::json;

use super::before;

#[tokio::test]
async fn trap_02_an_unknown_method_is_404_for_modern_clients_and_200_in_a_session() -> Result<()> {
    let (_fixture, gateway) = before(Era::Dual).await?;
    let modern = Modern::new(gateway.address);
    let response = modern.send(&modern.message("no/such", json!({}))).await?;
    assert_eq!(response.status, 404);
    assert_eq!(response.json().await?["error"]["code"], -32601);

    let legacy = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let response = legacy.send(&legacy.message("no/such", &json!({}))).await?;
    assert_eq!(response.status, 200, "404 would tell the client that its session is gone");
    assert_eq!(response.json().await?["error"]["code"], -32601);
    assert_eq!(legacy.call("ping", json!({})).await?["result"], json!({}), "the session lives");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_02_a_terminated_session_is_404() -> Result<()> {
    let (_fixture, gateway) = before(Era::Dual).await?;
    let legacy = Legacy::connect(gateway.address, "2025-06-18", json!({})).await?;
    let deleted = legacy.delete().await?.status;
    assert!((200..300).contains(&deleted), "DELETE: HTTP {deleted}");
    assert_eq!(legacy.send(&legacy.message("tools/list", &json!({}))).await?.status, 404);
    assert_eq!(legacy.listen(None).await?.status, 404);
    gateway.stop().await?;
    Ok(())
}
