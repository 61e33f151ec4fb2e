//! What the configuration says of packages, while a gateway runs.

use std::time::{Duration, Instant};

use crate::run::{Home, lacks, of_registry, publish, registry};

#[test]
fn another_verdict_on_packages_takes_effect_without_a_restart() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("believed");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let config = |verdict: &str| {
        let servers = "servers:\n  demo: { builtin: demo }\n  reader: { run: \"npm:reader-server@1.0.0\" }\n";
        home.write(".config/toolcrib/config.yaml", &format!("packages: {{ findings: {{ unsigned: {verdict} }} }}\n{servers}"));
    };
    config("refuse");
    let started = of_registry(&home, &base, &["run", "demo"]);
    assert_eq!(started.status, 0, "{}", started.stderr);
    let gateway = home.0.join(".local/share/toolcrib/gateway.json");
    let process = || {
        let text = std::fs::read_to_string(&gateway).expect("a gateway");
        text.split(',').next().expect("its number").to_owned()
    };
    let before = process();
    let call = || home.run(&["call", "reader.read", "path=/nowhere"]);
    let refused = call();
    assert!(refused.status != 0, "{}", refused.stdout);
    assert!(home.run(&["list"]).stdout.contains("TC0506"), "{}", home.run(&["list"]).stdout);

    config("warn");
    let deadline = Instant::now() + Duration::from_secs(90);
    let mut called = call();
    while called.status != 0 && Instant::now() < deadline {
        called = call();
    }
    assert!(called.stdout.starts_with("refused"), "{}{}", called.stdout, called.stderr);
    assert_eq!(process(), before, "it is the same one");
}

#[test]
fn what_has_such_a_name_is_pulled_only_from_whom_the_configuration_names() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("believed_signers");
    let (base, pages) = registry();
    publish(&pages, "reader-server", "1.0.0");
    let config = |packages: &str| home.write(".config/toolcrib/config.yaml", &format!("packages: {packages}\nservers: {{}}\n"));
    let pull = |more: &[&str]| of_registry(&home, &base, &[&["pull", "npm:reader-server"], more].concat());
    config("{ signers: [{ for: \"npm:reader-*\", identities: [\"https://github.com/owner/*\"] }] }");
    // Not even for whoever allows what is found.
    for more in [&[][..], &["--allow", "unsigned"]] {
        let refused = pull(more);
        assert_eq!(refused.status, 6, "{}", refused.stderr);
        assert!(refused.stderr.contains("error[TC0505]: `npm:reader-server` is not signed by whom it has to be"), "{}", refused.stderr);
        assert!(refused.stderr.contains("has to be signed by https://github.com/owner/*"), "{}", refused.stderr);
    }
    config("{ signers: [{ for: \"npm:reader-*\" }] }");
    assert!(pull(&[]).stderr.contains("nobody who may sign `npm:reader-*`"));
    config("{ keys: [absent.pub] }");
    assert!(pull(&[]).stderr.contains("a key that is none"));
    config("{ signers: [{ for: \"npm:other-*\", keys: [\"~/cosign.pub\"] }] }");
    home.write("cosign.pub", &crib_test::attest::PlainKey::new().public());
    assert_eq!(pull(&[]).status, 0);
}
