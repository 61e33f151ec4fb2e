//! The language of this process's user, and the command line in it.

#[cfg(test)]
mod said;

use std::borrow::Cow;
use std::sync::LazyLock;

use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};
use crib_words::Tongue;

use crate::world;

static TONGUE: LazyLock<Tongue> = LazyLock::new(|| Tongue::of(world::variable));

/// As the English one, but for what clap would write itself.
const TEMPLATE: &str = "{about}\n\n{before-help}用法：{usage}\n\n{all-args}{after-help}";

/// What clap writes itself, around values and above lists.
const BRACKETS: &[(&str, &str)] = &[
    ("[default: ", "[默认："),
    ("[possible values: ", "[可选值："),
    ("[aliases: ", "[别名："),
    ("[alias: ", "[别名："),
    ("[env: ", "[环境变量："),
    ("Possible values:", "可选值："),
    ("Arguments:", "参数："),
    ("Options:", "选项："),
];

/// Returns the language of messages: `TOOLCRIB_LANG`, or what the locale says.
pub(crate) fn tongue() -> Tongue {
    *TONGUE
}

/// Says it in the user's language.
pub(crate) fn said(text: &str) -> Cow<'_, str> {
    crib_words::translate(tongue(), text)
}

/// Says a word of a table: the `state` that is `running`.
pub(crate) fn word<'a>(kind: &str, word: &'a str) -> &'a str {
    match tongue() {
        Tongue::English => word,
        Tongue::Chinese => crib_words::chinese_word(kind, word).unwrap_or(word),
    }
}

/// Puts the command line into the user's language.
pub(crate) fn command(root: Command) -> Command {
    match tongue() {
        Tongue::English => root,
        Tongue::Chinese => localize(root.version(env!("CARGO_PKG_VERSION")), true),
    }
}

/// Puts what clap has rendered into the user's language.
pub(crate) fn rendered(text: String) -> String {
    match tongue() {
        Tongue::English => text,
        Tongue::Chinese => {
            let text = BRACKETS.iter().fold(unbroken(&text), |text, (english, chinese)| text.replace(english, chinese));
            text.split_inclusive('\n').map(headed).collect()
        }
    }
}

/// Ends a heading as the language does: clap sets a colon of its own behind it.
fn headed(line: &str) -> Cow<'_, str> {
    let is_heading = !line.starts_with(' ') && line.contains(|c: char| !c.is_ascii());
    // Behind the colon there may be the end of a style.
    match line.rsplit_once(':') {
        Some((head, rest)) if is_heading && !rest.contains(|c: char| !c.is_control() && !"[0m".contains(c)) => {
            Cow::Owned([head, "：", rest].concat())
        }
        _ => Cow::Borrowed(line),
    }
}

/// Joins the bracket whose words clap has put on two lines.
fn unbroken(text: &str) -> String {
    let mut parts = text.split("[possible");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |told, part| match part.trim_start().strip_prefix("values:") {
        Some(rest) => [&told, "[possible values:", rest].concat(),
        None => [&told, "[possible", part].concat(),
    })
}

fn localize(command: Command, is_root: bool) -> Command {
    let (about, before) = (command.get_about().map(words), command.get_before_help().map(words));
    let after = command.get_after_help().map(words);
    let names: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let mut command = command.help_template(TEMPLATE).subcommand_help_heading(heading("Commands")).disable_help_flag(true);
    // What is added here belongs to no group of the command's own.
    command = command.next_help_heading(None);
    if let Some(text) = about {
        command = command.about(text);
    }
    if let Some(text) = before {
        command = command.before_help(text);
    }
    if let Some(text) = after {
        command = command.after_help(text);
    }
    for name in names {
        command = command.mut_arg(name, argument);
    }
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help).help("Print help");
    command = command.arg(argument(help));
    if is_root {
        let version = Arg::new("version").short('V').long("version").action(ArgAction::Version).help("Print version");
        command = command.disable_version_flag(true).arg(argument(version));
    }
    command.mut_subcommands(|command| localize(command, false))
}

fn argument(arg: Arg) -> Arg {
    let help = arg.get_help().map(words);
    let under = arg.get_help_heading().and_then(heading);
    let arg = if under.is_some() { arg.help_heading(under) } else { arg };
    match help {
        Some(help) => arg.help(help),
        None => arg,
    }
}

fn heading(english: &str) -> Option<&'static str> {
    crib_words::chinese(english)
}

fn words(text: &StyledStr) -> StyledStr {
    crib_words::translate(Tongue::Chinese, &text.to_string()).into_owned().into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Cli;

    /// Adds every text of a command that has no translation.
    fn missing(command: &Command, found: &mut Vec<String>) {
        let path = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut look = |what: &str, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty() && crib_words::chinese(text).is_none());
            found.extend(text.map(|text| format!("{path} {what}: {text}")));
        };
        look("about", command.get_about().map(ToString::to_string));
        look("after", command.get_after_help().map(ToString::to_string));
        for line in command.get_before_help().map(ToString::to_string).unwrap_or_default().lines() {
            let comment = line.trim_start().split_once("  ").map(|(_, comment)| comment.trim().to_owned());
            look("example", comment.filter(|_| line.starts_with("  ")));
        }
        for arg in command.get_arguments() {
            look(arg.get_id().as_str(), arg.get_help().map(ToString::to_string));
            look("heading", arg.get_help_heading().map(str::to_owned));
        }
        command.get_subcommands().for_each(|command| missing(command, found));
    }

    #[test]
    fn every_text_of_help_has_a_translation() {
        let mut root = Cli::command();
        root.build();
        let mut found = Vec::new();
        missing(&root, &mut found);
        assert!(found.is_empty(), "add to crib-words/src/chinese/help.rs:\n{}", found.join("\n"));
    }

    /// Adds every line of examples that is too wide.
    fn too_wide(command: &Command, found: &mut Vec<String>) {
        let text = command.get_before_help().map(ToString::to_string).unwrap_or_default();
        found.extend(text.lines().filter(|line| crib_words::width(line) > 80).map(str::to_owned));
        command.get_subcommands().for_each(|command| too_wide(command, found));
    }

    #[test]
    fn examples_are_no_wider_than_80_columns() {
        for root in [Cli::command(), localize(Cli::command().version("1"), true)] {
            let mut found = Vec::new();
            too_wide(&crate::args::with_examples(root), &mut found);
            assert!(found.is_empty(), "{found:#?}");
        }
    }

    #[test]
    fn every_code_has_a_translation() {
        let missing: Vec<&str> =
            crib_model::Code::ALL.iter().map(|code| code.short()).filter(|short| crib_words::chinese(short).is_none()).collect();
        assert!(missing.is_empty(), "add to crib-words/src/chinese/codes.rs: {missing:#?}");
    }

    #[test]
    fn every_word_of_a_table_has_a_translation() {
        let codes = crib_model::Code::ALL;
        let mut words: Vec<(&str, &str)> =
            codes.iter().flat_map(|code| [("side", code.side().as_str()), ("retry", code.retry().as_str())]).collect();
        words.extend(["running", "idle", "sleeping", "stopped", "failed", "needs key"].map(|state| ("state", state)));
        words.extend(["held", "dropped", "warned", "odd", "lookalike"].map(|state| ("left out", state)));
        words.extend(["missing", "file", "keyring"].map(|store| ("store", store)));
        words.extend(["deprecated", "deleted"].map(|status| ("status", status)));
        words.extend(["imported", "renamed", "same", "skipped"].map(|fate| ("import", fate)));
        let endings = ["ok", "tool error", "input required", "task", "abandoned", "upstream error", "failed"];
        words.extend(endings.map(|outcome| ("outcome", outcome)));
        words.retain(|(kind, word)| crib_words::chinese_word(kind, word).is_none());
        assert!(words.is_empty(), "add to crib-words/src/chinese/shown.rs: {words:?}");
    }

    #[test]
    fn the_command_line_in_chinese_is_the_same_command_line() {
        let root = localize(Cli::command().version("1"), true);
        root.clone().debug_assert();
        let matches = root.try_get_matches_from(["toolcrib", "serve", "--listen", "127.0.0.1:1", "--json"]).unwrap();
        assert_eq!(matches.subcommand_name(), Some("serve"));
    }
}
