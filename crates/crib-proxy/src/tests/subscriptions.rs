use std::sync::Arc;

use crib_mcp::{Method, Notification, Payload};
use crib_model::{Event, Gateway, Reply, Step};
use crib_policy::RuleSpec;
use crib_registry::NameStyle;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::broadcast;

use super::rig::{Fake, Handler, Rig, frames, next, setup, tool};

/// A server whose subscriptions say what the test puts into the channel.
fn tells(changes: &broadcast::Sender<(Method, Value)>) -> Handler {
    let changes = changes.clone();
    Arc::new(move |forward| {
        let receiver = changes.subscribe();
        Box::pin(async move {
            assert_eq!(forward.method, Method::Listen);
            let filter = forward.params.get("notifications").unwrap();
            let ack = Notification { method: Method::Acknowledged, params: Payload::of(&json!({ "notifications": filter })) };
            let rest = stream::unfold(receiver, |mut receiver| async move {
                let (method, params) = receiver.recv().await.ok()?;
                Some((Step::Event(Event(Notification { method, params: Payload::of(&params) })), receiver))
            });
            Ok(Reply::Stream(Box::pin(stream::once(async { Step::Event(Event(ack)) }).chain(rest))))
        })
    })
}

#[tokio::test]
async fn a_subscription_is_acknowledged_first_and_carries_the_clients_id() {
    let (changes, _keep) = broadcast::channel(16);
    let fake = Fake::new(vec![tool("a")], tells(&changes));
    let rig = Rig::new(&[("s", &fake)]);
    let filter = json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true, "resourceSubscriptions": ["s+mem://x", "zzz+mem://y"] } });
    let mut stream = frames(rig.alice().open("subscriptions/listen", filter).await);
    let ack = next(&mut stream).await;
    assert_eq!(ack["method"], "notifications/subscriptions/acknowledged");
    assert_eq!(ack["params"]["notifications"], json!({ "toolsListChanged": true, "resourceSubscriptions": ["s+mem://x"] }));
    assert_eq!(ack["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);

    fake.tools.lock().push(tool("b"));
    changes.send((Method::ToolsChanged, json!({}))).unwrap();
    assert_eq!(next(&mut stream).await["method"], "notifications/tools/list_changed");
    let listed = rig.alice().send("tools/list", json!({})).await;
    assert_eq!(listed.last()["result"]["tools"].as_array().unwrap().len(), 2, "the list is new before the client is told");

    changes.send((Method::ResourceUpdated, json!({ "uri": "mem://other" }))).unwrap();
    changes.send((Method::ResourceUpdated, json!({ "uri": "mem://x" }))).unwrap();
    let updated = next(&mut stream).await;
    assert_eq!(updated["params"]["uri"], "s+mem://x");
    assert_eq!(updated["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
}

#[tokio::test]
async fn two_clients_on_one_resource_cost_the_server_one_subscription() {
    let (changes, _keep) = broadcast::channel(16);
    let fake = Fake::new(vec![tool("a")], tells(&changes));
    let rig = Rig::new(&[("s", &fake)]);
    let filter = json!({ "notifications": { "resourceSubscriptions": ["s+mem://x"] } });
    let mut one = frames(rig.alice().open("subscriptions/listen", filter.clone()).await);
    next(&mut one).await;
    let listens = fake.count(&Method::Listen);
    let mut two = frames(rig.bob().open("subscriptions/listen", filter).await);
    next(&mut two).await;
    assert_eq!(fake.count(&Method::Listen), listens);
    drop(one);
    changes.send((Method::ResourceUpdated, json!({ "uri": "mem://x" }))).unwrap();
    assert_eq!(next(&mut two).await["method"], "notifications/resources/updated");
}

#[tokio::test]
async fn the_end_of_the_gateway_ends_a_subscription_with_a_result_and_leaves_calls_alone() {
    let (changes, _keep) = broadcast::channel(16);
    let fake = Fake::new(vec![tool("a")], tells(&changes));
    let rig = Rig::new(&[("s", &fake)]);
    let mut stream = frames(rig.alice().open("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })).await);
    next(&mut stream).await;
    rig.plane.draining();
    let end = next(&mut stream).await;
    assert_eq!(end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    assert!(stream.next().await.is_none());
    let listed = rig.alice().send("tools/list", json!({})).await;
    assert_eq!(listed.last()["result"]["tools"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_configuration_ends_a_subscription_with_a_result() {
    let (changes, _keep) = broadcast::channel(16);
    let fake = Fake::new(vec![tool("a")], tells(&changes));
    let rig = Rig::new(&[("s", &fake)]);
    let mut stream = frames(rig.alice().open("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } })).await);
    next(&mut stream).await;
    rig.plane.swap(setup(&[("other", &fake)], NameStyle::default(), 10, &RuleSpec::default()));
    let end = next(&mut stream).await;
    assert_eq!(end["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 1);
    assert!(stream.next().await.is_none());
}
