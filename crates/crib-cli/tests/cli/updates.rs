//! What an update says of the tools it brings.

use crib_test::attest::{Authority, Identity, NOON};
use crib_test::npm::{Package, Published, Registry};

use crate::run::{Home, SERVER, command_of_registry, lacks, of_registry, publish_server, registry, said};

/// The reader with another description, and a tool more.
fn changed() -> String {
    let more = "const more = { name: 'erase', description: 'Erases a file', inputSchema: { type: 'object' } };\nconst read = ";
    SERVER.replace("Reads a file", "Reads any file").replacen("const read = ", more, 1).replace("tools: [tool]", "tools: [tool, more]")
}

fn release(pages: &Registry, version: &str, server: &str) -> Published {
    publish_server(pages, ("reader-server", version), server)
}

#[test]
fn an_update_says_what_it_does_to_tools_and_what_is_held_back() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("update_pinned");
    let (base, pages) = registry();
    release(&pages, "1.0.0", SERVER);
    let ran = of_registry(&home, &base, &["run", "npm:reader-server"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);

    release(&pages, "1.0.1", SERVER);
    let same = of_registry(&home, &base, &["pull", "reader"]);
    assert!(same.status == 0 && same.stderr.contains("tools       1 as before\n"), "{}", same.stderr);

    release(&pages, "1.1.0", &changed());
    let updated = of_registry(&home, &base, &["pull", "reader"]);
    assert_eq!(updated.status, 0, "{}", updated.stderr);
    for words in [
        "tools       1 added, 1 changed, 0 as before\n",
        "reader.read changed (description)\n",
        "-Reads a file\n           +Reads any file\n",
        "reader.erase is new\n",
        "+Erases a file\n",
        "held back until it is approved: toolcrib approve reader --diff\n",
    ] {
        assert!(updated.stderr.contains(words), "{words:?} is not in {}", updated.stderr);
    }
    // What was announced is what waits, without anybody having asked the server.
    let waiting = home.good(&["approve", "reader", "--json"]).stdout;
    assert!(waiting.contains(r#""tool":"read""#) && waiting.contains(r#""tool":"erase""#), "{waiting}");
    let refused = home.run(&["call", "reader.read", "path=/nowhere"]);
    assert!(refused.status == 6 && refused.stderr.contains("TC0602"), "{}", refused.stderr);
    home.good(&["approve", "reader", "--all"]);

    release(&pages, "1.2.0", SERVER);
    let back = of_registry(&home, &base, &["pull", "reader", "--json"]);
    assert_eq!(back.status, 0, "{}", back.stderr);
    let tools = r#""tools":{"state":"compared","against":"pins","same":0,"changes":[{"tool":"read","kind":"changed""#;
    assert!(back.stdout.contains(tools) && back.stdout.contains(r#""kind":"removed""#), "{}", back.stdout);
}

#[test]
fn without_pins_the_version_before_is_asked_and_whoever_wants_neither_says_so() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("update_unpinned");
    let (base, pages) = registry();
    release(&pages, "1.0.0", SERVER);
    assert_eq!(of_registry(&home, &base, &["pull", "npm:reader-server"]).status, 0);
    release(&pages, "1.1.0", &changed());
    let updated = of_registry(&home, &base, &["pull", "npm:reader-server"]);
    assert!(updated.stderr.contains("reader.read changed (description)\n"), "{}", updated.stderr);
    assert!(!updated.stderr.contains("held back"), "nothing was approved yet: {}", updated.stderr);
    release(&pages, "1.2.0", "process.stderr.write(\"No module named 'x'\"); process.exit(1)");
    let broken = of_registry(&home, &base, &["pull", "npm:reader-server"]);
    assert_eq!(broken.status, 0, "{}", broken.stderr);
    assert!(broken.stderr.contains("tools       not compared: ") && broken.stderr.contains("stopped"), "{}", broken.stderr);
    release(&pages, "1.3.0", SERVER);
    let quiet = of_registry(&home, &base, &["pull", "npm:reader-server", "--no-tools"]);
    assert!(quiet.status == 0 && !quiet.stderr.contains("tools  "), "{}", quiet.stderr);
}

#[test]
fn who_signed_a_server_is_shown_and_may_not_change_unsaid() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("update_signed");
    let (base, pages) = registry();
    let authority = Authority::new("authority");
    let root = home.write("trusted_root.json", &authority.trusted_root()).display().to_string();
    let config = format!("packages:\n  trustedRoot: {root}\n  findings: {{ no-provenance: refuse }}\n");
    home.write(".config/toolcrib/config.yaml", &config);
    let release = |version: &'static str, repository: Option<&'static str>| {
        let published = release(&pages, version, SERVER);
        let said = repository.map(|repository| {
            let identity = Identity { repository, workflow: "publish.yml", tag: version };
            authority.attest(identity, ("sha512", &published.sha512), NOON).for_npm()
        });
        pages.attest("reader-server", version, said.as_slice());
    };
    release("1.0.0", None);
    let unproven = of_registry(&home, &base, &["run", "npm:reader-server"]);
    assert!(unproven.status == 6 && unproven.stderr.contains("no-provenance"), "{}", unproven.stderr);
    release("1.0.0", Some("https://github.com/owner/reader"));
    let ran = of_registry(&home, &base, &["run", "npm:reader-server"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let shown = home.good(&["show", "reader"]).stdout;
    let words = "built    from https://github.com/owner/reader, says https://token.actions.githubusercontent.com\n\
                 signed   by https://github.com/owner/reader/.github/workflows/publish.yml@refs/tags/1.0.0\n";
    assert!(shown.contains(words), "{shown}");
    let json = home.good(&["show", "reader", "--json"]).stdout;
    assert!(json.contains(r#""attestation":{"state":"verified""#) && json.contains(r#""signer":{"issuer":"#), "{json}");
    release("1.1.0", Some("https://github.com/thief/reader"));
    let stolen = of_registry(&home, &base, &["pull", "reader"]);
    assert!(stolen.status == 6 && stolen.stderr.contains("--allow signer-changed"), "{}", stolen.stderr);
    home.write(".config/toolcrib/config.yaml", &format!("{config}  keys: [RWnonsense]\n"));
    let odd = of_registry(&home, &base, &["pull", "reader"]);
    assert!(odd.status == 2 && odd.stderr.contains("no public key of minisign"), "{}", odd.stderr);
}

#[test]
fn what_an_update_asks_for_and_mentions_is_told_in_both_languages() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let more = format!(
        "{SERVER}\nconst run = () => require('child_process').execSync(process.env.EDITOR);\nconst get = () => fetch('https://example.com');\n"
    );
    for language in ["en", "zh-CN"] {
        let home = Home::new(&format!("update_mentions_{language}"));
        let (base, pages) = registry();
        release(&pages, "1.0.0", SERVER);
        let ran = of_registry(&home, &base, &["run", "npm:reader-server"]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        pages.publish(&Package { node: Some(">=18"), ..Package::new("reader-server", "1.1.0", &more) });
        let updated = said(command_of_registry(&home, &base, &["pull", "reader", "--no-tools"]).env("TOOLCRIB_LANG", language));
        assert_eq!(updated.status, 0, "{}", updated.stderr);
        let news: Vec<&str> = updated.stderr.lines().filter(|line| line.starts_with("         ")).collect();
        let shown = said(home.command(&["show", "reader"]).env("TOOLCRIB_LANG", language)).stdout;
        let mentions = shown.lines().skip_while(|line| !line.starts_with("mentions") && !line.starts_with("提及"));
        let all: Vec<&str> = news.into_iter().chain(mentions).collect();
        insta::assert_snapshot!(format!("update_mentions_{language}"), all.join("\n"));
        // For programs there are names, and no sentences.
        let json = home.good(&["show", "reader", "--json"]).stdout;
        let reach = r#""reader-server":{"version":"1.1.0","means":{"network":"index.js","processes":"index.js"},"variables":{"EDITOR":"index.js"}}"#;
        assert!(json.contains(reach), "{json}");
    }
}
