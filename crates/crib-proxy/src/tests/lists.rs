use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crib_mcp::Method;
use crib_model::{Principal, Slug};
use crib_policy::RuleSpec;
use crib_registry::NameStyle;
use serde_json::{Value, json};

use super::rig::{Caller, Fake, Rig, echo, setup, tool};

async fn all(caller: &Caller) -> (Vec<String>, BTreeSet<String>, Option<String>) {
    let (mut names, mut scopes, mut cursor, mut middle) = (Vec::new(), BTreeSet::new(), None::<String>, None);
    loop {
        let params = cursor.as_ref().map_or_else(|| json!({}), |cursor| json!({ "cursor": cursor }));
        let got = caller.send("tools/list", params).await;
        let result = &got.last()["result"];
        names.extend(result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()));
        scopes.insert(result["cacheScope"].as_str().unwrap().to_owned());
        cursor = result["nextCursor"].as_str().map(str::to_owned);
        middle = middle.or_else(|| cursor.clone());
        if cursor.is_none() {
            return (names, scopes, middle);
        }
    }
}

#[tokio::test]
async fn pages_of_servers_with_any_page_size_become_pages_of_one_list() {
    let many = |n: usize, page_size: usize| {
        let tools = (0..n).map(|i| tool(&format!("t{i}"))).collect();
        let mut fake = Fake::new(tools, echo());
        Arc::get_mut(&mut fake).unwrap().page_size = page_size;
        fake
    };
    let (none, few, lots) = (many(0, 1), many(7, 3), many(1000, 100));
    let rig = Rig::with(&[("none", &none), ("few", &few), ("lots", &lots)], NameStyle::default(), 64, &RuleSpec::default());
    let (names, scopes, middle) = all(&rig.alice()).await;
    assert_eq!(names.len(), 1007);
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), 1007);
    assert_eq!(scopes.len(), 1);
    let middle = middle.unwrap();
    let stolen = rig.bob().send("tools/list", json!({ "cursor": middle })).await;
    assert_eq!(stolen.error_code(), -32602);
    for bad in
        [json!(""), json!("x"), json!(middle.trim_end_matches(char::is_alphanumeric)), json!(format!("{middle}A")), json!(7), Value::Null]
    {
        assert_eq!(rig.alice().send("tools/list", json!({ "cursor": bad })).await.error_code(), -32602, "{bad}");
    }
    let elsewhere = rig.alice().send("prompts/list", json!({ "cursor": middle })).await;
    assert_eq!(elsewhere.error_code(), -32602);
}

#[tokio::test]
async fn a_definition_passes_to_the_byte_but_for_its_name() {
    let definition = r#"{"name":"t","x-vendor":{"n":123456789012345678901234567890,"e":1e3},"inputSchema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","$defs":{"a":{"$anchor":"z"}},"additionalProperties":false}}"#;
    let fake = Fake::new(vec![], echo());
    let rig = Rig::with(&[("s", &fake)], NameStyle::Plain, 100, &RuleSpec::default());
    // As text, because a `Value` would not keep the numbers.
    let upstream = crib_mcp::Json::parse(&definition.into()).unwrap();
    assert_eq!(upstream.as_str(), definition);
    fake.tools.lock().push(serde_json::from_str(r#"{"name":"t","inputSchema":{"type":"object","$defs":{"a":{"$anchor":"z"}}}}"#).unwrap());
    let got = rig.alice().send("tools/list", json!({})).await;
    assert_eq!(got.last()["result"]["tools"][0]["inputSchema"]["$defs"]["a"]["$anchor"], "z");
    assert_eq!(got.last()["result"]["tools"][0]["name"], "t");
}

async fn names(caller: &Caller) -> Vec<String> {
    all(caller).await.0
}

#[tokio::test(start_paused = true)]
async fn a_first_list_waits_while_slow_servers_come_up_one_after_the_other() {
    let fakes: Vec<_> = (1..5).map(|n| Fake::slow(vec![tool("a")], Duration::from_secs(n * 3))).collect();
    let rig = Rig::new(&[("one", &fakes[0]), ("two", &fakes[1]), ("three", &fakes[2]), ("four", &fakes[3])]);
    assert_eq!(names(&rig.alice()).await, ["four__a", "one__a", "three__a", "two__a"]);
}

#[tokio::test(start_paused = true)]
async fn servers_that_are_there_are_not_held_up_for_long_by_one_that_hangs() {
    let (there, hangs) = (Fake::new(vec![tool("a")], echo()), Fake::silent());
    let rig = Rig::new(&[("there", &there), ("hangs", &hangs)]);
    let start = tokio::time::Instant::now();
    assert_eq!(names(&rig.alice()).await, ["there__a"]);
    assert_eq!(start.elapsed().as_secs(), 8);
    assert_eq!(names(&rig.alice()).await, ["there__a"]);
    assert_eq!(start.elapsed().as_secs(), 8, "it is waited for once");
}

#[tokio::test(start_paused = true)]
async fn the_tools_of_one_server_wait_for_no_other() {
    let (there, late, hangs) = (Fake::new(vec![tool("a")], echo()), Fake::slow(vec![tool("b")], Duration::from_secs(20)), Fake::silent());
    let rig = Rig::new(&[("there", &there), ("late", &late), ("hangs", &hangs)]);
    let anybody = Arc::new(Principal::anonymous());
    let tools = async |slug: &str| {
        let tools = rig.plane.tools_of(&anybody, &Slug::from_name(slug)).await;
        tools.iter().map(|tool| tool.name.to_string()).collect::<Vec<_>>()
    };
    let start = tokio::time::Instant::now();
    assert_eq!((tools("there").await, start.elapsed().as_secs()), (vec!["there__a".to_owned()], 0));
    assert_eq!((tools("late").await, start.elapsed().as_secs()), (vec!["late__b".to_owned()], 20));
    assert_eq!((tools("hangs").await, start.elapsed().as_secs()), (Vec::new(), 52));
}

#[tokio::test(start_paused = true)]
async fn where_no_server_is_there_yet_a_list_waits_for_as_long_as_a_start_may_take() {
    let (slow, hangs) = (Fake::slow(vec![tool("a")], Duration::from_secs(10)), Fake::silent());
    let rig = Rig::new(&[("slow", &slow), ("hangs", &hangs)]);
    assert_eq!(names(&rig.alice()).await, ["slow__a"]);
    let rig = Rig::new(&[("hangs", &Fake::silent())]);
    let start = tokio::time::Instant::now();
    // Where it is all there is, no list is made of its silence.
    assert_eq!(rig.alice().send("tools/list", json!({})).await.last()["error"]["data"]["code"], "TC0203");
    // A little longer: what it failed of is to be told.
    assert_eq!(start.elapsed().as_secs(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_sleeps_is_asked_for_nothing_until_it_wakes() {
    let fake = Fake::new(vec![tool("a")], echo());
    let rig = Rig::new(&[("s", &fake)]);
    let names = async || all(&rig.alice()).await.0;
    assert_eq!(names().await, ["s__a"]);
    fake.state.send_replace("sleeping");
    let asked = fake.count(&Method::Discover);
    tokio::time::sleep(Duration::from_secs(200)).await;
    assert_eq!((names().await, fake.count(&Method::Discover)), (vec!["s__a".to_owned()], asked));

    // Nor does a reload wake it.
    let mut next = setup(&[("s", &fake)], NameStyle::default(), 10, &RuleSpec::default());
    next.servers = rig.plane.snapshot().setup.servers.clone();
    rig.plane.swap(next);
    assert_eq!((names().await, fake.count(&Method::Discover)), (vec!["s__a".to_owned()], asked));

    fake.tools.lock().push(tool("b"));
    fake.state.send_replace("running");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(names().await, ["s__a", "s__b"]);
    assert!(fake.count(&Method::Discover) > asked);
}
