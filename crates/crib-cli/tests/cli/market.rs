//! From a private registry to a server that runs.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crib_test::npm::Registry;

use crate::run::{Home, SERVER as READER, Said, lacks, of_registry, publish, registry, said};

const NAME: &str = "io.github.owner/reader-server";

/// An entry of a registry; `more` stands in its package.
fn entry(name: &str, version: &str, more: &str, meta: &str) -> String {
    format!(
        r#"{{"server":{{"name":"{name}","version":"{version}","description":"Reads files\u001b[31m","packages":[{{"registryType":"npm",
        "identifier":"reader-server","version":"1.0.0","transport":{{"type":"stdio"}}{more}}}]}},
        "_meta":{{"io.modelcontextprotocol.registry/official":{{"isLatest":true,{meta}}}}}}}"#
    )
}

fn list(pages: &Registry, entries: &[(&str, String)]) {
    let serve = |path: String, text: String| pages.site.serve(&path, "application/json", text);
    let all: Vec<&str> = entries.iter().map(|(_, entry)| entry.as_str()).collect();
    serve("/v0.1/servers".to_owned(), format!(r#"{{"servers":[{}],"metadata":{{}}}}"#, all.join(",")));
    for (name, entry) in entries {
        let path = format!("/v0.1/servers/{}/versions/", name.replace('/', "%2F"));
        serve(format!("{path}latest"), entry.clone());
        serve(format!("{path}1.0.0"), entry.clone());
    }
}

fn asked(home: &Home, base: &str, args: &[&str]) -> Said {
    let mut command = home.command(args);
    command.env("npm_config_registry", base).env("npm_config_cache", home.0.join("cache")).env("npm_config_fetch_retries", "0");
    said(command.env("npm_config_userconfig", "/dev/null").env_remove("TOOLCRIB_REGISTRY"))
}

fn keep_secret(home: &Home, name: &str, value: &str) {
    let mut command = home.command(&["secret", "set", name, "--store", "file"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    child.stdin.take().expect("piped").write_all(value.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success());
}

/// Nothing is started or written before everything is there.
fn it_is_told_what_it_needs(home: &Home, ask: &impl Fn(&[&str]) -> Said) {
    let untold = ask(&["run", NAME]);
    assert_eq!(untold.status, 2, "{}", untold.stderr);
    assert!(
        untold.stderr.contains("error[TC0447]: `io.github.owner/reader-server` has to be told `city`, `READER_KEY`"),
        "{}",
        untold.stderr
    );
    assert!(
        untold.stderr.contains("city: Where you are") && untold.stderr.contains("--set city=VALUE --secret READER_KEY"),
        "{}",
        untold.stderr
    );
    let secretless = ask(&["run", NAME, "--set", "city=Shanghai", "--secret", "READER_KEY"]);
    assert_eq!(secretless.status, 3, "{}", secretless.stderr);
    let stray = ask(&["run", NAME, "--set", "town=x"]);
    assert!(stray.status == 2 && stray.stderr.contains("TC0447"), "{}", stray.stderr);
    keep_secret(home, "READER_KEY", "s3cret");
    let stray = ask(&["run", NAME, "--set", "city=x", "--set", "town=x", "--secret", "READER_KEY"]);
    assert!(stray.status == 2 && stray.stderr.contains("it takes: READER_KEY, city"), "{}", stray.stderr);
    assert!(home.config().is_empty());
}

/// No member more, and none less.
#[track_caller]
fn is_as_the_registry_has_it(json: &str) {
    assert!(json.contains(r#""_meta":{"io.modelcontextprotocol.registry/official""#) && !json.contains("websiteUrl"), "{json}");
}

#[test]
fn a_server_of_a_private_registry_is_found_told_what_it_needs_and_run() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("market");
    let (base, pages) = registry();
    let published = publish(&pages, "reader-server", "1.0.0");
    let wants = format!(
        r#","fileSha256":"{}","packageArguments":[{{"type":"named","name":"--city","isRequired":true,"description":"Where you are"}}],
        "environmentVariables":[{{"name":"READER_KEY","isSecret":true,"isRequired":true}}]"#,
        published.sha256
    );
    list(&pages, &[(NAME, entry(NAME, "1.0.0", &wants, r#""status":"active""#))]);
    let ask = |args: &[&str]| asked(&home, &base, args);

    let added = ask(&["registry", "add", "corp", &base]);
    assert_eq!(added.status, 0, "{}", added.stderr);
    assert!(added.stderr.contains("added    corp   http://127.0.0.1:"), "{}", added.stderr);
    assert_eq!(ask(&["registry", "rm", "official"]).status, 0);
    let listed = ask(&["admin", "registry", "ls"]).stdout;
    assert!(listed.starts_with("NAME  URL") && listed.lines().count() == 2, "{listed}");

    let found = ask(&["search", "reads", "files"]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert_eq!(
        found.stdout,
        "NAME                           VERSION  KIND  GRADE  DESCRIPTION\n\
         io.github.owner/reader-server  1.0.0    npm   -      Reads files\\u{1b}[31m\n"
    );
    let json = ask(&["search", "reader", "--json"]).stdout;
    assert!(
        json.starts_with(r#"{"schema":"toolcrib/v1/search","results":[{"registry":"corp","name":"io.github.owner/reader-server""#),
        "{json}"
    );
    is_as_the_registry_has_it(&json);
    assert_eq!(ask(&["search", "reader", "--kind", "pypi"]).stderr, "nothing found\n");

    it_is_told_what_it_needs(&home, &ask);

    let ran = ask(&["run", NAME, "--set", "city=New ${env:HOME} York", "--secret", "READER_KEY"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stdout.starts_with("started  reader · 1 tool"), "{}", ran.stdout);
    assert!(ran.stderr.contains("listed   io.github.owner/reader-server 1.0.0   by corp"), "{}", ran.stderr);
    assert!(!ran.stderr.contains("unclaimed"), "{}", ran.stderr);
    let config = home.config();
    assert!(config.contains("run: npm:reader-server@1.0.0") && config.contains("${secret:READER_KEY}"), "{config}");
    let line = home.good(&["call", "reader.read", "path=/proc/self/cmdline"]).stdout;
    assert!(line.contains("--city\0New ${env:HOME} York\0"), "one argument, and nothing put in for what stands in it: {line:?}");
    let variables = home.good(&["call", "reader.read", "path=/proc/self/environ", "--raw"]).stdout;
    assert!(variables.contains("READER_KEY="), "{variables}");

    // The registries are gone; what was pulled is here.
    pages.site.clear();
    let again = ask(&["run", NAME]);
    assert_eq!(again.status, 0, "{}", again.stderr);
    let offline = ask(&["search", "reader", "--offline"]);
    assert!(offline.status == 0 && offline.stdout.contains(NAME), "{}", offline.stderr);
    let lock = fs::read_to_string(home.0.join(".local/share/toolcrib/toolcrib.lock")).expect("a lockfile");
    assert!(lock.contains("name = \"io.github.owner/reader-server\""), "{lock}");
}

#[test]
fn what_a_registry_lists_is_not_believed_blindly() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("market_hostile");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let active = r#""status":"active""#;
    let bad_sum = format!(r#","fileSha256":"{}""#, "0".repeat(64));
    let odd = r#"{"server":{"name":"io.github.a/odd","version":"1.0.0","packages":[{"registryType":"zig","identifier":"x"}]}}"#.to_owned();
    list(
        &pages,
        &[
            ("io.github.a/tampered", entry("io.github.a/tampered", "1.0.0", &bad_sum, active)),
            ("io.github.a/other", entry("io.github.a/other", "1.0.0", "", active)),
            (NAME, entry(NAME, "1.0.0", "", r#""status":"deprecated","statusMessage":"use another""#)),
            ("io.github.a/deleted", entry("io.github.a/deleted", "1.0.0", "", r#""status":"deleted","statusMessage":"malware""#)),
            ("io.github.a/odd", odd),
        ],
    );
    for (name, status, words) in [
        ("io.github.a/tampered", 6, &["TC0505", "is not the file that is listed"][..]),
        ("io.github.a/other", 6, &["TC0506", "says that it is `io.github.owner/reader-server`", "misclaimed"]),
        ("io.github.a/deleted", 6, &["TC0506", "has taken back `io.github.a/deleted` 1.0.0: malware", "--allow deleted"]),
        ("io.github.a/odd", 2, &["TC0446", "packages of the kind `zig` cannot be run here"]),
        ("io.github.a/absent", 4, &["TC0445", "no registry lists"]),
        ("io.github.a/other@2.0.0", 4, &["TC0445", "no version 2.0.0"]),
    ] {
        let pulled = of_registry(&home, &base, &["pull", name, "--registry", &base]);
        assert_eq!(pulled.status, status, "{name}: {}", pulled.stderr);
        assert!(words.iter().all(|word| pulled.stderr.contains(word)), "{name}: {}", pulled.stderr);
    }
    let store = fs::read_dir(home.0.join(".local/share/toolcrib/store")).into_iter().flatten().flatten();
    let left: Vec<_> = store.map(|entry| entry.file_name()).filter(|name| !name.to_string_lossy().starts_with('.')).collect();
    assert!(left.is_empty(), "what was refused does not stay: {left:?}");
    let deprecated = of_registry(&home, &base, &["pull", NAME, "--registry", &base]);
    assert_eq!(deprecated.status, 0, "{}", deprecated.stderr);
    assert!(
        deprecated.stderr.contains("advises against") && deprecated.stderr.contains(": use another (deprecated)"),
        "{}",
        deprecated.stderr
    );
    let short = of_registry(&home, &base, &["run", "reader-server", "--registry", &base]);
    assert!(short.status == 4 && short.stderr.contains("toolcrib run io.github.owner/reader-server"), "{}", short.stderr);
    let broken = of_registry(&home, &base, &["search", "x", "--registry", &format!("{base}/nowhere"), "--json"]);
    assert!(broken.status == 4 && broken.stderr.contains("\"code\":\"registry_broken\""), "{}", broken.stderr);
}

#[test]
fn a_server_json_is_served_as_it_is() {
    let home = Home::new("server_json");
    let file = home.write(
        "work/server.json",
        r#"{"$schema":"https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json","name":"io.github.owner/weather",
        "version":"1.0.0","description":"Weather","packages":[{"registryType":"npm","identifier":"@owner/weather","version":"1.0.0",
        "transport":{"type":"stdio"},"packageArguments":[{"type":"positional","valueHint":"CITY","isRequired":true}],
        "environmentVariables":[{"name":"KEY","isRequired":true,"isSecret":true}]}]}"#,
    );
    let file = file.display().to_string();
    let untold = home.run(&["serve", "-c", &file, "--check"]);
    assert_eq!(untold.status, 8, "{}", untold.stderr);
    assert!(untold.stderr.contains("has to be told `CITY`: set the variable CITY"), "{}", untold.stderr);
    let good = said(home.command(&["serve", "-c", &file, "--check"]).env("CITY", "Paris").env("KEY", "s3cret"));
    assert_eq!(good.status, 0, "{}", good.stderr);
    assert!(format!("{}{}", good.stdout, good.stderr).contains("valid: 1 server"), "{}{}", good.stdout, good.stderr);
}

#[test]
fn a_bundle_is_told_what_it_wants_to_know() {
    if lacks("node") || lacks("python3") {
        return;
    }
    let home = Home::new("bundle_settings");
    home.write("bundle/server.js", READER);
    home.write(
        "bundle/manifest.json",
        r#"{"manifest_version":"0.3","name":"reader","version":"1.0.0","server":{"type":"node","entry_point":"server.js",
        "mcp_config":{"command":"node","args":["${__dirname}/server.js","--dirs","${user_config.dirs}"],"env":{"API_KEY":"${user_config.api_key}"}}},
        "user_config":{"dirs":{"type":"directory","title":"Folders","description":"To read","required":true,"multiple":true},
        "api_key":{"type":"string","title":"Key","sensitive":true,"required":true}}}"#,
    );
    let zip =
        "import sys, zipfile; z = zipfile.ZipFile('work/b.mcpb', 'w'); [z.write('bundle/' + n, n) for n in ('server.js', 'manifest.json')]";
    assert!(Command::new("python3").args(["-c", zip]).current_dir(&home.0).status().expect("python").success());
    let one = home.write("one/a.txt", "the first").parent().expect("a folder").display().to_string();
    let two = home.write("two/b.txt", "the second").parent().expect("a folder").display().to_string();
    let untold = home.run(&["run", "b.mcpb"]);
    assert_eq!(untold.status, 2, "{}", untold.stderr);
    assert!(untold.stderr.contains("has to be told `api_key`, `dirs`") && untold.stderr.contains("--set dirs=VALUE"), "{}", untold.stderr);
    let open = home.run(&["run", "b.mcpb", "--set", "api_key=s3cret"]);
    assert!(open.status == 2 && open.stderr.contains("TC0448") && !open.stderr.contains("s3cret"), "{}", open.stderr);
    keep_secret(&home, "MY_KEY", "s3cret");
    let (first, second) = (format!("dirs={one}"), format!("dirs={two}"));
    let args = ["run", "b.mcpb", "--set", &first, "--set", &second, "--secret", "MY_KEY=api_key", "--yes"];
    let ran = home.run(&args);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(home.config().contains("${secret:MY_KEY}") && !home.config().contains("s3cret"), "{}", home.config());
    let line = home.good(&["call", "reader.read", "path=/proc/self/cmdline"]).stdout;
    assert!(line.contains(&format!("--dirs\0{one}\0{two}")), "{line}");
    assert_eq!(home.good(&["call", "reader.read", &format!("path={two}/b.txt")]).stdout.trim(), "the second");
    let variables = home.good(&["call", "reader.read", "path=/proc/self/environ"]).stdout;
    assert!(variables.contains("API_KEY=") && !variables.contains("user_config"), "{variables}");
}

#[test]
fn the_next_page_is_of_the_same_question() {
    let home = Home::new("market_pages");
    let (base, pages) = registry();
    let names = ["io.a/reader-server", "io.b/reader-server", "io.c/reader-server"];
    list(&pages, &names.map(|name| (name, entry(name, "1.0.0", "", r#""status":"active""#))));
    let ask = |args: &[&str]| asked(&home, &base, args);
    assert_eq!([ask(&["registry", "add", "corp", &base]).status, ask(&["registry", "rm", "official"]).status], [0, 0]);
    let first = ask(&["search", "reader", "--kind", "npm", "--limit", "1"]);
    let next = first.stderr.split("more: toolcrib ").nth(1).and_then(|rest| rest.lines().next()).unwrap_or_default().to_owned();
    assert_eq!(next, "search reader --kind npm --limit 1 --cursor 1", "{}", first.stderr);
    let second = ask(&next.split(' ').collect::<Vec<_>>());
    assert!(second.stdout.contains(names[1]) && !second.stdout.contains(names[0]), "{}", second.stdout);
}

#[test]
fn results_are_counted_by_their_facets() {
    let home = Home::new("market_facets");
    let (base, pages) = registry();
    let of = |status: &str| format!(r#""status":"{status}""#);
    list(
        &pages,
        &[
            ("io.a/reader-server", entry("io.a/reader-server", "1.0.0", "", &of("active"))),
            ("io.b/reader-server", entry("io.b/reader-server", "1.0.0", "", &of("active"))),
            ("io.c/reader-server", entry("io.c/reader-server", "1.0.0", "", &of("deprecated"))),
        ],
    );
    let ask = |args: &[&str]| asked(&home, &base, args);
    assert_eq!([ask(&["registry", "add", "corp", &base]).status, ask(&["registry", "rm", "official"]).status], [0, 0]);
    let page = ask(&["search", "reader", "--limit", "1"]);
    assert!(page.stderr.starts_with("\nof 3 results:\n  status     active 2, deprecated 1\n\n1 of 3"), "{}", page.stderr);
    let json = ask(&["search", "reader", "--limit", "1", "--json"]).stdout;
    let document: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let facets = serde_json::json!({
        "kind": { "npm": 3 }, "transport": { "stdio": 3 }, "grade": { "unknown": 3 }, "signed": { "unknown": 3 },
        "status": { "active": 2, "deprecated": 1 }, "registry": { "corp": 3 },
    });
    assert_eq!(document.get("facets"), Some(&facets), "{json}");
    assert_eq!(ask(&["search", "io.a"]).stderr.lines().find(|line| line.starts_with("of ")), None, "one result is not counted");
}
