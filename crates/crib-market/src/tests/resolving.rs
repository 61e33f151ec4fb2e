//! From a name to an entry.

use crate::{Market, Resolved, Status};
use crib_model::{Code, Fault};
use serde_json::json;

use super::registry::{Loopback, Mood, Person, entry, with};

fn resolve(person: &Person, market: &Market, name: &str, version: Option<&str>) -> Result<Resolved, Fault> {
    person.runtime.block_on(market.resolve(name, version))
}

#[test]
fn a_name_is_one_part_of_the_address() {
    let (person, corp) = (Person::new(), Loopback::new(vec![entry("io.github.a/b", "1.0.0+build", "B")]));
    let market = person.market(vec![corp.registry("corp")]);
    assert_eq!(resolve(&person, &market, "io.github.a/b", None).expect("an entry").entry.server.version, "1.0.0+build");
    resolve(&person, &market, "io.github.a/b", Some("1.0.0+build")).expect("an entry");
    assert_eq!(corp.seen(), ["/v0.1/servers/io.github.a%2Fb/versions/latest", "/v0.1/servers/io.github.a%2Fb/versions/1.0.0%2Bbuild"]);
    for name in ["plain", "a/../b", "a/b/c", "a/b?x"] {
        assert_eq!(resolve(&person, &market, name, None).expect_err("no name").code(), Code::ServerUnlisted, "{name}");
    }
    assert!(resolve(&person, &market, "io.github.a/b", Some("1/../../x")).is_err());
    assert!(corp.seen().is_empty(), "nobody is asked for what is no name");
}

#[test]
fn the_first_registry_that_has_it_decides_and_one_that_fails_is_not_passed_over() {
    let (person, corp) = (Person::new(), Loopback::new(vec![entry("com.corp/tool", "1.0.0", "Ours")]));
    let public = Loopback::new(vec![entry("com.corp/tool", "9.9.9", "Not ours"), entry("io.github.a/b", "1.0.0", "B")]);
    let market = || person.market(vec![corp.registry("corp"), public.registry("public")]);
    assert_eq!(resolve(&person, &market(), "com.corp/tool", None).expect("an entry").entry.server.version, "1.0.0");
    assert!(public.seen().is_empty(), "private names are not told to others");
    assert_eq!(resolve(&person, &market(), "io.github.a/b", None).expect("an entry").registry.name, "public");
    corp.mood(Mood::Failing);
    let fault = resolve(&person, &market().anew(), "com.corp/other", None).expect_err("corp cannot tell");
    assert_eq!(fault.code(), Code::RegistryUnreachable);
    assert!(fault.remedy().is_some_and(|hint| hint.contains("--registry")), "{fault}");
    let stale = resolve(&person, &market().anew(), "com.corp/tool", None).expect("what it said before");
    assert!(stale.stale.is_some() && stale.entry.server.version == "1.0.0");
    let only = market().only("public").expect("it is there");
    assert_eq!(resolve(&person, &only, "com.corp/tool", None).expect("an entry").entry.server.version, "9.9.9");
    assert_eq!(market().only("gone").expect_err("none").code(), Code::RegistryInvalid);
}

#[test]
fn a_registry_that_answers_for_another_server_is_not_believed() {
    let (person, corp) = (Person::new(), Loopback::new(vec![entry("io.github.a/b", "1.0.0", "B")]));
    corp.mood(Mood::Lying);
    let fault = resolve(&person, &person.market(vec![corp.registry("corp")]), "io.github.a/b", None).expect_err("another one");
    assert_eq!(fault.code(), Code::RegistryBroken);
    assert!(fault.to_string().contains("io.github.evil/other"), "{fault}");
}

#[test]
fn a_registry_that_is_a_list_only_is_enough() {
    let corp = Loopback::new(vec![
        with("io.github.a/b", "1.9.0", "B", &json!({})),
        with("io.github.a/b", "1.10.0", "B", &json!({ "status": "deprecated" })),
        entry("io.github.a/b-more", "5.0.0", "Other"),
    ]);
    corp.mood(Mood::ListOnly);
    let person = Person::new();
    let found = resolve(&person, &person.market(vec![corp.registry("corp")]), "io.github.a/b", None).expect("an entry");
    assert_eq!((found.entry.server.version.as_str(), found.entry.status), ("1.10.0", Status::Deprecated));
}

#[test]
fn what_is_not_listed_is_told_with_what_is() {
    let (person, corp) = (Person::new(), Loopback::new(vec![entry("io.github.real/weather", "1.0.0", "W")]));
    let market = person.market(vec![corp.registry("corp")]);
    let fault = resolve(&person, &market, "io.github.fake/weather", None).expect_err("none");
    assert_eq!(fault.code(), Code::ServerUnlisted);
    assert_eq!(fault.remedy(), Some("there is io.github.real/weather"));
    let fault = resolve(&person, &market, "io.github.real/weather", Some("2.0.0")).expect_err("none");
    assert!(fault.remedy().is_some_and(|hint| hint.contains("no version 2.0.0")), "{fault}");
}

#[test]
fn a_slow_answer_ends_at_its_deadline() {
    let (person, corp) = (Person::new(), Loopback::new(Vec::new()));
    corp.mood(Mood::Hanging);
    let market = person.market(vec![corp.registry("corp")]).patient(std::time::Duration::from_millis(300));
    let clock = std::time::Instant::now();
    let fault = resolve(&person, &market, "io.github.a/b", None).expect_err("late");
    assert!(clock.elapsed().as_secs() < 5);
    assert_eq!(fault.code(), Code::RegistryUnreachable);
    assert!(fault.to_string().contains("no answer in time"), "{fault}");
}
