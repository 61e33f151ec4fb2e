//! What a request must satisfy, and what becomes of it.

use parking_lot::Mutex;

use super::*;

#[track_caller]
fn assert_refused(response: &Plain, status: u16, code: Option<&str>) {
    assert_eq!((response.status, response.code().as_deref()), (status, code), "{}", response.head);
    assert_eq!(response.field("content-type"), Some("application/json"));
    let message = Json::parse(&response.body).unwrap().to_object().unwrap();
    assert!(!message.object.has("id") && message.object.has("error"));
}

#[tokio::test]
async fn a_post_reaches_the_gateway_and_its_answer_comes_back() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    for body in [&b"{\"a\":1}"[..], b"{}", &[b'x'; 300_000]] {
        wire.post("/mcp", body).await;
        let response = wire.response().await;
        assert_eq!((response.status, response.field("content-type")), (200, Some("application/json")));
        assert!(response.body == body);
    }
    rig.stop().await;
}

#[tokio::test]
async fn an_answer_without_a_body_has_no_type() {
    let rig = start(options(), |_| async { Answer::empty(202) }).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"{}").await;
    let response = wire.response().await;
    assert_eq!((response.status, response.field("content-length"), response.field("content-type")), (202, Some("0"), None));
}

#[tokio::test]
async fn large_answers_arrive_whole() {
    let rig = start(options(), |inbound| async move {
        let large = Bytes::from(vec![b'z'; 1 << 20]);
        let mut pieces = crib_mcp::Pieces::default();
        pieces.text("[").share(&large).text(",").share(&inbound.body).text("]");
        Answer::json(200, pieces.finish())
    })
    .await;
    let mut wire = rig.connect().await;
    wire.post("/mcp", b"1").await;
    let response = wire.response().await;
    assert_eq!(response.body.len(), (1 << 20) + 4);
    assert!(response.body.starts_with(b"[zz") && response.body.ends_with(b"zz,1]"));
}

#[tokio::test]
async fn the_path_and_the_query_tell_scope_and_carrier() {
    let seen: Arc<Mutex<Vec<(Verb, Carrier, Scope)>>> = Arc::default();
    let log = Arc::clone(&seen);
    let rig = start(options(), move |inbound| {
        log.lock().push((inbound.verb, inbound.carrier, inbound.scope));
        async { Answer::empty(202) }
    })
    .await;
    let mut wire = rig.connect().await;
    wire.post("/mcp/git", b"{}").await;
    wire.response().await;
    wire.post("/mcp?sessionId=abc", b"{}").await;
    wire.response().await;
    wire.get("/mcp", "Accept: text/event-stream\r\n").await;
    wire.response().await;
    wire.get("/mcp", "Accept: application/json, text/event-stream;q=1\r\nMcp-Session-Id: s\r\n").await;
    wire.response().await;
    wire.write(b"DELETE /mcp HTTP/1.1\r\nHost: localhost\r\nMcp-Session-Id: s\r\n\r\n").await;
    wire.response().await;
    let one = Scope::One(crib_model::Slug::parse("git").unwrap());
    let sse = |session: Option<&str>| Carrier::Sse { session: session.map(str::to_owned) };
    let expected = [
        (Verb::Post, Carrier::Http, one),
        (Verb::Post, sse(Some("abc")), Scope::All),
        (Verb::Get, sse(None), Scope::All),
        (Verb::Get, Carrier::Http, Scope::All),
        (Verb::Delete, Carrier::Http, Scope::All),
    ];
    assert_eq!(*seen.lock(), expected);
}

#[tokio::test]
async fn foreign_hosts_and_origins_are_refused_on_every_path() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    for path in ["/mcp", "/mcp/git", "/mcp?sessionId=x", "/v1/tools", "/metrics"] {
        for fields in ["Host: evil.example", "Host: localhost\r\nOrigin: https://evil.example", "Host: localhost\r\nOrigin: null"] {
            wire.write(format!("GET {path} HTTP/1.1\r\n{fields}\r\nAccept: text/event-stream\r\n\r\n").as_bytes()).await;
            let response = wire.response().await;
            assert_refused(&response, 403, Some("TC0314"));
            // Plain HTTP does not speak JSON-RPC.
            assert_eq!(String::from_utf8_lossy(&response.body).contains("jsonrpc"), path.starts_with("/mcp"), "{path}");
        }
    }
    wire.write(b"GET http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert_refused(&wire.response().await, 403, Some("TC0314"));
    rig.stop().await;
}

#[tokio::test]
async fn only_configured_origins_may_read_in_a_browser() {
    let rig = echo(ServerOptions { allowed_origins: vec!["https://app.example.com".to_owned()], ..options() }).await;
    let mut wire = rig.connect().await;
    let preflight = |origin: &str| {
        format!("OPTIONS /mcp HTTP/1.1\r\nHost: localhost\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\r\n")
    };
    wire.write(preflight("https://app.example.com").as_bytes()).await;
    let granted = wire.response().await;
    assert_eq!((granted.status, granted.field("access-control-allow-origin")), (204, Some("https://app.example.com")));
    wire.write(preflight("http://localhost:3000").as_bytes()).await;
    let bare = wire.response().await;
    assert_eq!((bare.status, bare.field("access-control-allow-origin")), (204, None));
}

#[tokio::test]
async fn a_post_must_be_json() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    for kind in ["Content-Type: text/plain\r\n", "Content-Type: application/jsonx\r\n", ""] {
        wire.write(format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\n{kind}Content-Length: 2\r\n\r\n{{}}").as_bytes()).await;
        assert_refused(&wire.response().await, 415, None);
    }
    for kind in ["application/json", "Application/JSON; charset=utf-8"] {
        let head = format!("POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\nContent-Length: 2\r\n\r\n{{}}");
        wire.write(head.as_bytes()).await;
        assert_eq!(wire.response().await.status, 200);
    }
}

#[tokio::test]
async fn other_methods_and_plain_gets_are_405() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    for request in ["PUT /mcp", "PATCH /mcp/git", "GET /mcp"] {
        wire.write(format!("{request} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n").as_bytes()).await;
        let response = wire.response().await;
        assert_refused(&response, 405, None);
        assert_eq!(response.field("allow"), Some("POST, GET, DELETE, OPTIONS"));
    }
}

#[tokio::test]
async fn paths_that_name_nothing_are_404() {
    let rig = echo(options()).await;
    let mut wire = rig.connect().await;
    wire.post("/mcp/not__a__slug", b"{}").await;
    assert_refused(&wire.response().await, 404, Some("TC0310"));
    wire.get("/elsewhere", "").await;
    assert_eq!(wire.response().await.status, 404);
}

#[tokio::test]
async fn a_taken_port_is_told_with_a_hint() {
    let rig = echo(options()).await;
    let fault = bind(ServerOptions { listen: vec![rig.address], ..options() }).await.unwrap_err();
    assert_eq!(fault.code(), crib_model::Code::ListenRefused);
    assert!(fault.remedy().unwrap().contains(&rig.address.port().to_string()));
}

#[tokio::test]
async fn both_loopback_addresses_share_a_port() {
    let server = bind(ServerOptions::loopback(0)).await.unwrap();
    let addresses = server.local_addrs();
    assert!(addresses[0].ip().is_ipv4());
    assert!(addresses.iter().all(|address| address.port() == addresses[0].port() && address.port() != 0));
}
