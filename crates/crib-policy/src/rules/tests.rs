use super::*;

fn spec(allow: &[&str], deny: &[&str]) -> RuleSpec {
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    RuleSpec { allow: own(allow), deny: own(deny) }
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

#[track_caller]
fn check(allow: &[&str], deny: &[&str], asked: (&str, Kind, &str), expected: bool) {
    let rules = RuleSet::build(&[&spec(allow, deny)]).unwrap();
    let (server, kind, name) = asked;
    assert_eq!(rules.allows(&slug(server), kind, name), expected, "{asked:?}");
    assert_eq!(rules.decide([(&slug(server), kind, name)]).has(0), expected);
}

#[test]
fn without_an_allow_list_everything_not_denied_is_allowed() {
    check(&[], &[], ("files", Kind::Tool, "read"), true);
    check(&[], &["*.delete_*"], ("files", Kind::Tool, "delete_all"), false);
    check(&[], &["*.delete_*"], ("files", Kind::Tool, "read"), true);
}

#[test]
fn with_an_allow_list_nothing_else_is_allowed() {
    check(&["files.read"], &[], ("files", Kind::Tool, "read"), true);
    check(&["files.read"], &[], ("files", Kind::Tool, "write"), false);
    check(&["files.read"], &[], ("other", Kind::Tool, "read"), false);
    check(&["files.read"], &[], ("files", Kind::Prompt, "read"), false);
}

#[test]
fn deny_wins_over_allow() {
    check(&["files.*"], &["files.write"], ("files", Kind::Tool, "write"), false);
    check(&["files.write"], &["*"], ("files", Kind::Tool, "write"), false);
}

#[test]
fn exposed_names_dots_in_names_and_capitals_in_slugs_are_understood() {
    check(&["files__read"], &[], ("files", Kind::Tool, "read"), true);
    check(&["files__a.b"], &[], ("files", Kind::Tool, "a.b"), true);
    check(&["files.a__b"], &[], ("files", Kind::Tool, "a__b"), true);
    check(&["Files.read"], &[], ("files", Kind::Tool, "read"), true);
    check(&["files.read"], &[], ("FILES", Kind::Tool, "read"), true);
    check(&["files.read"], &[], ("files", Kind::Tool, "READ"), false);
}

#[test]
fn a_whole_server_means_its_prompts_and_resources_too() {
    check(&["files.*"], &[], ("files", Kind::Resource, "file:///a"), true);
    check(&[], &["files.*"], ("files", Kind::Prompt, "p"), false);
    check(&["tool:files.*"], &[], ("files", Kind::Prompt, "p"), false);
    check(&["prompt:git.commit"], &[], ("git", Kind::Prompt, "commit"), true);
    check(&["resource:files.file:///home/*"], &[], ("files", Kind::Resource, "file:///home/a"), true);
    check(&["resource:files.file:///home/*"], &[], ("files", Kind::Resource, "file:///etc"), false);
}

#[test]
fn stars_match_any_run_and_nothing_else_does() {
    for (pattern, text, expected) in [
        ("a*c", "abc", true),
        ("a*c", "ac", true),
        ("a*a", "a", false),
        ("*b*b*", "abcb", true),
        ("*b*b*", "abc", false),
        ("*ab", "aab", true),
        ("a*b*c", "a-c-b", false),
        ("**", "", true),
        ("a.c", "abc", false),
    ] {
        assert_eq!(Glob::parse(pattern).matches(text), expected, "{pattern} {text}");
    }
}

#[test]
fn a_pattern_that_names_no_server_is_refused_with_a_hint() {
    for text in ["read_file", "", "files.", ".read", "prompt:", "fi les.read", "file:///etc/passwd"] {
        let fault = RuleSet::build(&[&spec(&[], &[text])]).unwrap_err();
        assert_eq!(fault.code(), Code::ConfigInvalid, "{text}");
        assert!(fault.remedy().is_some());
    }
}

#[test]
fn the_rules_for_everybody_hold_for_every_key() {
    let own = spec(&["*.*"], &[]);
    let rules = Rules::build(&spec(&["files.*"], &["*.rm"]), [("ci", &own)]).unwrap();
    for name in ["ci", "unknown"] {
        let principal = Principal { name: name.into(), ..Principal::anonymous() };
        assert!(rules.allows(&principal, &slug("files"), Kind::Tool, "read"));
        assert!(!rules.allows(&principal, &slug("files"), Kind::Tool, "rm"));
        assert!(!rules.allows(&principal, &slug("git"), Kind::Tool, "log"));
    }
}

#[test]
fn what_a_server_offers_can_be_narrowed_for_everybody() {
    let own = spec(&["*"], &[]);
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let rules = Rules::build(&RuleSpec::default(), [("ci", &own)]).unwrap().offer(&slug("Files"), &texts(&["read*"]), &texts(&["*_all"]));
    for name in ["ci", "unknown"] {
        let principal = Principal { name: name.into(), ..Principal::anonymous() };
        let allows = |server: &str, kind, name: &str| rules.allows(&principal, &slug(server), kind, name);
        assert!(allows("files", Kind::Tool, "read_one") && allows("files", Kind::Prompt, "write") && allows("git", Kind::Tool, "log"));
        assert!(!allows("files", Kind::Tool, "write") && !allows("Files", Kind::Tool, "read_all"));
    }
}

#[test]
fn decisions_made_ahead_cover_the_whole_list() {
    let rules = RuleSet::build(&[&spec(&["files.t1*"], &[])]).unwrap();
    let (files, names) = (slug("files"), (0..200).map(|i| format!("t{i}")).collect::<Vec<_>>());
    let allowed = rules.decide(names.iter().map(|name| (&files, Kind::Tool, name.as_str())));
    assert_eq!((allowed.len(), allowed.count()), (200, 111));
    assert!(allowed.has(199) && !allowed.has(20) && !allowed.has(200));
}
