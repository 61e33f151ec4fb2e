//! The same program in 简体中文, by `TOOLCRIB_LANG` and by the locale.

use super::{DEMO, folder, toolcrib, with_file};

/// Runs a command line in Chinese and returns all that comes out of it.
fn in_chinese(test: &str, args: &[&str]) -> String {
    let mut command = toolcrib(test);
    let done = command.env("TOOLCRIB_LANG", "zh-CN").args(args).output().expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(env!("CARGO_PKG_VERSION"), "[VERSION]");
    let status = done.status.code().unwrap_or(-1);
    format!("exit {status}\n--- stdout\n{}\n--- stderr\n{}", text(&done.stdout).trim_end(), text(&done.stderr).trim_end())
}

#[test]
fn the_help_of_every_command() {
    let commands: &[&[&str]] = &[
        &[],
        &["run"],
        &["serve"],
        &["list"],
        &["show"],
        &["call"],
        &["logs"],
        &["stop"],
        &["rm"],
        &["pull"],
        &["connect"],
        &["new"],
        &["inspect"],
        &["doctor"],
        &["admin"],
        &["explain"],
        &["completion"],
        &["man"],
        &["approve"],
        &["secret"],
        &["secret", "set"],
        &["secret", "ls"],
        &["secret", "rm"],
        &["audit"],
        &["audit", "verify"],
    ];
    for words in commands {
        let name = if words.is_empty() { "toolcrib".to_owned() } else { words.join("-") };
        insta::assert_snapshot!(format!("help_{name}"), in_chinese("zh_help", &[*words, &["--help"]].concat()));
    }
}

#[test]
fn topics_of_help() {
    for topic in ["clients", "config", "environment", "errors", "exit-codes"] {
        let said = in_chinese("zh_topics", &["help", topic]);
        assert!(said.starts_with("exit 0") && said.contains(&format!("{}：", topic.to_uppercase().replace('-', " "))), "{said}");
    }
}

#[test]
fn tables_results_and_failures() {
    let cases: &[(&str, &[&str])] = &[
        ("codes", &["explain"]),
        ("check", &["serve", "-c", "a.yaml", "--check"]),
        ("list", &["list", "-c", "a.yaml"]),
        ("new", &["new", "天气", "--lang", "rust"]),
        ("slip", &["lsit"]),
        ("unknown_flag", &["serve", "--lisen", "1"]),
        ("missing_file", &["serve", "-c", "gone.yaml"]),
        ("wrong_arguments", &["call", "demo.add", "a=x", "-c", "a.yaml"]),
        ("gateway_gone", &["call", "demo.add", "--url", "http://127.0.0.1:1"]),
        ("bad_key", &["serve", "--listen", "0.0.0.0:0"]),
        ("stop", &["stop"]),
    ];
    for (name, words) in cases {
        with_file("zh_said", "a.yaml", DEMO);
        insta::assert_snapshot!(format!("said_{name}"), in_chinese("zh_said", words));
    }
}

#[test]
fn what_programs_read_stays_as_it_is() {
    with_file("zh_json", "a.yaml", DEMO);
    for words in [
        &["list", "-c", "a.yaml", "--json"][..],
        &["call", "demo.add", "a=x", "-c", "a.yaml", "--json"],
        &["explain", "TC0203", "--json"],
        &["call", "demo.echo", "message=nothing was changed", "-c", "a.yaml"],
        &["lsit", "--json"],
        &["completion", "bash"],
    ] {
        let english = toolcrib("zh_json").args(words).output().expect("it runs");
        let chinese = toolcrib("zh_json").args(words).env("LC_ALL", "zh_CN.UTF-8").output().expect("it runs");
        assert_eq!((english.status, english.stdout, english.stderr), (chinese.status, chinese.stdout, chinese.stderr), "{words:?}");
    }
}

#[test]
fn the_locale_is_asked_and_our_own_variable_before_it() {
    let help = |variables: &[(&str, &str)]| {
        let mut command = toolcrib("zh_locale");
        command.envs(variables.iter().copied()).arg("--help");
        String::from_utf8_lossy(&command.output().expect("it runs").stdout).contains("命令")
    };
    assert!(folder("zh_locale").is_dir());
    assert!(help(&[("LANG", "zh_CN.UTF-8")]));
    assert!(!help(&[("LANG", "zh_CN.UTF-8"), ("LC_ALL", "C.UTF-8")]));
    assert!(help(&[("LC_ALL", "en_US.UTF-8"), ("TOOLCRIB_LANG", "zh")]));
    assert!(!help(&[("LC_ALL", "zh_CN.UTF-8"), ("TOOLCRIB_LANG", "en")]));
}
