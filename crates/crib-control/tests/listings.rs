//! Catalogues of other programs: what is chosen is served, and nothing else.

use std::path::PathBuf;

use crib_control::{Fixed, Source, compile_only};

const DOCKER: &str = "\
name: docker-mcp
registry:
  time: { title: Time, type: server, image: \"mcp/time@sha256:0\", description: Tells the time }
  astra:
    type: server
    image: mcp/astra
    command: [--paths, \"{{astra.paths|volume-target|into}}\", \"{{astra.mode}}\"]
    env: [{ name: ENDPOINT, value: \"https://{{astra.endpoint}}/v1\" }, { name: LEVEL, value: \"{{astra.level}}\" }]
    secrets: [{ name: astra.token, env: ASTRA_TOKEN }]
    config:
      - name: astra
        properties: { endpoint: { type: string }, level: { type: string, default: low }, mode: { type: string }, paths: { type: array } }
        required: [endpoint]
  docs:
    type: remote
    remote: { url: \"https://docs.example.com/sse\", transport_type: sse, headers: { Authorization: \"Bearer ${DOCS_TOKEN}\" } }
    secrets: [{ name: docs.token, env: DOCS_TOKEN }]
  curl: { type: poci, tools: [{ name: curl }] }
";

const TOOLHIVE: &str = r#"{
  "$schema": "https://example.com/toolhive-legacy-registry.schema.json", "version": "1.0.0",
  "servers": {
    "fetch": { "image": "ghcr.io/x/fetch:1", "transport": "stdio", "args": ["--fast"], "description": "Fetches",
      "permissions": { "network": { "outbound": { "insecure_allow_all": true } } },
      "env_vars": [
        { "name": "REGION", "description": "Where", "required": true },
        { "name": "API_KEY", "required": true, "secret": true },
        { "name": "LEVEL", "default": "low" }, { "name": "PROXY", "required": false } ] },
    "apollo": { "image": "ghcr.io/x/apollo:1", "transport": "streamable-http" }
  },
  "remote_servers": {
    "far": { "url": "https://far.example.com/mcp", "transport": "streamable-http", "headers": [{ "name": "X-Key", "required": true, "secret": true }] }
  }
}"#;

fn world() -> Fixed {
    Fixed::new("/srv").with("PATH", "/bin").file("catalog.yaml", DOCKER).file("registry.json", TOOLHIVE)
}

/// What is served, in words.
fn seen(world: &Fixed, only: &[&str], file: &str) -> String {
    let only: Vec<String> = only.iter().map(|&name| name.to_owned()).collect();
    let compiled = match compile_only(&only, &[PathBuf::from(file)], world) {
        Ok(compiled) => compiled,
        Err(problems) => {
            let told = problems.iter().map(|problem| format!("! {} {}", problem.summary(), problem.hint.clone().unwrap_or_default()));
            return told.collect::<Vec<_>>().join("\n");
        }
    };
    let pairs = |pairs: &[(String, String)]| {
        pairs.iter().map(|(name, value)| format!(" {name}={}", value.replace(['\u{fdd0}', '\u{fdd1}'], "%"))).collect::<String>()
    };
    let line = |server: &crib_control::CompiledServer| {
        let way = match &server.source {
            Source::Package(package) => format!("{} {:?}{} {:?}", package.run, package.args, pairs(&package.env), package.sandbox),
            Source::Url { url, headers, transport, .. } => format!("{url} {transport:?}{}", pairs(headers)),
            Source::Command { .. } | Source::Builtin(_) => "something else".to_owned(),
        };
        let missing = server.missing.as_ref().map(|missing| format!(" missing: {}", missing.message)).unwrap_or_default();
        format!("{}: {way}{missing}", server.slug)
    };
    let warnings = compiled.warnings.iter().map(|warning| format!("warning: {}", warning.summary()));
    compiled.servers.iter().map(line).chain(warnings).collect::<Vec<_>>().join("\n")
}

#[test]
fn of_a_catalogue_nothing_is_served_that_was_not_chosen() {
    let world = world();
    for file in ["catalog.yaml", "registry.json"] {
        let told = seen(&world, &[], file);
        assert!(told.contains("is a catalogue of") && told.contains("none of them is chosen") && told.contains("--only"), "{told}");
    }
    assert!(seen(&world, &["tiem"], "catalog.yaml").contains("there is no server `tiem` did you mean `time`?"));
    assert_eq!(seen(&world, &["time"], "catalog.yaml"), "time: oci:mcp/time@sha256:0 [] None");
}

#[test]
fn dockers_own_files_say_what_is_enabled_and_how_it_is_set() {
    let enabled = "registry:\n  astra: { ref: \"\" }\n  docs: { ref: \"\" }\n  curl: { ref: \"\" }\n";
    let world = world().file("registry.yaml", enabled);
    let bare = seen(&world, &[], "catalog.yaml");
    let set = world.file("config.yaml", "astra: { endpoint: db.example.com, paths: [/a, /b] }\n");
    let compiled = compile_only(&[], &[PathBuf::from("catalog.yaml")], &set).expect("it is fine");
    assert!(["/srv/registry.yaml", "/srv/config.yaml"].iter().all(|file| compiled.files.contains(&PathBuf::from(file))));
    let lacks = compiled.servers[0].bind(&crib_control::secrets::NoSecrets).expect_err("there are no secrets");
    assert!(lacks.to_string().contains("needs the secret astra.token"), "{lacks}");
    let alone = seen(&set, &[], "registry.yaml");
    insta::assert_snapshot!([bare, seen(&set, &[], "catalog.yaml"), alone].join("\n\n"));
    // Docker keeps its catalogues in a folder of their own.
    let apart = Fixed::new("/d").file("catalogs/docker-mcp.yaml", DOCKER).file("registry.yaml", "registry:\n  time: { ref: \"\" }\n");
    assert_eq!(seen(&apart, &[], "catalogs/docker-mcp.yaml"), "time: oci:mcp/time@sha256:0 [] None");
}

#[test]
fn servers_of_toolhive_are_told_what_they_need_and_granted_nothing() {
    let world = world();
    let chosen = &["fetch", "far", "apollo"];
    let bare = seen(&world, chosen, "registry.json");
    let told = world.with("REGION", "eu").with("PROXY", "not theirs");
    insta::assert_snapshot!([bare, seen(&told, chosen, "registry.json")].join("\n\n"));
}

#[test]
fn a_catalogue_gets_nothing_of_the_environment_and_no_secret_of_others_to_where_it_says() {
    let docker = "registry:\n  far:\n    remote: { url: \"https://far.example.com/mcp\", headers: { X: \"${HOME_TOKEN}${A}{A}\" } }\n";
    let world = Fixed::new("/srv").file("catalog.yaml", docker).with("HOME_TOKEN", "t").with("A", "$");
    let told = seen(&world, &[], "catalog.yaml");
    assert!(told.contains("`far` is left out: its header `X` names `HOME_TOKEN`, which is none of its secrets"), "{told}");
    let secret = docker.replace("${HOME_TOKEN}${A}{A}", "${T}") + "    secrets: [{ name: OPENAI_KEY, env: T }]\n";
    assert!(seen(&Fixed::new("/srv").file("catalog.yaml", &secret), &[], "catalog.yaml").contains("X=%far.OPENAI_KEY%"));
    let toolhive = r#"{ "remote_servers": { "far": { "url": "https://far.example.com/mcp", "headers": [{ "name": "HOME_TOKEN", "required": true }] } } }"#;
    let world = Fixed::new("/srv").file("registry.json", toolhive).with("HOME_TOKEN", "t");
    assert!(seen(&world, &[], "registry.json").contains("HOME_TOKEN=%far.HOME_TOKEN%"));
}

#[test]
fn lists_of_settings_do_not_multiply_without_end() {
    let text = "{{far.a}}".repeat(9);
    let docker = format!(
        "registry:\n  far:\n    image: x/far\n    command: [\"{text}\"]\n    config: [{{ name: far, properties: {{ a: {{ default: [{}] }} }} }}]\n",
        ["x"; 20].join(", ")
    );
    let told = seen(&Fixed::new("/srv").file("catalog.yaml", &docker), &[], "catalog.yaml");
    assert!(told.contains("its settings make more than 1000 values of one"), "{told}");
}

#[test]
fn what_a_catalogue_would_have_granted_is_a_wish_and_no_grant() {
    let docker = "registry:\n  near:\n    image: x/near\n    allowHosts: [\"api.example.com:443\", \"db.example.com:5432\", \".example.org\"]\n    \
        volumes: [\"{{near.paths|volume|into}}\", \"/var/data:/data:ro\", \"cache:/cache\"]\n    config: [{ name: near, properties: { paths: { default: [/home/me/a, /home/me/b] } } }]\n  \
        alone: { image: x/alone, allowHosts: [a.example.com], disableNetwork: true }\n";
    let toolhive = r#"{ "servers": {
        "some": { "image": "x/some", "permissions": { "network": { "outbound": { "allow_host": [".example.com", "db.example.com"], "allow_port": [443, 5432] } }, "read": ["/etc/some"], "write": ["/var/some:/data"] } },
        "all": { "image": "x/all", "permissions": { "network": { "outbound": { "insecure_allow_all": true, "allow_host": ["x"] } } } } } }"#;
    let world = Fixed::new("/srv").file("catalog.yaml", docker).file("registry.json", toolhive);
    let told = |file: &str, name: &str| {
        let compiled = compile_only(&[name.to_owned()], &[PathBuf::from(file)], &world).expect("it is fine");
        let server = compiled.servers.first().expect("a server");
        let Source::Package(package) = &server.source else { panic!("an image") };
        assert_eq!(package.sandbox, None);
        let wishes = &server.wishes;
        format!("{} | {} | {}", wishes.hosts.join(" "), wishes.read.join(" "), wishes.write.join(" "))
    };
    assert_eq!(told("catalog.yaml", "near"), "api.example.com db.example.com:5432 *.example.org | /var/data | /home/me/a /home/me/b");
    assert_eq!(told("catalog.yaml", "alone"), " |  | ");
    let some = "*.example.com *.example.com:5432 db.example.com db.example.com:5432 | /etc/some | /var/some";
    assert_eq!(told("registry.json", "some"), some);
    assert_eq!(told("registry.json", "all"), "* |  | ");
}
