//! Every client that is written to, against every way its file may look.

mod dice;

use dice::Dice;

use super::{Edit, Place, Spot, entries, remove, upsert};
use crate::{Client, Language, Local, Remote, Support, Value, clients};

const NAME: &str = "toolcrib";

fn written() -> impl Iterator<Item = &'static Client> {
    clients().filter(|client| client.support == Support::Full)
}

/// The two entries a client may get.
fn values(client: &Client) -> Vec<Value> {
    let remote = client.remote(&Remote { url: "http://127.0.0.1:8665/mcp", key: None }, NAME);
    let local = client.local(&Local { command: "/usr/bin/toolcrib", args: &["serve", "--stdio"] }, NAME);
    remote.into_iter().chain([local]).collect()
}

fn spot(client: &Client) -> Spot<'static> {
    Spot { language: client.language, place: client.place, name: NAME }
}

/// Files of a client as they are met, by name; the second flag says whether other servers stand beside ours.
fn files(client: &Client) -> Vec<(&'static str, String, bool)> {
    let path = client.place.path();
    let mut found = match (client.language, client.place) {
        (Language::Json, _) => json(path),
        (Language::Toml, Place::Map(_)) => toml_tables(),
        (Language::Toml, Place::List(_)) => toml_arrays(),
        (Language::Yaml, Place::Map(_)) => yaml_map(path[0]),
        (Language::Yaml, Place::List(_)) => yaml_list(path[0]),
    };
    let plain: Vec<_> = found.clone();
    for (name, text, is_beside) in plain {
        if text.contains('\n') {
            found.push((name, text.replace('\n', "\r\n"), is_beside));
        }
        found.push((name, format!("\u{feff}{text}"), is_beside));
        if text.ends_with('\n') {
            found.push((name, text.trim_end().to_owned(), is_beside));
        }
    }
    found
}

fn json(path: &[&str]) -> Vec<(&'static str, String, bool)> {
    // Texts are written for one name and wrapped for paths of two.
    let key = path[0];
    let wrap = |inner: &str| match path.get(1) {
        Some(second) => format!("{{ \"{second}\": {inner} }}"),
        None => inner.to_owned(),
    };
    let other = "{\n      \"command\": \"uvx\", // runs\n      \"args\": [\"a,b\", \"}\"] }";
    vec![
        ("empty", String::new(), false),
        ("blank", "  \n\n".to_owned(), false),
        ("comments alone", "// settings\n/* none */\n".to_owned(), false),
        ("an empty map", "{}\n".to_owned(), false),
        ("an empty map with room", "{\n}\n".to_owned(), false),
        ("no section", "{\n  \"theme\": \"One\", // dark\n  \"vim\": true // yes\n  // the end\n}\n".to_owned(), false),
        ("no section, comma", "{\n\t\"theme\": \"One\",\n\t\"vim\": true, /* yes */ // always\n}\n".to_owned(), false),
        ("no section, one line", "{\"theme\":\"One\"}".to_owned(), false),
        ("empty section", format!("{{\n    \"{key}\": {}\n}}\n", wrap("{}")), false),
        ("section with a comment", format!("{{\n  \"{key}\": {}\n}}\n", wrap("{\n    // servers go here\n  }")), false),
        ("null section", format!("{{ \"a\": 1, \"{key}\": null }}"), false),
        ("one server", format!("{{\n  \"{key}\": {},\n  \"z\": []\n}}\n", wrap(&format!("{{\n    \"time\": {other}\n  }}"))), true),
        ("trailing commas", format!("{{\n  \"{key}\": {},\n}}\n", wrap(&format!("{{\n    \"time\": {other},\n  }}"))), true),
        (
            "comments behind",
            format!("{{\n  \"{key}\": {}\n}}\n", wrap(&format!("{{\n    \"time\": {other} /* one */ // two\n    // three\n  }}"))),
            true,
        ),
        (
            "comma behind a comment",
            format!("{{\n  \"{key}\": {}\n}}\n", wrap(&format!("{{\n    \"time\": {other} /* , */ , // two\n  }}"))),
            true,
        ),
        ("tabs", format!("{{\n\t\"{key}\": {}\n}}\n", wrap("{\n\t\t\"time\": {\n\t\t\t\"command\": \"uvx\"\n\t\t}\n\t}")), true),
        ("four blanks", format!("{{\n    \"{key}\": {}\n}}\n", wrap("{\n        \"time\": {}  \n    }")), true),
        ("one line", format!("{{\"{key}\":{}}}", wrap("{\"time\":{\"command\":\"uvx\"}}")), true),
        ("one line, comma", format!("{{\"{key}\":{}}}", wrap("{\"time\":{\"command\":\"uvx\"}, }")), true),
        ("servers on one line", format!("{{\n  \"{key}\": {}\n}}", wrap("{ \"time\": {\"command\":\"uvx\"}, \"b\": {} }")), true),
        ("closed on the last line", format!("{{\n  \"{key}\": {} }}", wrap("{\n    \"time\": {\"url\": \"http://x//y\"} }")), true),
        (
            "words in other scripts",
            format!("{{\n  // 设置 ✓\n  \"{key}\": {}\n}}\n", wrap("{\n    \"时间\": {\"command\": \"é\"}\n  }")),
            true,
        ),
    ]
}

fn toml_tables() -> Vec<(&'static str, String, bool)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("empty", String::new(), false),
        ("blank", text(" \n"), false),
        ("comments alone", text("# settings\n"), false),
        ("no section", text("model = \"o\" # best\nmulti = '''\n[mcp_servers.toolcrib]\n'''\n"), false),
        ("a table last", text("a = 1\n\n[tui]\n# colours\nx = { y = [1,\n 2] }\n# the end\n"), false),
        ("one server", text("[mcp_servers.time]\ncommand = \"uvx\" # runs\nargs = [\n  \"a\",\n]\n\n[other]\nx = 1\n"), true),
        ("a section of its own", text("[mcp_servers]\n\n[mcp_servers.time.env]\nA = \"1\"\n"), true),
        ("an inline server", text("[mcp_servers]\ntime = { command = \"uvx\" } # x\n\n[z]\n"), true),
        ("an inline section", text("mcp_servers = { time = { command = \"uvx\" } }\n[a]\n"), true),
        ("an empty inline section", text("mcp_servers = {} # none\n"), false),
        ("tabs", text("[a]\n\tb = 1\n\t[a.c]\n\t\td = 2\n"), false),
    ]
}

fn toml_arrays() -> Vec<(&'static str, String, bool)> {
    let text = |text: &str| text.to_owned();
    vec![
        ("empty", String::new(), false),
        ("comments alone", text("# settings\n"), false),
        ("no section", text("model = \"o\"\n"), false),
        (
            "one server",
            text("[[mcp_servers]]\nname = \"time\" # x\ncommand = \"uvx\"\n[mcp_servers.env]\nA = \"1\"\n\n[other]\nx = 1\n"),
            true,
        ),
        ("an empty list", text("mcp_servers = [] # none\nx = 1\n"), false),
        ("an inline list", text("mcp_servers = [{ name = \"time\", command = \"uvx\" }]\n"), true),
    ]
}

fn yaml_map(key: &str) -> Vec<(&'static str, String, bool)> {
    vec![
        ("empty", String::new(), false),
        ("blank", "\n\n".to_owned(), false),
        ("comments alone", "# settings\n".to_owned(), false),
        ("no section", "model: o # best\ntext: |\n  extensions:\n    toolcrib: x\n".to_owned(), false),
        ("nothing in it", format!("a: 1\n{key}: # none\nb: 2\n"), false),
        ("a word for nothing", format!("a: 1\n{key}: null\nb: 2\n"), false),
        ("an empty section", format!("{key}: {{}}\nb: 2\n"), false),
        (
            "one server",
            format!(
                "# head\n{key}:\n  # about time\n  time:\n    cmd: uvx # runs\n    args: [a, b]\n    d: |\n      x\n\n  # tail\nother: [1]\n"
            ),
            true,
        ),
        ("four blanks", format!("{key}:\n    time:\n        cmd: uvx\n"), true),
        ("on one line", format!("{key}: {{ time: {{ cmd: \"}}\" }} }}\nz: 1\n"), true),
        ("last", format!("---\na: 1\n{key}:\n  time: {{ cmd: uvx }}\n"), true),
    ]
}

fn yaml_list(key: &str) -> Vec<(&'static str, String, bool)> {
    vec![
        ("empty", String::new(), false),
        ("comments alone", "# settings\n".to_owned(), false),
        ("no section", "name: mine\nmodels:\n  - name: m\n".to_owned(), false),
        ("nothing in it", format!("a: 1\n{key}:\nb: 2\n"), false),
        ("an empty section", format!("{key}: []\nb: 2\n"), false),
        (
            "one server",
            format!("{key}:\n  # about time\n  - name: time\n    command: uvx # runs\n\n  - name: b\n    url: x\nother: [1]\n"),
            true,
        ),
        ("at the margin", format!("{key}:\n- name: time\n  command: uvx\nother: 1\n"), true),
        ("on one line", format!("{key}: [{{ name: time, command: uvx }}]\n"), true),
    ]
}

/// Each case with what came of it.
fn each(mut look: impl FnMut(&str, &str, Spot<'_>, &Value, Edit, bool)) {
    let mut count = 0;
    for client in written() {
        for (name, text, is_beside) in files(client) {
            for value in values(client) {
                let case = format!("{}, {name}: {text:?}", client.id);
                let edit = upsert(&text, spot(client), &value).unwrap_or_else(|error| panic!("{case}: {error}"));
                look(&case, &text, spot(client), &value, edit, is_beside);
                count += 1;
            }
        }
    }
    assert!(count > 3000, "{count}");
}

#[test]
fn an_entry_is_written_and_nothing_else_changes() {
    each(|case, text, spot, value, edit, _| {
        let splice = edit.splice.as_ref().unwrap_or_else(|| panic!("{case}: nothing changed"));
        // What stood between is blanks and comments, or the name of nothing.
        let removed = splice.removed.trim();
        let is_nothing = ["", "{}", "[]", "null"].contains(&removed) || removed.starts_with("//") || removed.starts_with("/*");
        assert!(is_nothing || removed.is_empty(), "{case}: removed {removed:?}");
        // Every word that was there is there, in its order.
        let mut rest = edit.text.as_str();
        for word in text.split_whitespace().filter(|word| !["{}", "[]", "null", "{}}", "{}}}"].contains(word)) {
            let word = word.trim_end_matches(['}', ']']);
            let at = rest.find(word).unwrap_or_else(|| panic!("{case}: `{word}` is lost in\n{}", edit.text));
            rest = rest.split_at(at + word.len()).1;
        }
        let before: Vec<_> = entries(text, spot.language, spot.place).unwrap();
        let mut after = entries(&edit.text, spot.language, spot.place).unwrap();
        let ours = after.iter().position(|(name, _)| name == NAME).unwrap_or_else(|| panic!("{case}: not there"));
        let (_, ours) = after.remove(ours);
        assert_eq!(before, after, "{case}");
        assert!(value.members().iter().all(|(name, value)| ours.member(name) == Some(value)), "{case}: {ours:?}");
    });
}

#[test]
fn line_ends_and_marks_stay_what_they_are() {
    each(|case, text, _, _, edit, _| {
        assert_eq!(text.starts_with('\u{feff}'), edit.text.starts_with('\u{feff}'), "{case}");
        assert!(!edit.text.get(3..).unwrap_or_default().contains('\u{feff}'), "{case}");
        if text.contains("\r\n") {
            assert!(!edit.text.replace("\r\n", "").contains('\n'), "{case}\n{:?}", edit.text);
        } else {
            assert!(!edit.text.contains('\r'), "{case}");
        }
    });
}

#[test]
fn writing_twice_changes_nothing() {
    each(|case, _, spot, value, edit, _| {
        let again = upsert(&edit.text, spot, value).unwrap();
        assert_eq!(again.splice, None, "{case}");
    });
}

#[test]
fn taking_a_known_change_back_gives_every_byte() {
    each(|case, text, spot, _, edit, _| {
        let back = remove(&edit.text, spot, edit.splice.as_ref()).unwrap_or_else(|error| panic!("{case}: {error}\n{}", edit.text));
        assert_eq!(back.text, text, "{case}");
    });
}

#[test]
fn taking_an_entry_out_beside_others_gives_every_byte() {
    each(|case, text, spot, _, edit, is_beside| {
        let back = remove(&edit.text, spot, None).unwrap_or_else(|error| panic!("{case}: {error}\n{}", edit.text));
        if is_beside {
            assert_eq!(back.text, text, "{case}\n{}", edit.text);
        }
        let left = entries(&back.text, spot.language, spot.place).unwrap();
        assert_eq!(left, entries(text, spot.language, spot.place).unwrap(), "{case}");
    });
}

#[test]
fn one_entry_becomes_another_in_its_place() {
    each(|case, text, spot, value, edit, _| {
        let client =
            written().find(|client| client.place == spot.place && client.language == spot.language && values(client).contains(value));
        for other in values(client.unwrap()) {
            let changed = upsert(&edit.text, spot, &other).unwrap_or_else(|error| panic!("{case}: {error}\n{}", edit.text));
            let straight = upsert(text, spot, &other).unwrap();
            assert_eq!(changed.text, straight.text, "{case}");
        }
    });
}

#[test]
fn what_a_user_added_to_our_entry_stays() {
    let spot = Spot { language: Language::Json, place: Place::Map(&["mcpServers"]), name: NAME };
    let before = "{\"mcpServers\": {\"toolcrib\": {\"command\": \"old\", \"args\": [], \"timeout\": 5, \"disabled\": true}}}";
    let edit = upsert(before, spot, &Value::map([("url", Value::text("http://x/mcp"))])).unwrap();
    assert_eq!(edit.text, "{\"mcpServers\": {\"toolcrib\": { \"url\": \"http://x/mcp\", \"timeout\": 5 }}}");
}

#[test]
fn codex_keeps_the_tables_inside_our_entry() {
    let spot = Spot { language: Language::Toml, place: Place::Map(&["mcp_servers"]), name: NAME };
    let before = "[mcp_servers.toolcrib]\ncommand = \"old\"\n\n[mcp_servers.toolcrib.env]\nA = \"1\"\n\n[mcp_servers.toolcrib.tools.add]\napproval_mode = \"approve\"\n\n[z]\n";
    let edit = upsert(before, spot, &Value::map([("url", Value::text("http://x/mcp"))])).unwrap();
    assert_eq!(
        edit.text,
        "[mcp_servers.toolcrib]\nurl = \"http://x/mcp\"\n\n[mcp_servers.toolcrib.tools.add]\napproval_mode = \"approve\"\n\n[z]\n"
    );
    let gone = remove(&edit.text, spot, None).unwrap();
    assert_eq!(gone.text, "\n[z]\n");
}

/// Puts our entry in and takes it out: what is known to be ours brings every byte back, and so does what is found.
fn there_and_back(text: &str, spot: Spot<'_>, value: &Value) {
    // What cannot be read, or changed for sure, is refused: that is right too.
    let Ok(edit) = upsert(text, spot, value) else { return };
    let back = remove(&edit.text, spot, edit.splice.as_ref()).unwrap_or_else(|error| panic!("{text:?}: {error}\n{}", edit.text));
    assert_eq!(back.text, text, "with the change\n{}", edit.text);
    let others = entries(text, spot.language, spot.place).unwrap();
    let Ok(found) = remove(&edit.text, spot, None) else { return };
    assert_eq!(entries(&found.text, spot.language, spot.place).unwrap(), others, "{text:?}");
    assert_eq!(upsert(&edit.text, spot, value).unwrap().splice, None, "{text:?}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 1500, ..Default::default() })]

    #[test]
    fn json_is_there_and_back(bytes in proptest::collection::vec(0_u8.., 0..120)) {
        let mut dice = Dice::new(&bytes);
        let text = format!("{}{}{}", dice.space(), dice.object(2, &["mcpServers"]), dice.space());
        let spot = Spot { language: Language::Json, place: Place::Map(&["mcpServers"]), name: NAME };
        let before = crate::edit::parse(&text, Language::Json);
        there_and_back(&text, spot, &Value::map([("url", Value::text("http://x/mcp")), ("args", Value::texts(["a", "b"]))]));
        // JSON is never too odd to be changed.
        if before.is_ok_and(|root| root.get("mcpServers").is_none_or(|node| node.as_map().is_some())) {
            assert!(upsert(&text, spot, &Value::map([("url", Value::text("x"))])).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn toml_is_there_and_back(bytes in proptest::collection::vec(0_u8.., 0..60)) {
        let text = Dice::new(&bytes).toml();
        let spot = Spot { language: Language::Toml, place: Place::Map(&["mcp_servers"]), name: NAME };
        there_and_back(&text, spot, &Value::map([("url", Value::text("http://x/mcp"))]));
        if crate::edit::parse(&text, Language::Toml).is_ok() {
            assert!(upsert(&text, spot, &Value::map([("url", Value::text("x"))])).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn yaml_is_there_and_back(bytes in proptest::collection::vec(0_u8.., 0..60)) {
        let text = Dice::new(&bytes).yaml();
        let spot = Spot { language: Language::Yaml, place: Place::Map(&["extensions"]), name: NAME };
        there_and_back(&text, spot, &Value::map([("uri", Value::text("http://x/mcp")), ("args", Value::texts(["a, b"]))]));
        if crate::edit::parse(&text, Language::Yaml).is_ok() {
            assert!(upsert(&text, spot, &Value::map([("url", Value::text("x"))])).is_ok(), "{text:?}");
        }
    }

    #[test]
    fn any_text_is_changed_for_sure_or_left_alone(text in "[\\{\\}\\[\\]:,\"#/*\\n a-c=~|-]{0,40}") {
        let value = Value::map([("url", Value::text("x"))]);
        for language in [Language::Json, Language::Toml, Language::Yaml] {
            for place in [Place::Map(&["a"]), Place::List(&["a"])] {
                there_and_back(&text, Spot { language, place, name: "b" }, &value);
            }
        }
    }
}
