//! The examples in help, laid out so that no line is wider than a terminal of old.

use crib_words::width;

/// What every terminal has.
const COLUMNS: usize = 80;
/// Between a command and what is said about it.
const GAP: usize = 3;
/// Before a command, and before what stands under it.
const MARGIN: &str = "  ";
const UNDER: &str = "      ";

/// Lays out the lines of a text: what is said about a command stands behind it, all in one column, or under it where
/// there is no room.
pub(super) fn laid_out(text: &str) -> String {
    let lines: Vec<(&str, Option<&str>)> = text.split('\n').map(parts).collect();
    let fits = |column: usize, command: &str, note: &str| width(command) <= column && width(MARGIN) + column + GAP + width(note) <= COLUMNS;
    let noted: Vec<(&str, &str)> = lines.iter().filter_map(|(command, note)| Some((*command, (*note)?))).collect();
    let under = |column: usize| noted.iter().filter(|(command, note)| !fits(column, command, note)).count();
    let column = noted.iter().map(|(command, _)| width(command)).min_by_key(|column| (under(*column), *column)).unwrap_or(0);
    let line = |(command, note): &(&str, Option<&str>)| match note {
        None => (*command).to_owned(),
        Some(note) if fits(column, command, note) => {
            let pad = " ".repeat(column - width(command) + GAP);
            [MARGIN, command, &pad, note].concat()
        }
        Some(note) => [MARGIN, command, "\n", UNDER, note].concat(),
    };
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Takes an example apart; any other line is whole.
fn parts(line: &str) -> (&str, Option<&str>) {
    let inner = line.strip_prefix(MARGIN).filter(|inner| !inner.starts_with(' '));
    match inner.and_then(|inner| inner.split_once("  ")) {
        Some((command, note)) => (command, Some(note.trim_start())),
        None => (line, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_stand_in_a_column_or_under_their_command() {
        let text = "Examples:\n  toolcrib list        what there is\n  toolcrib registry add corp https://mcp.corp.example  asked before those there are already\n  toolcrib a  加\n  echo x | y\n";
        insta::assert_snapshot!(laid_out(text), @r"
        Examples:
          toolcrib list   what there is
          toolcrib registry add corp https://mcp.corp.example
              asked before those there are already
          toolcrib a      加
          echo x | y
        ");
    }
}
