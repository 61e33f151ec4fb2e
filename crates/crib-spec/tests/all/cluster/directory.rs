//! Replicas that end, and a Redis that goes away and comes back.

use anyhow::Result;
use crib_spec::{
    client::Legacy,
    fixture::{Era, Fixture},
    gateway::{Config, Gateway, url_server},
    wait::eventually,
};
use serde_json::json;

use super::{Redis, SECRET, SETTLED, replicas, stop_all, until_ready};

async fn ping(client: &Legacy) -> Option<u16> {
    Some(client.send(&client.message("ping", &json!({}))).await.ok()?.status)
}

#[tokio::test]
async fn sessions_of_a_replica_that_was_killed_are_unknown_within_seconds() -> Result<()> {
    let Some(redis) = Redis::start("sessions_of_a_replica_that_was_killed_are_unknown_within_seconds").await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let [a, b] = replicas(&redis, &Config::plain("one", url_server(&fixture.url()))).await?;
    let mut client = Legacy::connect(a.address, "2025-11-25", json!({})).await?;
    client.address = b.address;
    assert_eq!(ping(&client).await, Some(200));
    let mut stream = client.listen(None).await?.patience(SETTLED);
    a.kill().await?;
    while stream.event().await.ok().flatten().is_some() {}
    eventually(SETTLED, "the session is unknown", || async { ping(&client).await.filter(|status| *status == 404) }).await?;
    // And the client begins anew.
    let again = Legacy::connect(b.address, "2025-11-25", json!({})).await?;
    assert_eq!(ping(&again).await, Some(200));
    stop_all([b]).await
}

#[tokio::test]
async fn without_redis_each_replica_serves_what_it_has_and_says_what_is_wrong() -> Result<()> {
    let test = "without_redis_each_replica_serves_what_it_has_and_says_what_is_wrong";
    let Some(redis) = Redis::start(test).await? else { return Ok(()) };
    let fixture = Fixture::of(Era::Legacy).await?;
    let config = Config::plain("one", url_server(&fixture.url()));
    let [a, b] = replicas(&redis, &config).await?;
    let c = Gateway::start(&config.cluster(redis.address, SECRET)).await?;
    until_ready(&c, "ready").await?;
    let mut client = Legacy::connect(a.address, "2025-11-25", json!({})).await?;
    client.address = b.address;
    assert_eq!(ping(&client).await, Some(200));

    let place = redis.stop().await?;
    let page = until_ready(&c, "partly ready").await?;
    assert_eq!(page["cluster"]["code"], "TC0403", "{page}");
    client.address = a.address;
    assert_eq!(ping(&client).await, Some(200), "its own session");
    client.address = b.address;
    assert_eq!(ping(&client).await, Some(200), "it knows from before where the session is");
    client.address = c.address;
    let refused = client.send(&client.message("ping", &json!({}))).await?;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"), "it never heard of the other");
    let error = refused.json().await?;
    assert_eq!(error["error"]["data"]["code"], "TC0403", "{error}");

    let redis = Redis::at(place, test).await?;
    until_ready(&c, "ready").await?;
    // The first answers come while the others have yet to say again that they run: never is one of them 404.
    let comes_back = || async { ping(&client).await.filter(|status| *status != 503) };
    assert_eq!(eventually(SETTLED, "the session is found again", comes_back).await?, 200);
    drop(redis);
    stop_all([a, b, c]).await
}
