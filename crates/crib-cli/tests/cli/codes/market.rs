//! What fails on the way from a registry to a server that runs.

use crib_test::Site;
use serde_json::{Value, json};

use super::Scene;
use crate::shelf::Shelf;

/// The pages of a registry that lists these servers.
fn listing(servers: &[Value]) -> Site {
    let site = Site::new();
    let entries: Vec<Value> = servers.iter().map(|server| json!({ "server": server })).collect();
    site.serve("/v0.1/servers", "application/json", json!({ "servers": entries, "metadata": {} }).to_string());
    for entry in &entries {
        let name = entry.pointer("/server/name").and_then(Value::as_str).expect("a name").replace('/', "%2F");
        site.serve(&format!("/v0.1/servers/{name}/versions/latest"), "application/json", entry.to_string());
    }
    site
}

#[test]
fn registries() {
    let package = json!({ "registryType": "npm", "identifier": "x", "version": "1.0.0", "transport": { "type": "stdio" },
        "packageArguments": [{ "type": "named", "name": "--city", "isRequired": true, "description": "Where you are" }] });
    let site = listing(&[
        json!({ "name": "io.github.a/odd", "version": "1.0.0", "description": "", "packages": [{ "registryType": "zig", "identifier": "x" }] }),
        json!({ "name": "io.github.a/weather", "version": "1.0.0", "description": "", "packages": [package] }),
    ]);
    let broken = Site::new();
    broken.serve("/v0.1/servers", "text/html", "<html>");
    let scene = Scene::new("registries");
    scene.fails("TC0440", &["search", "x", "--registry", crate::run::NOWHERE]);
    scene.fails("TC0441", &["search", "x", "--registry", &broken.base]);
    scene.fails("TC0442", &["search", "x", "--registry", &format!("http://{}", super::remote::peer("403 Forbidden", "no"))]);
    scene.fails("TC0443", &["registry", "rm", "nobody"]);
    let base = site.base.as_str();
    scene.fails("TC0445", &["run", "io.github.a/absent", "--registry", base]);
    scene.fails("TC0446", &["run", "io.github.a/odd", "--registry", base]);
    scene.fails("TC0447", &["run", "io.github.a/weather", "--registry", base]);
    scene.fails("TC0448", &["run", "io.github.a/weather", "--registry", base, "--set", "city=x", "--set", "town=x"]);
    scene.write("home/data/registries.json", "not a list");
    scene.fails("TC0444", &["registry", "ls"]);
}

#[test]
fn packages() {
    let mut scene = Scene::new("packages");
    scene.fails("TC0502", &["run", "npm:../x"]);
    scene.fails("TC0503", &["run", "./nowhere"]);
    scene.fails("TC0504", &["pull", "http://127.0.0.1:1/x.mcpb"]);
    let files = Site::new();
    files.serve("/reader.mcpb", "application/zip", "not the bundle");
    let promised = json!({ "registryType": "mcpb", "identifier": format!("{}/reader.mcpb", files.base), "version": "1.0.0",
        "fileSha256": "0".repeat(64), "transport": { "type": "stdio" } });
    let site = listing(&[json!({ "name": "io.github.a/reader", "version": "1.0.0", "description": "", "packages": [promised] })]);
    scene.fails("TC0505", &["pull", "io.github.a/reader", "--registry", &site.base]);
    scene.set("PATH", "/nonexistent");
    scene.fails("TC0507", &["pull", "npm:reader-server"]);
    scene.write("home/data/toolcrib.lock", "not a lockfile");
    scene.fails("TC0508", &["run", "./nowhere"]);
}

#[test]
fn images() {
    let scene = Scene::new("images");
    let shelf = Shelf::new();
    shelf.image(("owner/counter", "1"), &json!({ "Entrypoint": ["/counter"] }), &[]);
    let name = format!("oci:{}/owner/counter:1", shelf.host);
    scene.good(&["pull", &name]);
    // More than can be handed over to what confines it.
    let servers = format!("servers:\n  counter: {{ run: \"{name}\", env: {{ MUCH: {} }} }}\n", "x".repeat(130 * 1024));
    scene.write("home/config.yaml", &servers);
    scene.fails("TC0509", &["inspect", "counter", "-q"]);
    scene.write("home/config.yaml", "packages: { findings: { unsigned: refuse } }\n");
    scene.fails("TC0506", &["pull", &name]);
}
