//! Searching registries of every kind.

use crate::{Facets, Found, Market, Query, Registry, Status, Tally, Words};
use crib_model::Code;
use serde_json::json;

use super::registry::{Loopback, Mood, Person, entry, with};

fn query(words: &str) -> Query {
    Query { words: Words::read(words), limit: 20, ..Query::default() }
}

fn search(person: &Person, market: &Market, query: &Query) -> Found {
    person.runtime.block_on(market.search(query))
}

fn names(found: &Found) -> Vec<&str> {
    found.hits.iter().map(|hit| hit.entry.server.name.as_str()).collect()
}

fn many(count: usize) -> Vec<serde_json::Value> {
    (0..count).map(|at| entry(&format!("io.github.many/server-{at:04}"), "1.0.0", "One of many")).collect()
}

#[test]
fn pages_are_read_until_there_are_no_more() {
    let (person, corp) = (Person::new(), Loopback::new(many(250)));
    let market = person.market(vec![corp.registry("corp")]);
    let found = search(&person, &market, &query("server-0"));
    assert_eq!((found.total, found.hits.len(), found.next, found.is_cut), (250, 20, Some(20), false));
    let seen = corp.seen();
    assert_eq!(seen.len(), 3, "{seen:?}");
    assert_eq!(seen[1], "/v0.1/servers?limit=100&version=latest&search=server-0&cursor=after%3A100");
    let last = search(&person, &market, &Query { offset: 240, ..query("server-0") });
    assert_eq!((last.hits.len(), last.next), (10, None));
    assert_eq!(corp.seen(), Vec::<String>::new(), "the answer is known");
    let browsed = search(&person, &market, &query(""));
    assert_eq!((browsed.hits.len(), browsed.is_cut), (20, true));
    let all = search(&person, &market, &Query { is_all: true, ..query("") });
    assert_eq!((all.hits.len(), all.next, all.is_cut), (250, None, false));
}

#[test]
fn an_answer_is_asked_for_again_when_it_is_old_and_used_when_there_is_no_other() {
    let (person, corp) = (Person::new(), Loopback::new(many(3)));
    let market = person.market(vec![corp.registry("corp")]);
    search(&person, &market, &query("server"));
    person.clock.go(299);
    search(&person, &market, &query("server"));
    assert_eq!(corp.seen().len(), 1);
    person.clock.go(2);
    assert_eq!(search(&person, &market, &query("server")).hits.len(), 3, "the registry says that nothing changed");
    assert_eq!(corp.seen().len(), 1);
    corp.mood(Mood::Failing);
    person.clock.go(200_000);
    let found = search(&person, &market, &query("server"));
    assert_eq!((found.hits.len(), found.stale.len(), found.faults.len()), (3, 1, 0));
    let (name, at, fault) = &found.stale[0];
    assert_eq!((name.as_str(), fault.code()), ("corp", Code::RegistryUnreachable));
    assert_eq!(*at, 1_795_219_200 + 301);
    assert!(fault.to_string().contains("it answered 500: the database\\u{1b}[31m is down"), "{fault}");
    let offline = person.market(vec![corp.registry("corp")]).offline();
    corp.seen();
    assert_eq!(search(&person, &offline, &query("server")).hits.len(), 3);
    assert_eq!(search(&person, &offline, &query("other")).faults.len(), 1);
    assert!(corp.seen().is_empty());
}

#[test]
fn descriptions_are_looked_at_where_they_are_known() {
    let (person, corp) = (Person::new(), Loopback::new(vec![entry("io.github.a/sky", "1.0.0", "Weather of the world")]));
    let market = person.market(vec![corp.registry("corp")]);
    assert!(names(&search(&person, &market, &query("weather"))).is_empty(), "the registry looks at names");
    search(&person, &market, &query(""));
    assert_eq!(names(&search(&person, &market, &query("weather"))), ["io.github.a/sky"]);
}

#[test]
fn facets_leave_out_what_is_not_wanted() {
    let meta =
        |status: &str, at: &str| json!({ "status": status, "statusMessage": "moved\u{1b}[2J away", "isLatest": true, "updatedAt": at });
    let corp = Loopback::new(vec![
        entry("io.github.a/new", "2.0.0", "New"),
        with("io.github.a/new", "1.0.0", "Old", &json!({ "status": "active", "isLatest": false })),
        with("io.github.a/deprecated", "1.0.0", "Old", &meta("deprecated", "2026-01-01T00:00:00Z")),
        with("io.github.a/deleted", "1.0.0", "Gone", &meta("deleted", "2026-11-01T00:00:00Z")),
        json!({ "server": { "name": "io.github.a/remote", "version": "1", "description": "R", "remotes": [{ "type": "sse", "url": "https://x.example" }] } }),
    ]);
    let person = Person::new();
    let market = person.market(vec![corp.registry("corp")]);
    let found = |facets: Facets| {
        let found = search(&person, &market, &Query { facets, ..query("") });
        found.hits.into_iter().map(|hit| hit.entry).collect::<Vec<_>>()
    };
    let usual = found(Facets::default());
    assert_eq!(
        usual.iter().map(|entry| entry.server.name.as_str()).collect::<Vec<_>>(),
        ["io.github.a/new", "io.github.a/remote", "io.github.a/deprecated"]
    );
    assert_eq!(usual[2].status_message.as_deref(), Some("moved\\u{1b}[2J away"));
    let deleted = found(Facets { statuses: vec![Status::Deleted], ..Facets::default() });
    assert_eq!(deleted[0].server.name, "io.github.a/deleted");
    let remote = found(Facets { kinds: vec!["remote".to_owned()], ..Facets::default() });
    assert_eq!((remote.len(), remote[0].server.name.as_str()), (1, "io.github.a/remote"));
    corp.seen();
    let recent = found(Facets { updated_since: Some(1_790_000_123), ..Facets::default() });
    assert!(recent.iter().all(|entry| entry.server.name != "io.github.a/deprecated"));
    assert!(corp.seen()[0].contains("&updated_since=2026-09-21T"));
}

#[test]
fn what_was_found_is_counted_on_every_page() {
    let mut entries = many(25);
    entries.push(json!({ "server": {
        "name": "io.github.many/server-both", "version": "1", "description": "B",
        "packages": [
            { "registryType": "npm", "identifier": "b", "version": "1", "transport": { "type": "stdio" } },
            { "registryType": "npm", "identifier": "c", "version": "1", "transport": { "type": "stdio" } },
        ],
        "remotes": [{ "type": "sse", "url": "https://x.example" }],
    } }));
    let (person, corp, other) = (Person::new(), Loopback::new(entries), Loopback::new(vec![entry("io.github.a/server", "1.0.0", "S")]));
    let market = person.market(vec![corp.registry("corp"), other.registry("other")]);
    let found = search(&person, &market, &Query { offset: 20, ..query("server") });
    assert_eq!((found.hits.len(), found.all().count(), found.total), (7, 27, 27));
    let registries = Tally::of(found.all(), |hit| vec![hit.registry.clone()]);
    assert_eq!(registries.values, [("corp".to_owned(), 26), ("other".to_owned(), 1)]);
    let both = found.all().find(|hit| hit.entry.server.name.ends_with("both")).expect("it is found");
    assert_eq!(both.transports(), ["stdio", "sse"]);
    let names = Tally::of(found.all(), |hit| vec![hit.entry.server.name.clone()]);
    assert_eq!((names.values.len(), names.values.last().map(|(name, count)| (name.as_str(), *count))), (13, Some(("other", 15))));
}

#[test]
fn broken_entries_are_left_out_and_counted() {
    let corp = Loopback::new(vec![
        json!(5),
        json!({ "server": { "name": "io.github.a/\u{202e}evil", "version": "1" } }),
        json!({ "server": { "name": "no-namespace", "version": "1" } }),
        json!({ "server": { "name": "io.github.a/no-version", "version": "../../x" } }),
        entry("io.github.a/good", "1.0.0", "A\u{1b}[31m\nB"),
    ]);
    let person = Person::new();
    let found = search(&person, &person.market(vec![corp.registry("corp")]), &query(""));
    assert_eq!((names(&found), found.broken), (vec!["io.github.a/good"], 4));
}

#[test]
fn what_a_registry_may_do_wrong_is_said_and_stops_nobody_else() {
    let good = Loopback::new(vec![entry("io.github.a/good", "1.0.0", "Good")]);
    for (mood, code, word) in [
        (Mood::Failing, Code::RegistryUnreachable, "500"),
        (Mood::NotJson, Code::RegistryBroken, "not JSON"),
        (Mood::NoList, Code::RegistryBroken, "no list"),
        (Mood::Huge, Code::RegistryUnreachable, "larger than"),
        (Mood::Leading, Code::RegistryUnreachable, "cannot connect"),
        (Mood::Closed, Code::RegistryRefused, "401"),
    ] {
        let (person, bad) = (Person::new(), Loopback::new(Vec::new()));
        bad.mood(mood);
        let market = person.market(vec![bad.registry("bad"), good.registry("good")]);
        let found = search(&person, &market, &query("good"));
        assert_eq!(names(&found), ["io.github.a/good"], "{mood:?}");
        let (name, fault) = &found.faults[0];
        assert_eq!((name.as_str(), fault.code()), ("bad", code), "{fault}");
        assert!(fault.to_string().contains(word), "{mood:?}: {fault}");
    }
}

#[test]
fn a_list_without_end_is_cut() {
    let (person, corp) = (Person::new(), Loopback::new(many(150)));
    corp.mood(Mood::Endless);
    let found = search(&person, &person.market(vec![corp.registry("corp")]), &query("server"));
    assert!(corp.seen().len() <= 10);
    assert!(!found.hits.is_empty());
}

#[test]
fn credentials_go_where_they_belong() {
    let (person, corp, elsewhere) = (Person::new(), Loopback::new(many(1)), Loopback::new(Vec::new()));
    corp.mood(Mood::Closed);
    let with = |name: &str| Registry::new("corp", &corp.url, &[format!("Authorization: Bearer ${{secret:{name}}}")]).expect("a registry");
    let found = search(&person, &person.market(vec![with("CORP"), elsewhere.registry("other")]), &query(""));
    assert_eq!((found.hits.len(), found.faults.len()), (1, 0));
    assert_eq!(corp.seen(), ["/v0.1/servers?limit=100&version=latest Bearer t0ken"]);
    assert_eq!(elsewhere.seen(), ["/v0.1/servers?limit=100&version=latest"]);
    let found = search(&person, &person.market(vec![with("GONE")]).anew(), &query("other"));
    assert_eq!(found.faults[0].1.code(), Code::SecretMissing);
}
