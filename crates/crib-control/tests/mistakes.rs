use std::path::PathBuf;

use crib_control::{Fixed, compile};

/// Compiles one file and returns everything a user would see.
fn seen(name: &str, text: &str) -> String {
    let world = Fixed::new("/srv").with("HOME", "/home/me").file(name, text);
    match compile(&[PathBuf::from(name)], &world) {
        Ok(compiled) => {
            let lines: Vec<String> = compiled.warnings.iter().map(|warning| format!("warning: {warning}")).collect();
            format!("fine\n{}", lines.join("\n"))
        }
        Err(problems) => {
            let shown = problems.iter().map(|problem| {
                let hint = problem.hint.as_ref().map_or_else(String::new, |hint| format!("\nhint: {hint}"));
                format!("error[{}]: {problem}{hint}", problem.code)
            });
            shown.collect::<Vec<_>>().join("\n\n")
        }
    }
}

macro_rules! mistake {
    ($test:ident, $file:literal, $text:expr) => {
        #[test]
        fn $test() {
            insta::assert_snapshot!(stringify!($test), seen($file, $text));
        }
    };
}

mistake!(an_unknown_field_is_refused, "a.yaml", "servers:\n  time:\n    comand: uvx\n");
mistake!(an_unknown_section_is_refused, "a.yaml", "version: 1\ngatway:\n  listen: 8665\n");
mistake!(
    a_missing_comma_is_pointed_at,
    "mcp.json",
    "{\n  \"mcpServers\": {\n    \"time\": { \"command\": \"uvx\" \"args\": [] }\n  }\n}\n"
);
mistake!(an_open_bracket_is_pointed_at, "mcp.json", "{\n  \"mcpServers\": {\n    \"time\": { \"command\": \"uvx\"\n");
mistake!(bad_yaml_is_pointed_at, "a.yaml", "servers:\n  time: { command: uvx\n  other: x\n");
mistake!(bad_toml_is_pointed_at, "a.toml", "[mcp_servers.time]\ncommand = uvx\n");
mistake!(
    an_unset_variable_is_named,
    "a.yaml",
    "servers:\n  gh:\n    url: https://x.example/mcp\n    headers: { Authorization: \"Bearer ${env:GH}\" }\n"
);
mistake!(
    an_unset_variable_of_a_client_is_named,
    "mcp.json",
    "{\"mcpServers\": {\"gh\": {\"command\": \"x\", \"env\": {\"A\": \"${GH}\"}}}}"
);
mistake!(two_ways_to_one_server_are_refused, "a.yaml", "servers:\n  both:\n    command: x\n    url: http://127.0.0.1/\n");
mistake!(no_way_to_a_server_is_refused, "a.yaml", "servers:\n  none:\n    args: [x]\n");
mistake!(a_wrong_type_is_refused, "a.yaml", "servers:\n  time:\n    command: uvx\n    args: --utc\n");
mistake!(a_wrong_time_is_refused, "a.yaml", "version: 1\ngateway:\n  callTimeout: 30\n");
mistake!(a_wrong_address_is_refused, "a.yaml", "version: 1\ngateway:\n  listen: \":8665\"\n");
mistake!(a_wrong_choice_is_refused, "a.yaml", "version: 1\ngateway: { auth: key }\n");
mistake!(a_wrong_version_is_refused, "a.yaml", "version: 2\n");
mistake!(keys_without_keys_are_refused, "a.yaml", "version: 1\ngateway: { auth: keys }\n");
mistake!(a_short_key_is_refused, "a.yaml", "version: 1\nkeys:\n  - { name: a, secret: short }\n");
mistake!(
    two_keys_of_one_name_are_refused,
    "a.yaml",
    "keys:\n  - { name: a, secret: 0123456789abcdefg }\n  - { name: a, secret: 0123456789abcdefh }\n"
);
mistake!(
    replicas_that_could_not_meet_are_refused,
    "a.yaml",
    "version: 1\ncluster: { redis: \"localhost:6379\", url: \"http://10.0.0.5:8665\", secret: 0123456789abcdef0123456789abcdef }\n"
);
mistake!(
    a_replica_without_an_address_is_refused,
    "a.yaml",
    "version: 1\ncluster: { redis: \"redis://localhost\", url: \"http://10.0.0.5:8665/mcp\", secret: 0123456789abcdef0123456789abcdef }\n"
);
mistake!(
    a_short_secret_of_a_cluster_is_refused,
    "a.yaml",
    "version: 1\ncluster: { redis: \"redis://localhost\", url: \"http://10.0.0.5:8665\", secret: short }\n"
);
mistake!(a_template_without_a_tool_is_refused, "a.yaml", "version: 1\ngateway: { toolNames: \"{server}\" }\n");
mistake!(a_file_without_servers_is_refused, "settings.json", "{ \"editor.fontSize\": 12 }");
mistake!(a_name_twice_is_refused, "mcp.json", "{\"mcpServers\": {\n  \"a\": {\"command\": \"x\"},\n  \"a\": {\"command\": \"y\"}\n}}");
mistake!(an_include_that_is_not_there_is_pointed_at, "a.yaml", "include: [gone.json]\n");
mistake!(names_that_collide_are_told_apart, "a.yaml", "servers:\n  My Time: { builtin: demo }\n  my-time: { builtin: demo }\n");
mistake!(
    a_name_twice_in_yaml_is_refused_with_the_first,
    "a.yaml",
    "servers:\n  a: { command: x }\n  b: { command: x }\n  a: { command: y }\n"
);
mistake!(a_url_that_is_none_is_refused, "a.yaml", "servers:\n  a: { url: example.com/mcp }\n");
mistake!(wide_characters_do_not_move_the_mark, "a.yaml", "servers:\n  时间: { builtin: demo, 时区: UTC }\n");
mistake!(an_empty_file_is_fine, "a.yaml", "# nothing yet\n");
mistake!(
    a_metadata_service_is_refused,
    "a.yaml",
    "version: 1\nservers:\n  creds:\n    url: http://169.254.169.254/mcp\n    transport: http\n"
);
mistake!(a_metadata_service_in_disguise_is_refused, "a.yaml", "servers:\n  creds: { url: \"http://[::ffff:a9fe:a9fe]/mcp\" }\n");
mistake!(a_link_local_address_may_be_allowed, "a.yaml", "servers:\n  box: { url: \"http://169.254.7.7/mcp\", allowLinkLocal: true }\n");
mistake!(a_metadata_service_in_a_clients_file_is_left_out, "mcp.json", "{\"mcpServers\": {\"x\": {\"url\": \"http://2852039166/mcp\"}}}");

mistake!(
    json_with_our_own_ways_to_run_is_ours,
    "servers.json",
    "{\"servers\": {\"time\": {\"run\": \"pypi:mcp-server-time\", \"type\": \"stdio\"}}}"
);
mistake!(
    a_server_that_is_not_started_here_is_not_kept_alive,
    "a.yaml",
    "servers:\n  a: { url: \"http://127.0.0.1/mcp\", keepAlive: 5m }\n"
);
mistake!(a_wrong_time_to_keep_alive_is_refused, "a.yaml", "servers:\n  a: { command: x, keepAlive: 5 }\n");

/// A file with a server, and something else.
macro_rules! beside_demo {
    ($test:ident, $text:literal) => {
        mistake!($test, "a.yaml", concat!("servers:\n  demo: { builtin: demo }\n", $text));
    };
}

beside_demo!(a_placeholder_is_no_key, "keys:\n  - { name: a, secret: changeme12345678901 }\n");
beside_demo!(a_key_of_few_characters_is_refused, "keys:\n  - { name: a, secret: abababababababababab }\n");
beside_demo!(a_key_that_was_not_copied_whole_is_refused, "keys:\n  - { name: a, secret: tcb_live_0123456789abcdefghij }\n");
beside_demo!(a_digest_that_is_none_is_refused, "keys:\n  - { name: a, secret: \"blake3:zz0123456789\" }\n");
beside_demo!(
    two_keys_of_one_secret_are_refused,
    "keys:\n  - { name: a, secret: 0123456789abcdefg }\n  - { name: b, secret: 0123456789abcdefg }\n"
);
beside_demo!(a_key_called_anonymous_is_refused, "keys:\n  - { name: anonymous, secret: 0123456789abcdefg }\n");
beside_demo!(
    a_pattern_without_a_server_is_pointed_at,
    "keys:\n  - name: a\n    secret: 0123456789abcdefg\n    allow:\n      - demo.add\n      - echo\n"
);
beside_demo!(a_pattern_of_nothing_is_refused, "keys:\n  - { name: a, secret: 0123456789abcdefg, deny: [\"\"] }\n");
beside_demo!(
    a_pattern_of_a_server_that_is_not_there_is_said,
    "keys:\n  - { name: a, secret: 0123456789abcdefg, deny: [\"dmeo.add\", \"prompt:demo.x\", \"*.y\"] }\n"
);
beside_demo!(a_collector_without_a_host_is_refused, "observability: { otlp: \"http://\" }\n");
beside_demo!(a_collector_at_a_port_that_is_none_is_refused, "observability: { otlp: \"http://localhost:99999\" }\n");
beside_demo!(metrics_take_no_other_page, "observability: { metrics: /v1/metrics }\n");
beside_demo!(a_body_of_nothing_is_refused, "gateway: { bodyBytesMax: 0 }\n");
beside_demo!(a_number_below_nothing_is_refused, "gateway: { bodyBytesMax: -1 }\n");
beside_demo!(a_number_that_is_too_large_is_refused, "gateway: { pageSize: 4294967296 }\n");
beside_demo!(
    hosts_and_origins_that_are_none_are_refused,
    "gateway:\n  allowedHosts: [tools.example.com, \"tools.example.com:8443\", \"[::1]:80\", \"http://x/\", \"*.example.com\"]\n  \
     allowedOrigins: [\"https://app.example.com/\", \"vscode-webview://x\", \"*\", \"https://app.example.com/path\"]\n"
);
mistake!(a_server_with_nothing_is_pointed_at, "a.yaml", "servers:\n  demo: { builtin: demo }\n  x:\n");
mistake!(what_is_built_in_takes_no_arguments, "a.yaml", "servers:\n  x: { builtin: demo, args: [a] }\n");
mistake!(a_program_has_no_transport_of_its_own, "a.yaml", "servers:\n  x: { command: cat, transport: http }\n");
mistake!(no_process_at_all_is_refused, "a.yaml", "servers:\n  x: { command: cat, processes: 0 }\n");
mistake!(
    a_variable_with_a_sign_in_its_name_is_refused,
    "a.yaml",
    "servers:\n  x:\n    command: cat\n    env:\n      A: b\n      \"A=B\": c\n"
);
mistake!(
    a_header_that_is_none_is_pointed_at,
    "a.yaml",
    "servers:\n  x:\n    url: http://127.0.0.1:1/mcp\n    headers:\n      A: b\n      \"a b\": c\n"
);
mistake!(a_password_in_a_url_is_refused, "a.yaml", "servers:\n  x: { url: \"http://u:p@127.0.0.1:1/mcp\" }\n");
mistake!(a_port_that_is_none_is_refused, "a.yaml", "servers:\n  x: { url: \"http://127.0.0.1:99999/mcp\" }\n");
mistake!(a_tool_without_a_name_is_pointed_at, "a.yaml", "servers:\n  x: { builtin: demo, tools: { include: [add, \"\"] } }\n");

#[test]
fn an_address_beyond_this_machine_is_named_with_its_line() {
    let text = "servers:\n  demo: { builtin: demo }\ngateway:\n  listen: 0.0.0.0:8665\n";
    let mut compiled = compile(&["a.yaml".into()], &Fixed::new("/srv").file("a.yaml", text)).expect("it is understood");
    let fault = compiled.check_bind().expect_err("there are no keys");
    assert_eq!((fault.code().as_str(), fault.causes()), ("TC0104", &["a.yaml:4:3: the address is named here".to_owned()][..]));
    // What the command line says is nobody's line.
    compiled.listen_at = None;
    assert!(compiled.check_bind().expect_err("still none").causes().is_empty());
}

#[test]
fn json_with_packages_to_run_is_read_as_ours() {
    let text = "{\"servers\": {\"time\": {\"run\": \"pypi:mcp-server-time\", \"keepAlive\": 0}, \"x\": {\"command\": \"x\"}}}";
    let compiled = compile(&["s.json".into()], &Fixed::new("/srv").file("s.json", text)).expect("it is ours");
    let kept: Vec<_> = compiled.servers.iter().map(|server| (server.name.as_str(), server.keep_alive)).collect();
    assert_eq!(kept, [("time", Some(std::time::Duration::ZERO)), ("x", None)]);
}

#[test]
fn a_file_that_is_not_there_says_so() {
    let problems = compile(&[PathBuf::from("gone.yaml")], &Fixed::new("/srv")).expect_err("there is no file");
    insta::assert_snapshot!(problems.iter().map(ToString::to_string).collect::<String>(), @"cannot read gone.yaml: entity not found");
}

#[test]
fn the_later_file_wins() {
    let world = Fixed::new("/srv")
        .file("a.yaml", "servers: { x: { url: http://a.example/ } }")
        .file("b.yaml", "servers: { x: { url: http://b.example/ } }");
    let compiled = compile(&["a.yaml".into(), "b.yaml".into()], &world).expect("both are fine");
    assert!(format!("{:?}", compiled.servers).contains("b.example"));
    insta::assert_snapshot!(compiled.warnings.iter().map(crib_control::Problem::summary).collect::<String>(), @"b.yaml:1:12: replaces `x` of a.yaml");
}

/// Files of programs that have a person asked, or keep variables in a file of their own.
const SEARCH: &str = r#"{
  "inputs": [
    { "type": "promptString", "id": "key", "description": "Key of the search", "password": true },
    { "type": "pickString", "id": "region", "description": "Where to search", "options": ["eu", "us"] }
  ],
  "servers": {
    "search": { "command": "search", "args": ["--region", "${input:region}"], "env": { "KEY": "${input:key}" } },
    "typo": { "command": "x", "env": { "KEY": "${input:kay}" } },
    "open": { "command": "x", "args": ["--key", "${input:key}"] }
  }
}"#;

mistake!(an_input_without_a_value_says_what_it_is_for, ".vscode/mcp.json", SEARCH);

/// What the servers of a file want to be told, and what is told them.
#[test]
fn inputs_are_asked_for_once_and_answered_by_secrets_and_variables() {
    let compiled = |world: &Fixed| compile(&[PathBuf::from(".vscode/mcp.json")], world).expect("it is fine");
    let world = Fixed::new("/srv").with("HOME", "/home/me").file(".vscode/mcp.json", SEARCH);
    let asked = compiled(&world).inputs;
    let told: Vec<String> = asked.iter().map(|asked| format!("{} {}", asked.server, asked.input.title())).collect();
    assert_eq!(told, ["search `region` (Where to search)", "search `key` (Key of the search)"]);
    let fault = |compiled: &crib_control::Compiled, name: &str| {
        let server = compiled.servers.iter().find(|server| server.name == name).expect("it is there");
        server.bind(&crib_control::secrets::NoSecrets).map(|_| ()).map_err(|fault| format!("{fault} {:?}", fault.remedy()))
    };
    // What stands in an argument is answered when the file is read, what is secret when the server is started.
    let world = world.answered(asked[0].input.secret.clone(), "eu");
    let answered = compiled(&world);
    let search = &answered.servers[0];
    assert!(search.missing.is_none() && format!("{:?}", search.source).contains("[\"--region\", \"eu\"]"), "{search:?}");
    let lacks = fault(&answered, "search").expect_err("the key has no value");
    for words in ["`search` needs the input `key` (Key of the search)", "toolcrib secret set input.key.", "TOOLCRIB_INPUT_KEY"] {
        assert!(lacks.contains(words), "{lacks}");
    }
    let lacks = fault(&answered, "open").expect_err("a password is no argument");
    assert!(lacks.contains("everybody on this machine can read arguments"), "{lacks}");
    // The environment goes before all.
    let told = compiled(&world.with("TOOLCRIB_INPUT_KEY", "k").with("TOOLCRIB_INPUT_KAY", "k"));
    assert!(told.inputs.iter().all(|asked| asked.input.id == "region"));
    assert!(["search", "typo", "open"].iter().all(|name| fault(&told, name).is_ok()));
}

const WITH_FILE: &str = r#"{ "servers": { "a": { "command": "x", "envFile": "${workspaceFolder}/.env", "env": { "B": "own" } } } }"#;

#[test]
fn variables_come_out_of_a_file_of_the_project() {
    let path = PathBuf::from("/srv/app/.vscode/mcp.json");
    let world = Fixed::new("/elsewhere").with("HOME", "/home/me").file("/srv/app/.vscode/mcp.json", WITH_FILE);
    let env = |world: &Fixed| {
        let compiled = compile(std::slice::from_ref(&path), world).expect("it is fine");
        assert!(compiled.files.contains(&PathBuf::from("/srv/app/.env")), "{:?}", compiled.files);
        let crib_control::Source::Command { env, cwd, .. } = &compiled.servers[0].source else { panic!("a command") };
        assert_eq!(cwd.as_deref(), Some(std::path::Path::new("/srv/app")));
        let env = env.iter().filter(|(name, _)| name != "HOME").map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>();
        (env.join(" "), compiled.servers[0].missing.clone().map(|missing| missing.message))
    };
    // One that is not there yet may come: it is looked after.
    let (left, missing) = env(&world);
    assert_eq!(left, "B=own");
    assert!(missing.is_some_and(|missing| missing.starts_with("cannot read `/srv/app/.env`")));
    let world = world.file("/srv/app/.env", "export A='1'\r\nB=theirs # note\r\n");
    assert_eq!(env(&world), ("A=1 B=own".to_owned(), None));
}

#[test]
fn a_wrong_line_of_a_file_of_variables_is_pointed_at_and_no_value_is_shown() {
    let wrong = "A=1\nB \"ghp_secret\"\n";
    let seen = |name: &str, text: &str| {
        let world = Fixed::new("/srv").with("HOME", "/home/me").file(name, text).file(".env", wrong);
        match compile(&[PathBuf::from(name)], &world) {
            Ok(compiled) => compiled.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(problems) => problems.iter().map(|problem| format!("error[{}]: {problem}", problem.code)).collect::<Vec<_>>().join("\n"),
        }
    };
    let shown = [
        seen("a.yaml", "servers:\n  a: { command: x, envFile: .env }\n"),
        seen(".vscode/mcp.json", WITH_FILE),
        seen("b.yaml", "servers:\n  a: { url: \"http://127.0.0.1/mcp\", envFile: .env }\n"),
    ];
    assert!(shown.iter().all(|shown| !shown.contains("ghp_secret")), "{shown:?}");
    insta::assert_snapshot!(shown.join("\n\n"));
}

#[test]
fn each_file_is_read_as_its_client_reads_it() {
    let args = |path: &str, text: &str| {
        let world = Fixed::new("/srv").with("HOME", "/home/me").with("T", "token").file(path, text);
        let compiled = compile(&[PathBuf::from(path)], &world).expect("it is fine");
        match &compiled.servers[0].source {
            crib_control::Source::Command { args, .. } => args.join(" "),
            crib_control::Source::Url { headers, .. } => headers.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>().join(" "),
            other @ (crib_control::Source::Builtin(_) | crib_control::Source::Package(_)) => format!("{other:?}"),
        }
    };
    let json = r#"{"mcpServers": {"a": {"command": "x", "args": ["${T}", "$T", "Bearer $T", "${workspaceFolder}"]}}}"#;
    assert_eq!(args("/home/me/.gemini/settings.json", json), "token token Bearer token /srv");
    assert_eq!(args("/home/me/.cursor/mcp.json", json), "token $T Bearer $T /srv");
    assert_eq!(args("/srv/app/.cursor/mcp.json", json), "token $T Bearer $T /srv/app");
    assert_eq!(args("/home/me/.config/Claude/claude_desktop_config.json", json), "${T} $T Bearer $T ${workspaceFolder}");
    assert_eq!(args("/tmp/mcp.json", json), "token token Bearer $T /srv");
    assert_eq!(args("/home/me/.codex/config.toml", "[mcp_servers.a]\ncommand = \"x\"\nargs = [\"${T}\", \"$T\"]\n"), "${T} $T");
    let continued =
        "mcpServers:\n  - name: a\n    url: https://x/mcp\n    requestOptions: { headers: { A: \"Bearer ${{ secrets.T }}\" } }\n";
    assert_eq!(args("/home/me/.continue/config.yaml", continued), "Bearer token");
}
