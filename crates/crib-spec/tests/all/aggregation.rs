//! Many servers as one: names and URIs lead there and back, whatever carries them, and however many there are.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use crib_spec::{
    client::{Legacy, Modern},
    fixture::{Era, Extras, Fixture, Options},
    gateway::{Config, Gateway, url_server},
    wait::{SOON, eventually},
};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

const UI: &str = "io.modelcontextprotocol/ui";
const SKILLS: &str = "io.modelcontextprotocol/skills";

/// A gateway before two servers that have the same app and the same skill.
async fn twice() -> Result<(Fixture, Fixture, Gateway)> {
    let options =
        || Options { era: Era::Modern, extras: Extras::AppAndSkill, ttl_ms: 60_000, scope: "public".to_owned(), ..Options::default() };
    let (a, b) = (Fixture::start(options()).await?, Fixture::start(options()).await?);
    let gateway = Gateway::start(&Config::new().server("a", url_server(&a.url())).server("b", url_server(&b.url()))).await?;
    Ok((a, b, gateway))
}

fn knowing(gateway: &Gateway) -> Modern {
    let extensions = json!({ UI: { "mimeTypes": ["text/html;profile=mcp-app"] }, SKILLS: {} });
    Modern::new(gateway.address).declaring(json!({ "extensions": extensions }))
}

fn texts<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().into_iter().flatten().filter_map(|item| item[field].as_str()).collect()
}

#[tokio::test]
async fn an_app_stays_an_app_of_its_server() -> Result<()> {
    let (_a, b, gateway) = twice().await?;
    let client = knowing(&gateway);
    let tools = client.call("tools/list", json!({})).await?["result"]["tools"].take();
    assert_eq!(texts(&tools, "name"), ["a__panel", "b__panel"]);
    for (tool, server) in tools.as_array().into_iter().flatten().zip(["a", "b"]) {
        let page = format!("ui://{server}/panel/index.html");
        assert_eq!(tool["_meta"]["ui"]["resourceUri"], page, "{tool}");
        assert_eq!((&tool["_meta"]["ui"]["visibility"], &tool["_meta"]["vendor/k"]), (&json!(["model", "app"]), &json!(1)), "{tool}");
        let read = client.call("resources/read", json!({ "uri": page })).await?;
        let contents = &read["result"]["contents"][0];
        assert_eq!((&contents["uri"], &contents["text"]), (&json!(page), &json!("content of ui://panel/index.html")), "{read}");
    }
    let resources = client.call("resources/list", json!({})).await?["result"]["resources"].take();
    let page = resources.as_array().into_iter().flatten().find(|item| item["uri"] == "ui://b/panel/index.html").context("listed")?;
    assert_eq!(page["_meta"]["ui"]["csp"]["connectDomains"][0], "https://api.example.com", "{page}");
    // What a result links to is found where it came from.
    let said = client.tool("b__panel", json!({})).await?;
    let content = &said["result"]["content"];
    assert_eq!(content[0]["uri"], "ui://b/panel/index.html", "{said}");
    assert_eq!(content[1]["resource"]["uri"], "skill://b/pdf/fill.py", "{said}");
    assert_eq!(b.journal.received("tools/call")[0]["body"]["params"]["name"], "panel");
    // A client of another era finds the same.
    let legacy = Legacy::connect(gateway.address, "2025-11-25", json!({})).await?;
    let listed = legacy.call("tools/list", json!({})).await?;
    assert_eq!(listed["result"]["tools"][1]["_meta"]["ui"]["resourceUri"], "ui://b/panel/index.html", "{listed}");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn skills_of_two_servers_with_one_name_are_two_skills() -> Result<()> {
    let (_a, b, gateway) = twice().await?;
    let client = knowing(&gateway);
    let discovered = client.call("server/discover", json!({})).await?;
    ensure!(discovered["result"]["capabilities"]["extensions"][SKILLS]["directoryRead"] == true, "{discovered}");
    let skills = client.call("skills/list", json!({})).await?["result"]["skills"].take();
    assert_eq!(texts(&skills, "uri"), ["skill://a/pdf/SKILL.md", "skill://b/pdf/SKILL.md"]);
    assert_eq!(texts(&skills[1]["resources"], "uri"), ["skill://b/pdf/SKILL.md", "skill://b/pdf/fill.py"]);
    assert_eq!(texts(&skills[1]["resources"], "digest"), ["sha256:01", "sha256:02"], "{skills}");
    let one = client.call("skills/get", json!({ "uri": "skill://b/pdf/SKILL.md" })).await?;
    assert_eq!((&one["result"]["uri"], &one["result"]["resources"]), (&skills[1]["uri"], &skills[1]["resources"]), "{one}");
    let read = client.call("resources/read", json!({ "uri": "skill://b/pdf/fill.py" })).await?;
    // The bytes are the server's: a digest of them would not fit otherwise.
    assert_eq!(read["result"]["contents"][0]["text"], "content of skill://pdf/fill.py", "{read}");
    let folder = client.call("resources/directory/read", json!({ "uri": "skill://b/pdf" })).await?;
    assert_eq!(texts(&folder["result"]["resources"], "uri"), ["skill://b/pdf/SKILL.md", "skill://b/pdf/fill.py"], "{folder}");
    for nobody in ["skill://c/pdf/SKILL.md", "skill://pdf/SKILL.md"] {
        let reply = client.call("skills/get", json!({ "uri": nobody })).await?;
        assert_eq!(reply["error"]["code"], -32602, "{nobody}: {reply}");
    }
    assert_eq!(b.journal.received("skills/get").len(), 1, "the others were not asked");
    gateway.stop().await?;
    Ok(())
}

#[tokio::test]
async fn a_resource_that_is_nowhere_has_the_code_of_the_clients_revision() -> Result<()> {
    let (_a, _b, gateway) = twice().await?;
    for uri in ["file:///none", "c+file:///none", "ui://c/none", "a+test://none"] {
        let modern = Modern::new(gateway.address).call("resources/read", json!({ "uri": uri })).await?;
        assert_eq!((&modern["error"]["code"], &modern["error"]["data"]["uri"]), (&json!(-32602), &json!(uri)), "{modern}");
        for revision in ["2024-11-05", "2025-11-25"] {
            let legacy = Legacy::connect(gateway.address, revision, json!({})).await?;
            let reply = legacy.call("resources/read", json!({ "uri": uri })).await?;
            assert_eq!(reply["error"]["code"], -32002, "{revision}, {uri}: {reply}");
        }
    }
    gateway.stop().await?;
    Ok(())
}

const SERVERS: usize = 100;
const TOOLS: usize = 100;

#[tokio::test]
async fn ten_thousand_tools_of_a_hundred_servers_are_listed_once_and_found() -> Result<()> {
    let options = || Options { era: Era::Modern, generated: Some(TOOLS), page: 40, ..Options::default() };
    let fixtures = try_join_all((0..SERVERS).map(|_| Fixture::start(options()))).await?;
    let config =
        fixtures.iter().enumerate().fold(Config::new(), |config, (n, fixture)| config.server(&format!("s{n}"), url_server(&fixture.url())));
    let gateway = Gateway::start(&config).await?;
    let client = Modern::new(gateway.address);
    let names = async || {
        let (mut names, mut params) = (Vec::new(), json!({}));
        loop {
            let mut reply = client.call("tools/list", params.clone()).await?;
            names.extend(texts(&reply["result"]["tools"], "name").into_iter().map(str::to_owned));
            if reply["result"].get("nextCursor").is_none() {
                return anyhow::Ok(names);
            }
            params["cursor"] = reply["result"]["nextCursor"].take();
        }
    };
    // On a busy machine a server may answer later than the first list waits.
    let all = || async { names().await.ok().filter(|names| names.len() >= SERVERS * TOOLS) };
    let names = eventually(SOON, "every server is listed", all).await?;
    assert_eq!((names.len(), names.iter().collect::<BTreeSet<_>>().len()), (SERVERS * TOOLS, SERVERS * TOOLS));
    for (number, fixture) in [(0, &fixtures[0]), (57, &fixtures[57]), (99, &fixtures[99])] {
        let reply = client.tool(&format!("s{number}__tool_0099"), json!({})).await?;
        assert_eq!(reply["result"]["content"][0]["text"], "tool_0099", "{reply}");
        assert_eq!(fixture.journal.received("tools/call").len(), 1, "s{number} was called");
    }
    let reply = client.tool("s57__tool_0100", json!({})).await?;
    assert_eq!(reply["error"]["code"], -32602, "{reply}");
    gateway.stop().await?;
    Ok(())
}
