//! What is asked of a registry, and what is believed of its answers.

use crib_model::Code;
use crib_oci::{Digest, Platform, Reference};
use serde_json::{Value, json};

use crate::shelf::{CONFIG, INDEX, LAYER, MANIFEST, platform};
use crate::world::{Layer, World};

fn layer() -> Vec<u8> {
    Layer::default().file("etc/passwd", "root:x:0:0::/:\nada:x:1815:1815::/:\n").end()
}

fn digest(descriptor: &Value) -> String {
    descriptor.get("digest").and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[test]
fn the_image_of_this_machine_is_found_and_says_how_it_starts() {
    let world = World::new();
    let config = json!({ "Entrypoint": ["/bin/server"], "Cmd": ["--stdio"], "Env": ["PATH=/bin", "A=b=c", "odd"], "WorkingDir": "/made/here",
        "User": "ada:staff", "Labels": { "a": "b" }, "Volumes": { "/data": {}, "relative": {} } });
    let image = world.shelf.image(("owner/server", "1.2"), &config, &[layer()]);
    let found = world.resolve("owner/server:1.2").expect("it is found");
    assert_eq!((found.digest.to_string(), found.index.is_some()), (digest(&image), true));
    let pulled = world.pull("owner/server:1.2").expect("it is pulled");
    assert_eq!((pulled.user, pulled.config.entrypoint.as_slice()), (Some(1815), &["/bin/server".to_owned()][..]));
    assert_eq!(pulled.config.env, [("PATH".to_owned(), "/bin".to_owned()), ("A".to_owned(), "b=c".to_owned())]);
    assert_eq!(pulled.config.volumes, [std::path::PathBuf::from("/data")]);
    assert!(world.root().join("made/here").is_dir(), "it starts in a folder that is there");
    // By its digest the same, whatever the tag stands for.
    let name = format!("owner/server@{}", digest(&image));
    assert_eq!(world.resolve(&name).expect("it is found").digest.to_string(), digest(&image));
}

#[test]
fn a_token_is_asked_for_where_one_is_wanted_and_goes_nowhere_else() {
    let world = World::new();
    world.shelf.image(("x", "1"), &json!({}), &[layer()]);
    world.shelf.ask_for_token(None);
    world.shelf.keep_blobs_elsewhere();
    world.pull("x:1").expect("it is pulled");
    let asked = world.shelf.asked();
    let tokens = asked.iter().filter(|(path, _)| path.starts_with("/token?service=shelf&scope=repository:x:pull")).count();
    assert!((1..=2).contains(&tokens), "{asked:?}");
    let elsewhere: Vec<_> = asked.iter().filter(|(path, _)| path.starts_with("/elsewhere/")).collect();
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|(_, login)| login.is_none()), "{asked:?}");
}

#[test]
fn a_login_of_docker_is_used_for_its_registry() {
    let file = r#"{"auths":{"HOST":{"auth":"YWRhOnNlY3JldA=="},"ghcr.io":{"auth":"b3RoZXI6b3RoZXI="}}}"#;
    let world = World::new().with_login(file);
    world.shelf.image(("x", "1"), &json!({}), &[layer()]);
    world.shelf.ask_for_token(Some("Basic YWRhOnNlY3JldA=="));
    world.pull("x:1").expect("it is pulled");
    let stranger = World::new();
    stranger.shelf.image(("x", "1"), &json!({}), &[layer()]);
    stranger.shelf.ask_for_token(Some("Basic YWRhOnNlY3JldA=="));
    let fault = stranger.pull("x:1").expect_err("nobody is logged in");
    assert_eq!(fault.code(), Code::PackageMissing, "{fault}");
    assert!(fault.remedy().is_some_and(|hint| hint.contains("docker login 127.0.0.1:")), "{fault}");
    let helped = World::new().with_login(r#"{"credHelpers":{"HOST":"safe"}}"#);
    helped.shelf.ask_for_token(Some("Basic x"));
    let fault = helped.pull("x:1").expect_err("there is no such helper");
    assert!(fault.to_string().contains("docker-credential-safe`, which keeps the login, is not in the search path"), "{fault}");
}

#[test]
fn a_login_that_a_helper_keeps_is_used_for_its_registry_and_asked_for_once() {
    let world = World::new().with_login(r#"{"auths":{"HOST":{}},"credsStore":"safe"}"#);
    let script = r#"read place; echo "$place" >> "$ASKED"; printf '{"Username":"ada","Secret":"secret"}'"#;
    let (world, asked) = world.with_helper("safe", script);
    world.shelf.image(("x", "1"), &json!({}), &[layer()]);
    world.shelf.ask_for_token(Some("Basic YWRhOnNlY3JldA=="));
    world.pull("x:1").expect("it is pulled");
    assert_eq!(std::fs::read_to_string(asked).expect("it was asked"), format!("{}\n", world.shelf.host));
    assert!(!format!("{:?}", world.registry()).contains("secret"));

    let empty = World::new().with_login(r#"{"credHelpers":{"HOST":"safe"}}"#);
    let (empty, _) = empty.with_helper("safe", "echo 'the secret is gone' >&2; exit 1");
    empty.shelf.ask_for_token(Some("Basic YWRhOnNlY3JldA=="));
    let fault = empty.pull("x:1").expect_err("nobody is logged in");
    let text = format!("{fault}");
    assert!(text.contains("`docker-credential-safe` has no login for it") && !text.contains("the secret"), "{text}");
}

#[test]
fn a_download_goes_on_where_it_was_broken_off() {
    let world = World::new();
    let large = Layer::default().file("large", &"x".repeat(300_000)).end();
    world.shelf.image(("x", "1"), &json!({}), &[large]);
    world.shelf.cut_once_after(100_000);
    world.pull("x:1").expect("it is pulled");
    assert_eq!(world.text("large").len(), 300_000);
    let told = world.done.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(told, world.resolve("x:1").expect("it is found").bytes, "what came twice is counted once");
}

/// Changes one answer of a registry that serves an honest image, and returns what comes of it.
#[track_caller]
fn tampered(change: impl FnOnce(&World, &Value, &[u8]), word: &str) {
    let world = World::new();
    let layer = layer();
    let image = world.shelf.image(("x", "1"), &json!({}), std::slice::from_ref(&layer));
    change(&world, &image, &layer);
    let fault = world.pull(&format!("x@{}", digest(&image))).expect_err("it is refused");
    assert_eq!(fault.code(), Code::PackageUnverified, "{fault}");
    assert!(fault.to_string().contains(word), "{fault}");
    assert!(!world.has("etc/passwd"), "nothing was unpacked");
}

#[test]
fn other_bytes_than_those_that_were_promised_are_refused() {
    let blob = |bytes: &[u8]| format!("/v2/x/blobs/{}", Digest::of(bytes));
    tampered(
        |world, _, layer| {
            let mut other = layer.to_vec();
            other.extend_from_slice(b"x");
            world.shelf.serve(&blob(layer), "", other);
        },
        "larger than",
    );
    tampered(|world, _, layer| world.shelf.serve(&blob(layer), "", layer.get(1..).unwrap_or_default()), "bytes, and should have");
    tampered(
        |world, _, layer| {
            let mut other = layer.to_vec();
            other.reverse();
            world.shelf.serve(&blob(layer), "", other);
        },
        "should have",
    );
    tampered(
        |world, image, _| {
            let other = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
                "config": world.shelf.blob("x", CONFIG, b"{}") });
            world.shelf.serve(&format!("/v2/x/manifests/{}", digest(image)), MANIFEST, other.to_string());
        },
        "not what was asked for",
    );
}

#[test]
fn what_is_too_much_is_refused_before_it_is_downloaded() {
    let world = World::new();
    let put = |config: Value, layers: Vec<Value>| {
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers });
        world.shelf.manifest("x", "1", MANIFEST, &manifest);
        world.pull("x:1").expect_err("it is refused").to_string()
    };
    let sized = |kind: &str, size: u64| json!({ "mediaType": kind, "digest": Digest::of(b"x").to_string(), "size": size });
    assert!(put(sized(CONFIG, 1), vec![sized(LAYER, 3 << 30), sized(LAYER, 3 << 30)]).contains("is the most"));
    assert!(put(sized(CONFIG, 1), vec![sized(LAYER, u64::MAX), sized(LAYER, 2)]).contains("is the most"));
    assert!(put(sized(CONFIG, 5 << 20), Vec::new()).contains("is the most"));
    assert!(put(sized(CONFIG, 1), vec![sized(LAYER, 1); 200]).contains("layers"));
    assert!(put(sized(CONFIG, 1), vec![sized("application/vnd.oci.image.layer.nondistributable.v1.tar", 1)]).contains("of the kind"));
    world.shelf.serve("/v2/x/manifests/1", MANIFEST, vec![b' '; 5 << 20]);
    assert_eq!(world.resolve("x:1").expect_err("it is refused").code(), Code::PullFailed);
}

#[test]
fn an_index_leads_to_an_image_and_no_further() {
    let world = World::new();
    let (os, architecture) = platform();
    let mut inner = world.shelf.manifest("x", "inner", INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [] }));
    inner.as_object_mut().expect("an object").insert("platform".into(), json!({ "os": os, "architecture": architecture }));
    world.shelf.manifest("x", "1", INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [inner] }));
    assert!(world.resolve("x:1").expect_err("it is refused").to_string().contains("another index"));
    assert_eq!(world.resolve("x:2").expect_err("there is none").code(), Code::PackageMissing);
    let other = Platform { os: "linux".into(), architecture: "s390x".into(), variant: String::new() };
    world.shelf.image(("y", "1"), &json!({}), &[]);
    let registry = world.registry();
    let name: Reference = world.name("y:1");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let fault = runtime.block_on(registry.resolve(&name, &other)).expect_err("there is none");
    assert!(fault.to_string().contains("there is no image for linux/s390x"), "{fault}");
}

#[test]
fn only_this_machine_is_asked_without_tls() {
    // Nobody is there; what matters is what is asked.
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let world = World::new();
    let name = Reference::parse("registry.invalid:1/x").expect("a name");
    let fault = runtime.block_on(world.registry().resolve(&name, &Platform::here())).expect_err("nobody is there");
    assert_eq!(fault.code(), Code::PullFailed, "{fault}");
}
