//! What goes wrong at first: it is said, and nothing is lost or left behind.

use std::fs;
use std::process::Stdio;

use serde_json::Value;

use super::gateway::Gateway;
use super::run::{Home, NOWHERE, SERVER, lacks, of_registry, publish, publish_server, registry, said};

/// An address that nobody listens on.
fn nowhere() -> String {
    format!("{NOWHERE}/mcp")
}

#[test]
fn a_call_that_runs_out_of_time_does_not_say_that_the_gateway_is_gone() {
    let home = Home::new("late");
    home.good(&["run", "demo"]);
    let late = home.run(&["call", "demo.count", "delayMs=9000", "steps=10", "--timeout", "1s"]);
    assert!(late.status == 4 && late.stderr.starts_with("error[TC0205]: no answer in time"), "{}", late.stderr);
    assert!(late.stderr.contains("--timeout 5m"), "{}", late.stderr);
}

#[test]
fn what_does_not_exist_comes_with_a_way_to_what_does() {
    let home = Home::new("ways");
    home.good(&["run", "demo"]);
    for (args, hint) in [
        (&["call", "demo"][..], "hint: `demo` is a server; its tools: toolcrib show demo"),
        (&["call", "demo.zzzzzzzz"], "hint: its tools: toolcrib show demo"),
        (&["call", "zzzzzzzz.x"], "hint: servers: toolcrib list"),
        (&["show", "zzzzzzzz"], "hint: servers: demo"),
        (&["logs", "zzzzzzzz"], "hint: servers: demo"),
        (&["logs", "demp"], "hint: did you mean `demo`?"),
    ] {
        let failed = home.run(args);
        assert!(failed.status == 5 && failed.stderr.contains("error[TC0310]"), "{args:?} {}", failed.stderr);
        assert!(failed.stderr.contains(hint), "{args:?} {}", failed.stderr);
    }
    assert!(home.run(&["call", ""]).stderr.contains("no tool is named"));
}

#[test]
fn a_command_never_takes_the_place_of_another_one() {
    let home = Home::new("places");
    let own = "version: 1\nservers:\n  mine: { command: sh, args: [-c, exit 1], env: { KEEP: me } }\n";
    home.write(".config/toolcrib/config.yaml", own);
    let refused = home.run(&["run", "--name", "mine", "--", "sh", "-c", "exit 2"]);
    assert!(refused.status == 2 && refused.stderr.contains("there is another server called `mine`: sh -c exit 1"), "{}", refused.stderr);
    assert_eq!(home.config(), own);
    // The same one again keeps what it had.
    home.run(&["run", "--name", "mine", "-e", "MORE=1", "--", "sh", "-c", "exit 1"]);
    let config = home.config();
    assert!(config.contains("KEEP") && config.contains("MORE"), "{config}");
}

#[test]
fn a_command_is_called_after_what_its_runner_starts() {
    let home = Home::new("runners");
    for (command, name) in [
        (&["npx", "-y", "@modelcontextprotocol/server-nothing@1.2"][..], "nothing"),
        (&["uvx", "--from", "x", "mcp-server-none"], "none"),
        (&["python3", "-m", "mcp_server_never"], "mcp_server_never"),
    ] {
        let shown = home.run(&[&["serve", "--check", "--json", "--"], command].concat());
        let shown: Value = serde_json::from_str(&shown.stdout).expect("one document");
        assert_eq!(shown["servers"][0], name, "{command:?}");
    }
}

#[test]
fn a_first_start_that_fails_leaves_nothing_behind() {
    let home = Home::new("first_failure");
    home.good(&["run", "demo"]);
    let before = home.config();
    for args in [&["run", "--", "false"][..], &["run", &nowhere()], &["run", "--", "no-such-command-anywhere"]] {
        let failed = home.run(args);
        assert!(failed.status == 4 && failed.stderr.contains("taken back  ~/.config/toolcrib/config.yaml"), "{args:?} {}", failed.stderr);
        assert_eq!(home.config(), before, "{args:?}");
    }
    let listed = home.good(&["list", "--json"]).stdout;
    assert!(!listed.contains("\"false\""), "{listed}");
}

#[cfg(unix)]
#[test]
fn who_interrupts_a_first_start_leaves_nothing_behind() {
    let home = Home::new("first_interrupted");
    home.good(&["run", "demo"]);
    let before = home.config();
    for (signal, language, words) in [("-INT", "en", "taken back  ~/.config/toolcrib/config.yaml"), ("-TERM", "zh-CN", "已撤回")] {
        let mut command = home.command(&["run", "--", "sleep", "1000"]);
        let mut child = command.env("TOOLCRIB_LANG", language).stderr(Stdio::piped()).spawn().expect("it starts");
        // What is written is taken back from then on.
        while home.config() == before {
            assert!(child.try_wait().expect("ours").is_none(), "it writes first");
            std::thread::yield_now();
        }
        assert!(std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().expect("there is kill").success());
        let done = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.code() == Some(130) && said.contains(words), "{:?} {said}", done.status);
        assert_eq!(home.config(), before);
    }
}

#[test]
fn an_address_of_digits_has_one_name_that_every_command_knows() {
    let home = Home::new("digits");
    home.write(".config/toolcrib/config.yaml", &format!("version: 1\nservers:\n  127_0_0_1: {{ url: {} }}\n", nowhere()));
    let removed = home.good(&["rm", "s127_0_0_1"]);
    assert!(removed.stderr.contains("removed  127_0_0_1") && !home.config().contains("127_0_0_1"), "{}", removed.stderr);
    let checked = home.good(&["serve", "--check", &nowhere()]);
    assert!(!checked.stderr.contains("served as"), "{}", checked.stderr);
}

#[test]
fn a_server_that_misses_a_variable_stops_no_other() {
    let home = Home::new("unset");
    let servers = "{\"servers\": {\
        \"asks\": { \"command\": \"sh\", \"env\": { \"K\": \"${input:k}\" } },\
        \"reads\": { \"command\": \"sh\", \"env\": { \"K\": \"${env:NO_SUCH_VARIABLE}\" } },\
        \"goes\": { \"url\": \"${env:NO_SUCH_VARIABLE}\" }}}";
    home.write("work/mcp.json", servers);
    home.write("work/own.yaml", "servers:\n  demo: { builtin: demo }\n  own: { command: sh, env: { K: \"${NO_SUCH_VARIABLE}\" } }\n");
    let files = ["-c", "mcp.json", "-c", "own.yaml"];
    let listed = home.good(&[&["list"][..], &files].concat());
    for name in ["asks", "reads", "own"] {
        let row = listed.stdout.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        assert!(row.contains("needs key") && row.contains("TC0302"), "{}", listed.stdout);
    }
    assert!(listed.stderr.contains("`goes` is left out: the environment variable `NO_SUCH_VARIABLE` is not set"), "{}", listed.stderr);
    assert!(listed.stderr.contains("the input `k` has no value"), "{}", listed.stderr);
    assert_eq!(home.good(&[&["call", "demo.add", "a=1", "b=2"][..], &files].concat()).stdout, "3\n");
    let refused = home.run(&[&["call", "own.x"][..], &files].concat());
    assert!(refused.status == 3 && refused.stderr.contains("the environment variable `NO_SUCH_VARIABLE` is not set"), "{}", refused.stderr);
    let set = said(home.command(&[&["list"][..], &files].concat()).env("NO_SUCH_VARIABLE", nowhere()));
    assert!(!set.stderr.contains("NO_SUCH_VARIABLE") && set.stdout.contains("goes"), "{}{}", set.stdout, set.stderr);
}

#[test]
fn secrets_are_told_with_whoever_uses_them_in_ones_own_configuration() {
    let home = Home::new("users_of_secrets");
    home.write(".config/toolcrib/config.yaml", "version: 1\nservers:\n  gh: { command: sh, env: { T: \"${secret:GH}\" } }\n");
    home.good(&["registry", "add", "corp", "https://registry.corp.example", "--header", "Authorization: Bearer ${secret:CORP}"]);
    let listed = home.good(&["secret", "ls"]).stdout;
    let row = |name: &str| listed.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("GH").contains("missing") && row("GH").ends_with("gh.T"), "{listed}");
    assert!(row("CORP").ends_with("registry corp"), "{listed}");
    let mut command = home.command(&["secret", "set", "GH", "--store", "file"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it starts");
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), b"value").expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let removed = home.good(&["secret", "rm", "GH"]);
    assert!(removed.stderr.contains("GH is missing now for gh.T"), "{}", removed.stderr);
    let again = home.run(&["secret", "rm", "GH", "--json"]);
    assert!(again.status == 3 && again.stdout.is_empty(), "{}{}", again.stdout, again.stderr);
}

#[test]
fn a_file_that_was_made_for_our_entry_goes_with_it() {
    let home = Home::new("made_for_us");
    fs::create_dir_all(home.0.join(".cursor")).expect("a folder");
    fs::create_dir_all(home.0.join(".gemini")).expect("a folder");
    let theirs = home.write(".gemini/settings.json", "{}\n");
    home.good(&["connect", "cursor", "gemini-cli", "-y", "--no-check"]);
    home.good(&["connect", "cursor", "gemini-cli", "--remove", "-y"]);
    assert!(!home.0.join(".cursor/mcp.json").exists() && home.0.join(".cursor").exists());
    assert_eq!(fs::read_to_string(theirs).expect("it is there"), "{}\n");
    home.good(&["connect", "cursor", "--restore", "-y"]);
    let back = fs::read_to_string(home.0.join(".cursor/mcp.json")).expect("it is back");
    assert!(back.contains("\"toolcrib\""), "{back}");
}

#[test]
fn a_gateway_of_other_files_is_named_before_anything_is_written() {
    if lacks("node") {
        return;
    }
    let home = Home::new("other_files");
    let script = home.write("work/reader.js", SERVER);
    home.write("work/a.yaml", &format!("servers:\n  reader: {{ command: node, args: [{}] }}\n", script.display()));
    let mut serving = home.command(&["serve", "--json", "-c", "a.yaml"]);
    let mut child = serving.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut line = String::new();
    let mut announced = std::io::BufReader::new(child.stdout.take().expect("piped"));
    std::io::BufRead::read_line(&mut announced, &mut line).expect("an announcement");
    let announced: Value = serde_json::from_str(&line).expect("JSON");
    let url = announced["endpoints"][0].as_str().expect("an endpoint").trim_end_matches("/mcp").to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let run = |args: &[&str]| said(home.command(args).env("TOOLCRIB_LISTEN", &address));
    let refused = run(&["run", "demo"]);
    let started = home.run(&["stop", "reader", "--url", &url]).status == 0;
    let again = run(&["run", "reader"]);
    drop(child.kill());
    drop(child.wait());
    assert!(refused.status == 4 && refused.stderr.contains("does not read ~/.config/toolcrib/config.yaml"), "{}", refused.stderr);
    assert!(started && again.stdout.starts_with("started  reader · 1 tool"), "{}{}", again.stdout, again.stderr);
    assert_eq!(home.config(), "", "nothing is written");
}

#[test]
fn a_port_that_our_own_gateway_has_is_known_to_be_ours() {
    let home = Home::new("own_port");
    home.good(&["run", "demo"]);
    let status: Value = serde_json::from_str(&home.good(&["--json"]).stdout).expect("one document");
    let url = status["gateway"]["url"].as_str().expect("an address").to_owned();
    let taken = home.run(&["serve", "--listen", url.trim_start_matches("http://")]);
    assert!(taken.status == 2 && taken.stderr.contains("your gateway in the background listens there (process "), "{}", taken.stderr);
    assert!(taken.stderr.contains("end it: toolcrib stop "), "{}", taken.stderr);
}

#[test]
fn servers_that_are_run_at_the_same_time_are_all_kept() {
    if lacks("node") {
        return;
    }
    let home = Home::new("at_once");
    home.good(&["run", "demo"]);
    let script = home.write("work/reader.js", SERVER).display().to_string();
    let names = ["one", "two", "three", "four"];
    let start =
        |name: &&str| home.command(&["run", "--name", name, "--", "node", &script]).stdout(Stdio::null()).spawn().expect("it starts");
    for mut child in names.iter().map(start).collect::<Vec<_>>() {
        assert!(child.wait().expect("it ends").success());
    }
    let config = home.config();
    assert!(names.iter().all(|name| config.contains(name)), "{config}");
}

#[test]
fn everything_but_results_stays_away_from_standard_output() {
    let home = Home::new("results_only");
    let run = home.good(&["run", "demo"]);
    assert!(!run.stdout.contains("connect  ") && run.stderr.contains("try      toolcrib call demo.add"), "{}{}", run.stdout, run.stderr);
    assert_eq!(home.good(&["run", "demo", "-q"]).stderr, "");
}

#[test]
fn a_remote_server_gets_its_headers_and_only_the_tools_that_are_wanted() {
    let home = Home::new("run_flags");
    home.good(&["run", "demo"]);
    let refused = home.run(&["run", &nowhere(), "-H", "Authorization: Bearer sk-123456"]);
    assert!(refused.status == 2 && refused.stderr.contains("is a secret") && !refused.stderr.contains("sk-123456"), "{}", refused.stderr);
    home.write("work/variables", "# mine\nexport ONE='a b'\nTWO=2\n");
    let args = ["run", "--as", "other", "--tools", "add,echo*", "--exclude-tools", "subtract", "--env-file", "variables"];
    let checked = home.run(&[&args[..], &["--", "no-such-command-anywhere"]].concat());
    assert_eq!(checked.status, 4, "{}", checked.stderr);
    let far = Gateway::start("run_flags_far", "servers:\n  demo: { builtin: demo }\n");
    let url = format!("http://{}/mcp", far.address());
    let run = home.good(&["run", &url, "--name", "again", "-H", "X-Tenant: ${env:HOME}", "-t", "http", "--tools", "demo__add"]);
    let config = home.config();
    assert!(config.contains("x-tenant: \"${env:HOME}\"") && config.contains("transport: http"), "{config}");
    assert!(run.stdout.contains("1 tool") && run.stdout.contains("demo__add"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_is_refused_before_anything_is_written() {
    let home = Home::new("refused_early");
    home.good(&["run", "demo"]);
    let status: Value = serde_json::from_str(&home.good(&["--json"]).stdout).expect("one document");
    let own = format!("{}/mcp", status["gateway"]["url"].as_str().expect("an address"));
    let before = home.config();
    for (args, why) in [
        (&["run", &own, "--name", "self"][..], "this is the gateway itself"),
        (&["run", &own.replace("127.0.0.1", "localhost"), "--name", "self"], "this is the gateway itself"),
        (&["run", "http://169.254.169.254/x"], "`169.254.169.254` is "),
        (&["run", "https://"], "error[TC0502]: `https://` is not an http:// or https:// address"),
        (&["run", "http://localhost:99999/mcp"], "`99999` is not a port"),
        (&["run", "./server", "--name", "other", "-v", "/tmp/folder:/data"], "hint: grant a folder: --allow-read DIR"),
        (&["run", "demo", "/a/b"], "`/a/b` is not the name of a tool"),
        (&["run", "-e", "=x", "--", "true"], "is not the name of a variable"),
        (&["serve", "-e", "A=b"], "--env goes with a URL or a command"),
        (&["serve", "-H", "A: b"], "--header goes with a URL or a command"),
    ] {
        let refused = home.run(args);
        assert!(
            refused.status == 2 && refused.stderr.contains(why) && !refused.stderr.contains("config.yaml"),
            "{args:?} {}",
            refused.stderr
        );
    }
    assert_eq!(home.config(), before);
}

#[test]
fn a_prompt_names_its_commands_as_they_are_typed() {
    let home = Home::new("slashes");
    let mut command = home.command(&["run", "-i", "demo"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let input = b"/help\n/nosuch\n/read\nad a=1 b=2\n/bye\n";
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), input).expect("it reads");
    let done = child.wait_with_output().expect("it ends");
    let (stdout, stderr) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(stdout.contains("\n/resources, /templates, /prompts  list them\n") && !stdout.contains("/quit"), "{stdout}");
    assert!(stdout.contains("\n/read URI                         read a resource\n"), "{stdout}");
    assert!(stdout.contains("did you mean `add`?"), "{stdout}");
    assert!(stderr.contains("hint: commands: /help") && stderr.contains("hint: /read URI"), "{stderr}");
}

#[test]
fn what_is_ours_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new("private");
    fs::create_dir_all(home.0.join(".cursor")).expect("a folder");
    home.good(&["connect", "cursor", "-y", "--no-check"]);
    let mode = fs::metadata(home.0.join(".local/share/toolcrib")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn completions_offer_no_inner_command() {
    let home = Home::new("inner");
    assert!(!home.good(&["completion", "bash"]).stdout.contains("warden"));
    assert!(home.run(&["demo"]).stderr.contains("did you mean `toolcrib run demo`?"));
}

#[test]
fn a_server_that_remembers_has_a_folder_of_its_own() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("remembers");
    let (base, pages) = registry();
    publish(&pages, "@modelcontextprotocol/server-memory", "1.0.0");
    let ran = of_registry(&home, &base, &["run", "memory"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let kept = home.0.join(".local/share/toolcrib/servers/memory");
    let config = home.config();
    assert!(config.contains(&format!("MEMORY_FILE_PATH: {}/memory.jsonl", kept.display())), "{config}");
    fs::write(kept.join("memory.jsonl"), "remembered").expect("its folder is there");
    let read = home.good(&["call", "memory.read", &format!("path={}", kept.join("memory.jsonl").display())]);
    assert_eq!(read.stdout.trim(), "remembered");
    // What else is ours stays out of its sight.
    let ours = home.0.join(".local/share/toolcrib/toolcrib.lock");
    assert!(home.good(&["call", "memory.read", &format!("path={}", ours.display())]).stdout.contains("refused"));
}

#[test]
fn a_folder_that_the_sandbox_hides_is_named_when_its_server_ends_over_it() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("hidden");
    let (base, pages) = registry();
    let picky = "#!/usr/bin/env node\nconst place = process.argv[2];\nif (!require('fs').existsSync(place)) { console.error(place + ' does not exist'); process.exit(1); }\n";
    publish_server(&pages, ("picky-server", "1.0.0"), &[picky, SERVER.split_once('\n').map_or("", |(_, rest)| rest)].concat());
    let place = home.write("elsewhere/a.txt", "x").parent().expect("a folder").to_owned();
    let shown = place.display().to_string();
    let failed = of_registry(&home, &base, &["run", "npm:picky-server", "--no-input", "--", &shown]);
    assert!(failed.status == 4 && failed.stderr.contains(&format!("toolcrib run picky --allow-read {shown}")), "{}", failed.stderr);
    let started = of_registry(&home, &base, &["run", "picky", "--allow-read", &shown]);
    assert_eq!(started.status, 0, "{}", started.stderr);
    // The gateway has it already.
    let pulled = of_registry(&home, &base, &["pull", "picky"]);
    assert!(pulled.status == 0 && !pulled.stderr.contains("start    toolcrib run"), "{}", pulled.stderr);
}

#[test]
fn a_stranger_on_the_port_is_called_one() {
    let home = Home::new("stranger");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let place = listener.local_addr().expect("an address").to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a client");
            let mut asked = [0; 4096];
            drop(std::io::Read::read(&mut stream, &mut asked));
            let page = "<!DOCTYPE HTML><p>File not found</p>";
            let answer = format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len());
            drop(std::io::Write::write_all(&mut stream, answer.as_bytes()));
        }
    });
    for asked in [&["list"][..], &["call", "demo.add", "a=1", "b=2"]] {
        let refused = said(home.command(asked).env("TOOLCRIB_LISTEN", &place));
        assert_eq!(refused.status, 4, "{}", refused.stderr);
        assert!(refused.stderr.contains("is no Toolcrib gateway") && refused.stderr.contains("ss -ltnp"), "{}", refused.stderr);
        assert!(!refused.stderr.contains("DOCTYPE"), "{}", refused.stderr);
    }
}

#[test]
fn a_configuration_whose_last_server_went_stays_one_for_people() {
    let home = Home::new("last_went");
    let path = home.write(".config/toolcrib/config.yaml", "# mine\nservers:\n  demo: { builtin: demo }\n");
    home.good(&["rm", "demo"]);
    home.good(&["run", "demo"]);
    assert_eq!(fs::read_to_string(&path).expect("a file"), "# mine\nservers:\n  demo:\n    builtin: demo\n");
}

#[test]
fn a_tool_that_lacks_a_grant_is_told_how_to_get_it() {
    if lacks("npm") || lacks("node") {
        return;
    }
    let home = Home::new("lacks_grant");
    let (base, pages) = registry();
    let fails = SERVER.replace(
        "return { content: [{ type: 'text', text: read(params.arguments.path) }] };",
        "return { isError: true, content: [{ type: 'text', text: params.arguments.path }] };",
    );
    assert_ne!(fails, SERVER);
    publish_server(&pages, ("lacking", "1.0.0"), &fails);
    let ran = of_registry(&home, &base, &["run", "npm:lacking", "--name", "lacking", "--no-input"]);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for (says, hint) in [
        (
            "path=TypeError: fetch failed",
            "hint: `lacking` has no network in its sandbox; if it needs one: toolcrib run lacking --allow-net HOST",
        ),
        ("path=EROFS: read-only file system", "if it shall: toolcrib run lacking --allow-write DIR"),
        ("path=EACCES", "toolcrib run lacking --allow-read DIR"),
    ] {
        let failed = of_registry(&home, &base, &["call", "lacking.read", says]);
        assert!(failed.status == 5 && failed.stderr.contains(hint), "{}", failed.stderr);
    }
    let failed = of_registry(&home, &base, &["call", "lacking.read", "path=no such row"]);
    assert!(failed.status == 5 && !failed.stderr.contains("hint"), "{}", failed.stderr);
}
