use anyhow::Result;
use crib_spec::{
    client::{Modern, bearer},
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, url_server},
};
use serde_json::json;

const SECRET: &str = "a3f90c417be2d85566f1";

#[tokio::test]
async fn trap_15_a_clients_token_never_leaves_the_gateway() -> Result<()> {
    let fixture = Fixture::of(Era::Dual).await?;
    let mut server = url_server(&fixture.url());
    server["headers"] = json!({ "X-Upstream-Key": "of-the-upstream" });
    let gateway = Gateway::start(&Config::plain("one", server).key("alice", SECRET)).await?;
    let client = Modern::new(gateway.address).header(bearer(SECRET)).header(("cookie".to_owned(), format!("s={SECRET}")));
    let reply = client.tool("test_simple_text", json!({})).await?;
    assert!(reply["result"]["content"].is_array(), "{reply}");
    let received = fixture.journal.all("received");
    assert!(!received.is_empty());
    for message in received {
        assert!(!message.to_string().contains(SECRET), "the client's secret went upstream: {message}");
        assert!(message["headers"].get("authorization").is_none(), "{message}");
        assert_eq!(message["headers"]["x-upstream-key"], "of-the-upstream", "{message}");
    }
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn trap_15_no_token_and_a_wrong_token_are_challenged_for_this_gateway() -> Result<()> {
    let fixture = Fixture::of(Era::Dual).await?;
    let gateway = Gateway::start(&Config::plain("one", url_server(&fixture.url())).key("alice", SECRET)).await?;
    for client in [Modern::new(gateway.address), Modern::new(gateway.address).header(bearer("1c77d0e2ab94f3586d0f"))] {
        let response = client.send(&client.message("tools/list", json!({}))).await?;
        assert_eq!(response.status, 401);
        let challenge = response.header("www-authenticate").to_owned();
        assert!(challenge.starts_with("Bearer"), "{challenge:?}");
        assert!(challenge.contains("resource_metadata=") && challenge.contains(&gateway.address.to_string()), "{challenge:?}");
    }
    assert!(fixture.journal.received("tools/call").is_empty());
    gateway.stop().await?;
    Ok(())
}
