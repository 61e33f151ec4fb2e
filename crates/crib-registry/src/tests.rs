use bytes::Bytes;
use crib_mcp::{Json, Pieces, Revision};
use crib_model::{Code, Fault, Slug};

use crate::*;

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn json(text: &str) -> Json {
    Json::parse(&Bytes::copy_from_slice(text.as_bytes())).unwrap()
}

fn listing(server: &str) -> Listing {
    Listing::empty(slug(server), Revision::LATEST)
}

fn with_tools(server: &str, names: &[&str]) -> Listing {
    let items: Vec<Json> = names.iter().map(|name| json(&format!(r#"{{"name":{},"inputSchema":{{}}}}"#, Json::of(name)))).collect();
    Listing { tools: items.into(), ..listing(server) }
}

fn names(catalog: &Catalog) -> Vec<&str> {
    catalog.tools().iter().map(|tool| &*tool.exposed).collect()
}

#[test]
fn names_carry_their_server_and_are_found_both_ways() {
    let catalog = Catalog::build(vec![with_tools("git", &["log"]), with_tools("files", &["read", "a.b"])], &NameStyle::default());
    assert_eq!(names(&catalog), ["files__read", "files__a.b", "git__log"]);
    let tool = catalog.tool("git__log").unwrap();
    assert_eq!((tool.slug.as_str(), &*tool.name, tool.position), ("git", "log", 2));
    assert_eq!(catalog.tool_of(&slug("files"), "read").unwrap().position, 0);
    assert!(catalog.tool("log").is_none() && catalog.tool_of(&slug("git"), "read").is_none());
}

#[test]
fn only_names_and_uris_of_a_definition_change() {
    // Space between members is not kept around what changes; everything else is.
    let tool = concat!(
        r#"{"title":"T","name" : "read","inputSchema":{ "type":"object", "properties":{"name":{"default":1.50}} },"x":[1e2],"#,
        r#""_meta":{"ui":{"visibility":["app"],"resourceUri": "ui://a/b"},"ui/resourceUri":"ui://a/b","uri":"ui://a/b"}}"#
    );
    let resource = r#"{"name":"n","uri":"file:///x","mimeType":"a/b"}"#;
    let template = r#"{"uriTemplate":"file:///{path}","name":"n"}"#;
    let prompt = r#"{"arguments":[{"name":"q"}],"name":"ask"}"#;
    let one = |text: &str| List::from(vec![json(text)]);
    let listing = Listing { tools: one(tool), resources: one(resource), templates: one(template), prompts: one(prompt), ..listing("My_x") };
    let catalog = Catalog::build(vec![listing.clone()], &NameStyle::default());
    let tool_out = tool
        .replace(r#""name" : "read""#, r#""name" : "My_x__read""#)
        .replace(r#""resourceUri": "ui://a/b""#, r#""resourceUri": "ui://my.x/a/b""#)
        .replace(r#""ui/resourceUri":"ui://a/b""#, r#""ui/resourceUri":"ui://my.x/a/b""#);
    assert_eq!(catalog.tools()[0].def.as_str(), tool_out);
    assert_eq!(catalog.resources()[0].def.as_str(), resource.replace("file:///x", "my.x+file:///x"));
    assert_eq!(catalog.templates()[0].def.as_str(), template.replace("file:///{path}", "my.x+file:///{path}"));
    assert_eq!(catalog.prompts()[0].def.as_str(), prompt.replace("ask", "My_x__ask"));

    let plain = Catalog::build(vec![listing], &NameStyle::Plain);
    assert_eq!(plain.tools()[0].def.as_str(), tool);
    assert_eq!(plain.resources()[0].def.as_str(), resource);
    assert_eq!(plain.templates()[0].def.as_str(), template);
    assert_eq!(plain.prompts()[0].def.as_str(), prompt);
    assert_eq!(plain.route_uri("file:///y").map(|(slug, uri)| (slug.as_str(), uri.into_owned())), Some(("My_x", "file:///y".to_owned())));
    assert_eq!(plain.expose_uri(&slug("My_x"), "ui://a"), "ui://a");
}

#[test]
fn the_first_keeps_the_name_and_others_do_not_change_who_is_called_what() {
    let style = NameStyle::Prefixed(Template::parse("{tool}").unwrap());
    let build = |servers: &[&str]| Catalog::build(servers.iter().map(|server| with_tools(server, &["read", "only"])).collect(), &style);
    let catalog = build(&["b", "a"]);
    let [collision, _] = catalog.collisions() else { panic!("{:?}", catalog.collisions()) };
    assert_eq!(collision.to_string(), format!("tool `read` is offered by `a` and `b`: `read` of `b` is called `{}`", collision.renamed.2));
    assert_eq!(&*catalog.tool("read").unwrap().slug.to_string(), "a");
    let renamed = catalog.tool(&collision.renamed.2).unwrap();
    assert_eq!((renamed.slug.as_str(), &*renamed.name), ("b", "read"));

    let wider = build(&["a", "aa", "b", "c"]);
    assert_eq!(wider.tool_of(&slug("b"), "read").unwrap().exposed, renamed.exposed);
    assert_eq!(names(&build(&["c", "b", "aa", "a"])), names(&wider));
    let distinct: std::collections::HashSet<_> = names(&wider).into_iter().collect();
    assert_eq!(distinct.len(), 8);
}

#[test]
fn nobody_can_take_a_name_that_a_renamed_tool_gets() {
    let style = NameStyle::Prefixed(Template::parse("{tool}").unwrap());
    let first = Catalog::build(vec![with_tools("a", &["read"]), with_tools("b", &["read"])], &style);
    let taken = first.collisions()[0].renamed.2.to_string();
    let catalog = Catalog::build(vec![with_tools("a", &["read"]), with_tools("b", &["read"]), with_tools("c", &[&taken])], &style);
    assert_eq!(catalog.tool(&taken).unwrap().slug.as_str(), "c");
    assert_ne!(&*catalog.tool_of(&slug("b"), "read").unwrap().exposed, taken);
}

#[test]
fn what_cannot_be_exposed_is_left_out_and_reported() {
    let items = [
        r#"{"name":"ok"}"#,
        r#"{"name":"re\u200bad"}"#,
        r#"{"name":"ok","description":"again"}"#,
        r#"{"title":"no name"}"#,
        "[]",
        r#"{"name":"h","inputSchema":{"type":"object","properties":{"a":{"type":"object","x-mcp-header":"A"}}}}"#,
    ];
    let tools: Vec<Json> = items.iter().map(|item| json(item)).collect();
    for style in [NameStyle::default(), NameStyle::Plain] {
        let catalog = Catalog::build(vec![Listing { tools: tools.clone().into(), ..listing("x") }], &style);
        assert_eq!(catalog.tools().len(), 1);
        let reports: Vec<String> = catalog.dropped().iter().map(ToString::to_string).collect();
        assert_eq!(
            reports[..4],
            [
                "tool `re\\u{200b}ad` of `x` is left out: its name holds the invisible or control character U+200B",
                "tool `ok` of `x` is left out: the server lists it twice",
                "tool `#4` of `x` is left out: it is not an object with a `name`",
                "tool `#5` of `x` is left out: it is not an object with a `name`",
            ]
        );
        assert!(reports[4].contains("x-mcp-header is not valid"), "{}", reports[4]);
    }
}

#[test]
fn a_name_with_a_borrowed_letter_is_left_out_and_the_letter_is_named() {
    let catalog =
        Catalog::build(vec![with_tools("x", &["re\u{430}d", "read", "\u{447}\u{438}\u{442}\u{430}\u{442}\u{44c}"])], &NameStyle::default());
    assert_eq!(catalog.tools().len(), 2);
    let reports: Vec<String> = catalog.dropped().iter().map(ToString::to_string).collect();
    let expected = "tool `re\\u{430}d` of `x` is left out: its name mixes scripts: U+0430 is not the Latin letter it looks like";
    assert_eq!(reports, [expected]);
}

#[test]
fn tools_of_two_servers_that_look_alike_are_reported() {
    let said = |listings: Vec<Listing>| -> Vec<String> {
        Catalog::build(listings, &NameStyle::default()).lookalikes().iter().map(ToString::to_string).collect()
    };
    let pairs =
        said(vec![with_tools("a", &["read_all", "copy", "same"]), with_tools("b", &["read_a11", "\u{441}\u{43e}\u{440}\u{443}", "same"])]);
    let expected = [
        "tools `read_all` of `a` and `read_a11` of `b` look alike",
        "tools `copy` of `a` and `\\u{441}\\u{43e}\\u{440}\\u{443}` of `b` look alike",
    ];
    assert_eq!(pairs, expected);
    // The servers' names count too; names inside one server are its own business.
    assert_eq!(said(vec![with_tools("db1", &["q"]), with_tools("dbl", &["q"])]), ["tools `q` of `db1` and `q` of `dbl` look alike"]);
    assert_eq!(said(vec![with_tools("a", &["x1", "xl"])]), [""; 0]);
}

#[test]
fn uris_lead_back_to_their_server_listed_or_not() {
    let catalog = Catalog::build(vec![listing("My_files"), listing("git")], &NameStyle::default());
    let route = |uri: &str| catalog.route_uri(uri).map(|(slug, own)| format!("{slug} {own}"));
    assert_eq!(route("my.files+file:///a").as_deref(), Some("My_files file:///a"));
    assert_eq!(route("ui://git/x").as_deref(), Some("git ui://x"));
    assert_eq!(route("nobody+file:///a"), None);
    assert_eq!(route("file:///a"), None);
    assert_eq!(catalog.expose_uri(&slug("My_files"), "file:///a"), "my.files+file:///a");
    assert_eq!(catalog.upstream("MY_FILES"), Some(&slug("My_files")));
}

#[test]
fn merged_lists_may_be_cached_as_long_as_the_shortest_and_by_all_only_if_all_allow_it() {
    let list = |ttl_ms, scope, items: &[&str]| List {
        items: items.iter().map(|item| json(item)).collect(),
        caching: Some(Caching { ttl_ms, scope }),
    };
    let a = Listing { tools: list(5000, CacheScope::Public, &[]), prompts: list(9, CacheScope::Private, &[]), ..listing("a") };
    let b = Listing { tools: list(3000, CacheScope::Public, &[]), ..listing("b") };
    let catalog = Catalog::build(vec![a.clone(), b.clone()], &NameStyle::default());
    assert_eq!(catalog.tools_caching(), Caching { ttl_ms: 3000, scope: CacheScope::Public });
    assert_eq!(catalog.prompts_caching(), Caching { ttl_ms: 9, scope: CacheScope::Private });
    assert_eq!(catalog.resources_caching(), Caching::default());
    let silent = List { items: vec![json(r#"{"name":"t"}"#)], caching: None };
    let catalog = Catalog::build(vec![a, b, Listing { tools: silent, ..listing("c") }], &NameStyle::default());
    assert_eq!(catalog.tools_caching(), Caching { ttl_ms: 0, scope: CacheScope::Private });
}

#[test]
fn faults_of_servers_are_kept() {
    let fault = Fault::new(Code::StartFailed, "`a` stopped");
    let catalog = Catalog::build(vec![Listing { fault: Some(fault), ..listing("a") }, listing("b")], &NameStyle::default());
    assert_eq!(catalog.faults().iter().map(|(slug, fault)| (slug.as_str(), fault.code())).collect::<Vec<_>>(), [("a", Code::StartFailed)]);
}

fn ten_thousand() -> Vec<Listing> {
    let tool = |server: usize, at: usize| {
        json(&format!(
            r#"{{"name":"tool_{at}","description":"does thing {at} of server {server}","inputSchema":{{"type":"object"}},"_meta":{{"tags":["t{at}"]}}}}"#
        ))
    };
    (0..100)
        .map(|server| Listing {
            tools: (0..100).map(|at| tool(server, at)).collect::<Vec<_>>().into(),
            ..listing(&format!("server{server}"))
        })
        .collect()
}

#[test]
fn ten_thousand_tools_are_listed_in_pages_and_found_by_name() {
    let catalog = Catalog::build(ten_thousand(), &NameStyle::default());
    assert_eq!(catalog.tools().len(), 10_000);
    assert!(catalog.collisions().is_empty() && catalog.dropped().is_empty());
    for server in 0..100 {
        for at in 0..100 {
            let tool = catalog.tool(&format!("server{server}__tool_{at}")).unwrap();
            assert_eq!((tool.slug.as_str(), &*tool.name), (format!("server{server}").as_str(), format!("tool_{at}").as_str()));
            assert_eq!(catalog.tools()[tool.position].exposed, tool.exposed);
        }
    }
    let mut seen = Vec::new();
    while let page @ [_, ..] = catalog.tools_page(seen.len(), 999) {
        seen.extend(page.iter().map(|tool| tool.position));
    }
    assert_eq!(seen, (0..10_000).collect::<Vec<_>>());
    assert!(catalog.tools_page(10_000, 10).is_empty() && catalog.tools_page(usize::MAX, usize::MAX).is_empty());
    assert_eq!(catalog.search("t42", 1000).len(), 100);
    assert_eq!(catalog.did_you_mean("server0__tol_7", |_| true), Some("server0__tool_7"));
}

#[test]
fn a_page_is_written_as_the_inside_of_an_array() {
    let catalog = Catalog::build(vec![with_tools("a", &["x", "y"])], &NameStyle::default());
    let mut out = Pieces::default();
    out.text("[");
    write_items(catalog.tools(), &mut out);
    out.text("]");
    let text = out.finish().into_bytes();
    assert_eq!(text, r#"[{"name":"a__x","inputSchema":{}},{"name":"a__y","inputSchema":{}}]"#.as_bytes());
}

#[test]
fn a_mistyped_name_is_answered_with_the_closest_one_the_caller_may_see() {
    let catalog = Catalog::build(vec![with_tools("everything", &["get-sum", "echo"])], &NameStyle::default());
    for typed in ["everything__get_sum", "everything.get-sum", "get_sum", "everything__get-smu", "Everything.GetSum"] {
        assert_eq!(catalog.did_you_mean(typed, |_| true), Some("everything__get-sum"), "{typed}");
        assert_ne!(catalog.did_you_mean(typed, |entry| &**entry.own() != "get-sum"), Some("everything__get-sum"));
    }
    for typed in ["", "nothing_like_it_at_all", &"x".repeat(5000)] {
        assert_eq!(catalog.did_you_mean(typed, |_| true), None, "{typed}");
    }
}

#[test]
fn tools_are_found_by_words_tags_and_other_scripts() {
    let tools: Vec<Json> = [
        r#"{"name":"createIssue","description":"Opens a new issue in a repository"}"#,
        r#"{"name":"list_issues","title":"All issues","description":"Lists what is open","annotations":{"readOnlyHint":true}}"#,
        r#"{"name":"send","description":"Sends a message about an issue or a repository","_meta":{"_fastmcp":{"tags":["mail"]}}}"#,
        "{\"name\":\"add\",\"description\":\"\u{8ba1}\u{7b97}\u{4e24}\u{4e2a}\u{6570}\u{7684}\u{548c}\"}",
        r#"{"name":"now","description":"Tells the time","tags":["clock","utility"]}"#,
    ]
    .iter()
    .map(|tool| json(tool))
    .collect();
    let catalog = Catalog::build(vec![Listing { tools: tools.into(), ..listing("x") }], &NameStyle::default());
    let search = |query: &str| catalog.search(query, 10).iter().map(|hit| hit.tool.name.to_string()).collect::<Vec<_>>();
    assert_eq!(search("create an issue")[0], "createIssue");
    assert_eq!(search("issues").len(), 3);
    assert_eq!(search("mail"), ["send"]);
    assert_eq!(search("Clock"), ["now"]);
    assert_eq!(search("\u{8ba1}\u{7b97}"), ["add"]);
    assert!(search("").is_empty() && search("zebra").is_empty());
    assert_eq!(catalog.search("issue", 1).len(), 1);
    let entry = catalog.tool("x__list_issues").unwrap();
    assert_eq!((entry.title().as_deref(), entry.claimed_hint("readOnlyHint"), entry.tags().len()), (Some("All issues"), Some(true), 0));
    assert_eq!(catalog.tool("x__now").unwrap().tags(), ["clock", "utility"]);
}
