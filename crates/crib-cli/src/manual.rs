//! Man pages, made from the command line itself, and the topics of `toolcrib help`.

use std::path::Path;

use clap_mangen::Man;
use crib_words::Tongue;

use crate::args;
use crate::failure::Failure;
use crate::tongue::tongue;

/// What `toolcrib help` explains beside commands.
pub(crate) const TOPICS: &[&str] = &["clients", "config", "environment", "errors", "exit-codes"];

/// Returns the man page of a command, given by its words; of the program where there are none.
pub(crate) fn page(words: &[&str]) -> Result<Vec<u8>, Failure> {
    let mut root = args::command();
    root.build();
    let mut command = &root;
    for word in words {
        let Some(next) = command.find_subcommand(word) else {
            return Err(Failure::usage(format!("there is no man page of `{}`", words.join(" "))));
        };
        command = next;
    }
    render(command)
}

/// Writes the man pages of the program, of every command it shows, and of those whose short form people write; returns
/// their names.
pub(crate) fn write(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut root = args::command();
    root.build();
    std::fs::create_dir_all(folder)?;
    let mut pages = Vec::new();
    write_tree(&root, folder, &mut pages)?;
    Ok(pages)
}

fn write_tree(command: &clap::Command, folder: &Path, pages: &mut Vec<String>) -> Result<(), Failure> {
    let name = format!("{}.1", command.get_display_name().unwrap_or_else(|| command.get_name()));
    std::fs::write(folder.join(&name), render(command)?)?;
    pages.push(name);
    let admin = command.find_subcommand("admin");
    // `toolcrib secret` is `toolcrib admin secret`.
    let is_short = |name: &str| admin.is_some_and(|admin| admin.find_subcommand(name).is_some());
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set() || is_short(command.get_name()));
    shown.into_iter().try_for_each(|command| write_tree(command, folder, pages))
}

fn render(command: &clap::Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    // A date that is empty would be left out, and what follows be taken for it.
    let man = Man::new(command.clone()).date(" ").source(concat!("toolcrib ", env!("CARGO_PKG_VERSION"))).manual("Toolcrib");
    man.render(&mut page)?;
    Ok(page)
}

macro_rules! topic {
    ($tongue:expr, $name:literal) => {
        match $tongue {
            Tongue::English => include_str!(concat!("../topics/en/", $name, ".txt")),
            Tongue::Chinese => include_str!(concat!("../topics/zh-CN/", $name, ".txt")),
        }
    };
}

/// Returns what is to be said on a topic.
pub(crate) fn topic(name: &str) -> Option<String> {
    topic_in(tongue(), name)
}

fn topic_in(tongue: Tongue, name: &str) -> Option<String> {
    let text = match name {
        "clients" | "client" => topic!(tongue, "clients"),
        "config" | "configuration" => topic!(tongue, "config"),
        "environment" | "env" | "variables" => topic!(tongue, "environment"),
        "errors" | "error" | "codes" => topic!(tongue, "errors"),
        "exit-codes" | "exit" | "exit-code" | "status" => topic!(tongue, "exit-codes"),
        _ => return None,
    };
    let is_about_clients = matches!(name, "clients" | "client");
    let clients = crib_clients::clients().filter(|_| is_about_clients).map(|client| format!("  {:<20} {}\n", client.id, client.name));
    Some(clients.fold(text.to_owned(), |text, client| text + &client))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topic_has_a_text_that_fits_a_terminal() {
        for (name, tongue) in TOPICS.iter().flat_map(|name| [(name, Tongue::English), (name, Tongue::Chinese)]) {
            let text = topic_in(tongue, name).unwrap();
            assert!(text.starts_with(&name.to_uppercase().replace('-', " ")), "{name}");
            assert!(text.lines().all(|line| crib_words::width(line) <= 120), "{name}");
        }
    }

    #[test]
    fn a_man_page_has_every_argument_of_its_command() {
        let page = String::from_utf8(page(&["serve"]).unwrap()).unwrap();
        assert!(page.contains("toolcrib\\-serve") && page.contains("\\-\\-listen"), "{page}");
        let head = format!(".TH toolcrib-serve 1 \" \" \"toolcrib {}\" Toolcrib", env!("CARGO_PKG_VERSION"));
        assert!(page.lines().any(|line| line.trim_end() == head), "{page}");
        assert!(super::page(&["nothing"]).is_err());
    }
}
