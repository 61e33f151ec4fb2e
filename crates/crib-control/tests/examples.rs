//! Every example of the guide compiles to what is written down beside it.

#![expect(clippy::expect_used, reason = "a test that cannot go on may stop")]
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crib_control::{Compiled, Fixed, compile};

fn guide() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/guide")
}

fn examples() -> Vec<(String, String)> {
    let root = guide().join("examples");
    let mut found = Vec::new();
    for folder in ["", "clients"] {
        for entry in fs::read_dir(root.join(folder)).expect("the guide has examples").flatten() {
            let path = entry.path();
            if path.is_file() {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("readable")));
            }
        }
    }
    found.sort();
    found
}

fn world() -> Fixed {
    let world = Fixed::new("/srv/project")
        .with("PATH", "/usr/bin")
        .with("HOME", "/home/me")
        .with("SECRET_OF_THE_SHELL", "not for children")
        .with("GITHUB_TOKEN", "ghp_x")
        .with("TOOLCRIB_INPUT_PERPLEXITY_KEY", "pplx")
        .with("ALICE_KEY", "alice-0123456789abcdef")
        .with("READER_KEY", "reader-0123456789abcdef");
    examples().iter().fold(world, |world, (name, text)| world.file(name, text))
}

/// What a configuration came to, secrets included: these are not secret.
fn describe(compiled: &Compiled) -> String {
    let mut out = String::new();
    for server in &compiled.servers {
        writeln!(out, "{}: {:?}", server.slug, server.source).expect("a string grows");
        if let crib_control::Source::Command { env, .. } = &server.source {
            writeln!(out, "  env {}", env.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" "))
                .expect("a string grows");
        }
        if let crib_control::Source::Url { headers, .. } = &server.source {
            writeln!(out, "  headers {headers:?}").expect("a string grows");
        }
        let times = (server.timeout, server.start_timeout);
        writeln!(out, "  times {times:?}, processes {}, {:?}, {:?}", server.processes, server.tools, server.describe)
            .expect("a string grows");
    }
    writeln!(out, "listen {:?}, needs key {}", compiled.listen, compiled.needs_key).expect("a string grows");
    for key in &compiled.keys {
        writeln!(out, "key {} allow {:?} deny {:?}", key.name, key.allow, key.deny).expect("a string grows");
    }
    let Compiled { names, limits, allowed_hosts, access_log, traces, metrics, .. } = compiled;
    writeln!(out, "{names:?} {limits:?}\n{allowed_hosts:?} {access_log:?} {traces:?} {metrics:?}").expect("a string grows");
    for warning in &compiled.warnings {
        writeln!(out, "warning: {}", warning.summary()).expect("a string grows");
    }
    out
}

#[test]
fn every_example_of_the_guide_compiles() {
    for (name, _) in examples() {
        let compiled = compile(&[PathBuf::from(&name)], &world());
        let text = match &compiled {
            Ok(compiled) => describe(compiled),
            Err(problems) => problems.iter().map(|problem| format!("{problem}\n{:?}\n", problem.hint)).collect(),
        };
        assert!(compiled.is_ok(), "{name}: {text}");
        insta::assert_snapshot!(name.replace(['/', '.'], "-"), text);
    }
}

#[test]
fn the_published_schema_is_the_schema() {
    let path = guide().join("config.schema.json");
    let wanted = serde_json::to_string_pretty(&crib_control::schema()).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(&path, &wanted).expect("writable");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == wanted, "docs/guide/config.schema.json is stale; run the test with UPDATE_SCHEMA=1");
}

#[test]
fn the_published_schema_accepts_every_example_of_our_format() {
    let schema = jsonschema::validator_for(&crib_control::schema()).expect("the schema is one");
    for (name, text) in examples().iter().filter(|(name, _)| name.ends_with(".yaml") && !name.contains('/')) {
        let value: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
        let problems: Vec<String> = schema.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(problems.is_empty(), "{name}: {problems:?}");
    }
    let wrong = serde_json::json!({ "servers": { "x": { "comand": "y" } } });
    assert!(!schema.is_valid(&wrong));
}
