//! Servers that reach the web: fetch, and a browser.

use std::{net::Ipv4Addr, path::Path};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::AbortHandle,
};

use super::{
    Server,
    compare::{Table, equals_direct},
};

const PAGE: &str = "<!doctype html><html><head><title>Calculator</title></head><body><article><h1>Addition</h1>\
    <p>88 加 22 makes 110, as <a href=\"/more\">everybody</a> can see who has learned to add numbers of two digits.</p>\
    <button onclick=\"document.title='Clicked'; console.log('clicked')\">Add</button>\
    <input aria-label=\"Name\"><select aria-label=\"Unit\"><option>one</option><option>two</option></select></article></body></html>";

/// A web site on the loopback; it ends when the handle is dropped.
struct Site {
    url: String,
    task: AbortHandle,
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Site {
    async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serve = async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let mut request = vec![0; 8192];
                let read = socket.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(request.get(..read).unwrap_or_default()).into_owned();
                let path = request.split_whitespace().nth(1).unwrap_or_default().to_owned();
                let (status, kind, body) = match path.as_str() {
                    "/" => ("200 OK", "text/html; charset=utf-8", PAGE),
                    "/data" => ("200 OK", "application/json", "{\"sum\": 110}"),
                    // A browser asks for it when it likes, and a failure is an event of whichever call is under way.
                    "/favicon.ico" => ("200 OK", "image/svg+xml", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"),
                    "/broken" => ("500 Internal Server Error", "text/plain", "broken"),
                    _ => ("404 Not Found", "text/plain", "nothing here"),
                };
                let length = body.len();
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
                // Whoever left has left.
                socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap_or_default();
            }
        };
        let tracker = tokio_util::task::TaskTracker::new();
        Ok(Self { url, task: tracker.spawn(serve).abort_handle() })
    }
}

#[tokio::test]
async fn real_fetch_equals_direct() -> Result<()> {
    let site = Site::open().await?;
    equals_direct(&Table {
        test: "real fetch",
        prepare: &|_| Ok(()),
        server: &|_| Server::pypi("py", "mcp-server-fetch", &["--allow-private-ips"]),
        calls: &|_| {
            let at = |path: &str| format!("{}{path}", site.url);
            vec![
                ("fetch", json!({ "url": at("/") })),
                ("fetch", json!({ "url": at("/"), "raw": true })),
                ("fetch", json!({ "url": at("/"), "raw": true, "max_length": 50, "start_index": 20 })),
                ("fetch", json!({ "url": at("/"), "raw": true, "start_index": 99_999 })),
                ("fetch", json!({ "url": at("/data") })),
                ("fetch", json!({ "url": at("/none") })),
                ("fetch", json!({ "url": at("/broken") })),
                ("fetch", json!({ "url": "not a url" })),
                ("fetch", json!({ "url": at("/"), "max_length": -1 })),
            ]
        },
        uncalled: &[],
        unwilling: &[],
        tools: 1,
    })
    .await
}

fn browser(world: &str) -> Result<Server> {
    let chromium = "/usr/bin/chromium";
    ensure!(Path::new(chromium).exists(), "chromium is not installed");
    let args = ["--headless", "--isolated", "--no-sandbox", "--executable-path", chromium, "--output-dir", world];
    let mut server = Server::npm("@playwright/mcp/cli.js", &args)?;
    // Decides about colours in its texts, and a server behind the gateway does not inherit it.
    server.env.push(("CI", "true".to_owned()));
    Ok(server)
}

#[tokio::test]
async fn real_browser_equals_direct() -> Result<()> {
    let site = Site::open().await?;
    equals_direct(&Table {
        test: "real browser",
        prepare: &|world| Ok(std::fs::write(world.join("upload.txt"), "hello\n")?),
        server: &browser,
        calls: &|world| browsing(&site.url, world),
        uncalled: &["browser_take_screenshot", "browser_network_request", "browser_drop"],
        // Nothing on the page asks for them.
        unwilling: &["browser_handle_dialog", "browser_file_upload"],
        tools: 25,
    })
    .await
}

fn browsing(url: &str, world: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("browser_snapshot", json!({})),
        ("browser_resize", json!({ "width": 640, "height": 480 })),
        ("browser_emulate_media", json!({ "colorScheme": "dark" })),
        ("browser_navigate", json!({ "url": format!("{url}/") })),
        ("browser_snapshot", json!({})),
        ("browser_find", json!({ "text": "Addition" })),
        ("browser_click", json!({ "element": "Add", "target": "e6" })),
        ("browser_click", json!({ "element": "nothing", "target": "e99" })),
        ("browser_console_messages", json!({ "level": "info" })),
        ("browser_type", json!({ "element": "Name", "target": "e7", "text": "Ada 加" })),
        ("browser_press_key", json!({ "key": "Tab" })),
        ("browser_hover", json!({ "element": "Add", "target": "e6" })),
        ("browser_select_option", json!({ "element": "Unit", "target": "e8", "values": ["two"] })),
        ("browser_fill_form", json!({ "fields": [{ "target": "e7", "name": "Name", "type": "textbox", "value": "Lin" }] })),
        ("browser_drag", json!({ "startElement": "a", "startTarget": "e6", "endElement": "b", "endTarget": "e7" })),
        ("browser_evaluate", json!({ "function": "() => [88 + 22, document.title]" })),
        ("browser_evaluate", json!({ "function": "() => { throw new Error('broken') }" })),
        ("browser_run_code_unsafe", json!({ "code": "async (page) => page.title()" })),
        ("browser_wait_for", json!({ "text": "Addition" })),
        ("browser_handle_dialog", json!({ "accept": true })),
        ("browser_file_upload", json!({ "paths": [format!("{world}/upload.txt")] })),
        ("browser_tabs", json!({ "action": "list" })),
        ("browser_tabs", json!({ "action": "select", "index": 9 })),
        ("browser_network_requests", json!({ "static": false })),
        ("browser_navigate", json!({ "url": "nonsense://x" })),
        ("browser_navigate", json!({ "url": format!("{url}/data") })),
        ("browser_navigate_back", json!({})),
        ("browser_close", json!({})),
    ]
}
