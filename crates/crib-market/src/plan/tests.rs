use crib_model::Code;
use serde_json::json;

use super::{Given, Recipe, Value, Way, choose, plan};
use crate::ServerJson;

fn server(value: &serde_json::Value) -> ServerJson {
    let mut whole = json!({ "name": "io.github.a/b", "version": "1.0.0", "description": "d" });
    whole.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
    ServerJson::read(&whole).unwrap()
}

fn given(pairs: &[(&str, Value)]) -> Given {
    let mut given = Given::default();
    pairs.iter().for_each(|(name, value)| given.add(name, value.clone()));
    given
}

fn any(_: &str) -> bool {
    true
}

fn config(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::to_config).collect()
}

fn weather() -> ServerJson {
    server(&json!({ "packages": [{
        "registryType": "npm", "identifier": "weather", "version": "1.0.0", "transport": { "type": "stdio" },
        "runtimeArguments": [{ "type": "positional", "value": "-y" }, { "type": "named", "name": "--node-options", "value": "--inspect" }],
        "packageArguments": [
            { "type": "named", "name": "--stdio" },
            { "type": "named", "name": "--units", "default": "metric", "choices": ["metric", "imperial"] },
            { "type": "named", "name": "--verbose", "format": "boolean" },
            { "type": "positional", "valueHint": "city", "isRequired": true, "isRepeated": true, "description": "Where" },
            { "type": "named", "name": "--note", "value": "from {who} ${env:HOME} {left}", "variables": { "who": { "default": "me" } } },
            { "type": "named", "name": "--dir", "format": "filepath", "description": "Data" }
        ],
        "environmentVariables": [
            { "name": "WEATHER_KEY", "isSecret": true, "isRequired": true, "description": "A key\u{1b}[31m" },
            { "name": "AUTH", "value": "Bearer {token}", "isRequired": true, "variables": { "token": { "isSecret": true, "isRequired": true } } },
            { "name": "PROXY", "value": "http://{host}", "variables": { "host": { "isRequired": true } } },
            { "name": "LEVEL" }
        ]
    }]}))
}

fn planned(server: &ServerJson, pairs: &[(&str, Value)]) -> Result<Recipe, crib_model::Fault> {
    let recipe = plan(choose(server, None, &any)?, &given(pairs))?;
    match recipe.stray.first() {
        Some((name, _)) => Err(recipe.no_place_for(name)),
        None => Ok(recipe),
    }
}

#[test]
fn what_is_given_goes_where_the_author_wants_it() {
    let pairs = [
        ("city", Value::text("Shanghai")),
        ("city", Value::text("New York; rm -rf /")),
        ("--verbose", Value::text("true")),
        ("WEATHER_KEY", Value::secret("MY_KEY")),
        ("token", Value::variable("TOKEN")),
        ("dir", Value::text("/data")),
    ];
    let recipe = planned(&weather(), &pairs).unwrap();
    let args = [
        "--stdio",
        "--units",
        "metric",
        "--verbose",
        "Shanghai",
        "New York; rm -rf /",
        "--note",
        "from me $${env:HOME} {left}",
        "--dir",
        "/data",
    ];
    assert_eq!(config(&recipe.args), args);
    let env: Vec<(String, String)> = recipe.env.iter().map(|(name, value)| (name.clone(), value.to_config())).collect();
    assert_eq!(env, [("WEATHER_KEY".to_owned(), "${secret:MY_KEY}".to_owned()), ("AUTH".to_owned(), "Bearer ${env:TOKEN}".to_owned())]);
    assert_eq!((recipe.places.as_slice(), recipe.missing.len()), (&["/data".to_owned()][..], 0));
    assert_eq!(recipe.ignored, ["--node-options --inspect"]);
}

#[test]
fn what_is_missing_is_named_with_its_flag() {
    let recipe = planned(&weather(), &[]).unwrap();
    let flags: Vec<&str> = recipe.missing.iter().map(|missing| missing.flag.as_str()).collect();
    assert_eq!(flags, ["--set city=VALUE", "--secret WEATHER_KEY", "--secret token"]);
    assert_eq!(recipe.missing[1].description, "A key\\u{1b}[31m");
}

#[test]
fn values_that_do_not_fit_are_refused() {
    for (name, value, word) in [
        ("units", "kelvin", "metric, imperial"),
        ("verbose", "perhaps", "`true` or `false`"),
        ("WEATHER_KEY", "s3cret", "--secret WEATHER_KEY"),
        ("colour", "red", "it takes: AUTH, LEVEL"),
        ("dir", "a\0b", "zero"),
    ] {
        let fault = planned(&weather(), &[("city", Value::text("x")), (name, Value::text(value))]).unwrap_err();
        assert_eq!(fault.code(), Code::InputInvalid);
        let whole = format!("{fault} {}", fault.remedy().unwrap_or_default());
        assert!(whole.contains(word), "{whole}");
        assert!(!whole.contains("s3cret"), "{whole}");
    }
}

#[test]
fn a_server_elsewhere_is_an_address_with_headers() {
    let server = server(&json!({ "remotes": [{
        "type": "streamable-http", "url": "https://{tenant}.example.com/{odd}/mcp",
        "variables": { "tenant": { "isRequired": true, "choices": ["eu", "us"] } },
        "headers": [{ "name": "Authorization", "value": "Bearer {key}", "isRequired": true, "variables": { "key": { "isSecret": true, "isRequired": true } } }]
    }]}));
    let recipe = planned(&server, &[("tenant", Value::text("eu")), ("KEY", Value::secret("K"))]).unwrap();
    assert_eq!(recipe.url.as_deref(), Some("https://eu.example.com/{odd}/mcp"));
    assert_eq!(recipe.headers[0].1.to_config(), "Bearer ${secret:K}");
    assert_eq!(planned(&server, &[("tenant", Value::text("evil.example/"))]).unwrap_err().code(), Code::InputInvalid);
    assert_eq!(planned(&server, &[("tenant", Value::secret("K"))]).unwrap_err().code(), Code::InputInvalid);
}

#[test]
fn the_first_way_that_can_be_gone_is_taken() {
    let many = server(&json!({
        "packages": [
            { "registryType": "nuget", "identifier": "a", "transport": { "type": "stdio" } },
            { "registryType": "npm", "identifier": "b", "transport": { "type": "streamable-http", "url": "http://localhost:{port}" } },
            { "registryType": "pypi", "identifier": "c", "transport": { "type": "stdio" } }
        ],
        "remotes": [{ "type": "sse", "url": "https://example.com/sse" }]
    }));
    let can = |kind: &str| matches!(kind, "npm" | "pypi");
    assert!(matches!(choose(&many, None, &can).unwrap(), Way::Package(package) if package.identifier == "c"));
    assert!(matches!(choose(&many, Some("remote"), &can).unwrap(), Way::Remote(_)));
    assert!(matches!(choose(&many, None, &|_| false).unwrap(), Way::Remote(_)));
    for (kind, word) in [("npm", "of its own"), ("oci", "nuget, npm, pypi, remote"), ("nuget", "`nuget` cannot")] {
        let fault = choose(&many, Some(kind), &can).unwrap_err();
        let whole = format!("{fault} {}", fault.remedy().unwrap_or_default());
        assert!(fault.code() == Code::ServerUnsupported && whole.contains(word), "{whole}");
    }
    assert_eq!(choose(&server(&json!({})), None, &can).unwrap_err().code(), Code::ServerUnsupported);
}

#[test]
fn what_an_image_wants_of_its_engine_is_given_where_it_can_be() {
    let server = server(&json!({ "packages": [{
        "registryType": "oci", "identifier": "ghcr.io/a/b:1", "transport": { "type": "stdio" },
        "runtimeArguments": [
            { "type": "positional", "value": "run" }, { "type": "named", "name": "-i" }, { "type": "named", "name": "--rm" },
            { "type": "named", "name": "-e", "isRequired": true, "value": "KEY=Bearer {key}", "variables": { "key": { "isSecret": true, "isRequired": true } } },
            { "type": "named", "name": "--env", "value": "MODE=a=b" },
            { "type": "named", "name": "-e", "value": "PASSED_ON" },
            { "type": "positional", "value": "--env=JOINED=yes" },
            { "type": "named", "name": "-v", "isRequired": true, "value": "{notes}:{notes}:ro", "variables": { "notes": { "isRequired": true } } },
            { "type": "named", "name": "--mount", "value": "type=bind,src=/srv/books,dst=/srv/books/" },
            { "type": "named", "name": "--mount", "value": "type=bind,src=/srv/books,dst=/books" },
            { "type": "named", "name": "-v", "value": "cache:/cache" },
            { "type": "named", "name": "-p", "value": "8080:80" },
            { "type": "named", "name": "--privileged" },
            { "type": "named", "name": "-e", "value": "=odd" }
        ]
    }] }));
    let way = choose(&server, None, &any).unwrap();
    let recipe = plan(way, &given(&[("key", Value::secret("MY_KEY")), ("notes", Value::text("/home/ada/notes"))])).unwrap();
    let env: Vec<(&str, String)> = recipe.env.iter().map(|(name, value)| (name.as_str(), value.to_config())).collect();
    let wanted = [("KEY", "Bearer ${secret:MY_KEY}"), ("MODE", "a=b"), ("PASSED_ON", "${env:PASSED_ON}"), ("JOINED", "yes")];
    assert_eq!(env, wanted.map(|(name, value)| (name, value.to_owned())));
    assert_eq!(recipe.places, ["/home/ada/notes", "/srv/books"], "whoever grants them is asked");
    assert_eq!(recipe.ignored, ["--mount type=bind,src=/srv/books,dst=/books", "-v cache:/cache", "-p 8080:80", "--privileged", "-e =odd"]);
    assert!(recipe.args.is_empty(), "the server itself gets none of it");
    let recipe = plan(way, &given(&[])).unwrap();
    let flags: Vec<&str> = recipe.missing.iter().map(|missing| missing.flag.as_str()).collect();
    assert_eq!(flags, ["--secret key", "--set notes=VALUE"]);
}

#[test]
fn what_an_author_wants_beside_a_package_is_done_where_it_can_be_and_the_rest_is_said() {
    let of = |kind: &str, arguments: serde_json::Value| {
        let entry =
            json!({ "packages": [{ "registryType": kind, "identifier": "weather", "version": "1.0.0", "runtimeArguments": arguments }] });
        let server = server(&entry);
        let package = &server.packages[0];
        let beside = super::beside(package);
        (beside.with, beside.python.unwrap_or_default(), super::beside::ignored(package))
    };
    let named = |name: &str, value: &str| json!({ "type": "named", "name": name, "value": value });
    let plain = |value: &str| json!({ "type": "positional", "value": value });
    let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    for (arguments, requirements, ignored) in [
        (json!([named("--with", "mcp<2"), named("--from", "weather")]), texts(&["mcp<2"]), texts(&[])),
        (json!([plain("--with"), plain("mcp<2"), plain("--with=a[b]==1.0,c>2")]), texts(&["mcp<2", "a[b]==1.0", "c>2"]), texts(&[])),
        (json!([named("--with", "x @ https://e")]), texts(&[]), texts(&["--with x @ https://e"])),
        (json!([named("--with", "--index-url=http://e")]), texts(&[]), texts(&["--with --index-url=http://e"])),
        (json!([named("--from", "another")]), texts(&[]), texts(&["--from another"])),
        (json!([named("--python", "/bin/sh")]), texts(&[]), texts(&["--python /bin/sh"])),
    ] {
        assert_eq!(of("pypi", arguments), (requirements, String::new(), ignored));
    }
    for arguments in [json!([named("--python", "3.12"), plain("-q")]), json!([plain("-p"), plain("python3.12")])] {
        assert_eq!(of("pypi", arguments), (texts(&[]), "3.12".to_owned(), texts(&[])));
    }
    let npx = json!([plain("-y"), named("-p", "weather"), named("--package", "@scope/more@1"), named("-p", "file:../x")]);
    assert_eq!(of("npm", npx), (texts(&["@scope/more@1"]), String::new(), texts(&["-p file:../x"])));
}
