//! Names that look like other names: letters borrowed from another script, and tools of two servers that people and
//! models cannot tell apart. By the confusables of Unicode Technical Standard #39.

use std::collections::HashMap;
use std::sync::Arc;

use unicode_security::confusable_detection::skeleton;
use unicode_security::mixed_script::AugmentedScriptSet;

use crate::entry::Listed;
use crate::names;
use crate::report::{Lookalike, What};

/// Most pairs that are reported of one list: a server that lists thousands has made its point.
const REPORTS_MAX: usize = 64;

/// Returns the first letter that is drawn like a Latin one but is of another script, in a name that has Latin letters:
/// the `а` of Cyrillic in `reаd`.
///
/// Whole words of another script are fine, and so is Latin beside Chinese, Japanese or Korean.
pub(crate) fn borrowed_letter(name: &str) -> Option<char> {
    if name.is_ascii() || !name.bytes().any(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    name.chars().find(|c| !c.is_ascii() && is_foreign(*c) && is_drawn_as_ascii(*c))
}

fn is_foreign(c: char) -> bool {
    let script = AugmentedScriptSet::for_char(c);
    if script.base.is_common() {
        // Letters of mathematics and the like belong to no script.
        return c.is_alphanumeric();
    }
    let mut shared = AugmentedScriptSet::for_char('a');
    shared.intersect_with(script);
    let is_east_asian = script.hanb || script.jpan || script.kore;
    shared.is_empty() && !is_east_asian
}

fn is_drawn_as_ascii(c: char) -> bool {
    let mut buffer = [0; 4];
    let mut drawn = skeleton(c.encode_utf8(&mut buffer)).peekable();
    drawn.peek().is_some() && drawn.all(|c| c.is_ascii_alphanumeric())
}

/// Finds entries of different servers whose names look alike and are not the same: the exposed or the own ones.
pub(crate) fn pairs<E: Listed>(what: What, entries: &[E]) -> Vec<Lookalike> {
    let mut found = Vec::new();
    let names: [fn(&E) -> &Arc<str>; 2] = [E::exposed, E::own];
    for name in names {
        // Many servers may have one name; the first that has it stands for all.
        let mut drawn: HashMap<String, &E> = HashMap::with_capacity(entries.len());
        for entry in entries {
            let first = *drawn.entry(drawing(name(entry))).or_insert(entry);
            if name(first) == name(entry) || first.slug() == entry.slug() || found.len() >= REPORTS_MAX {
                continue;
            }
            let identity = |entry: &E| (entry.slug().clone(), Arc::clone(entry.own()));
            let pair = Lookalike { what, first: identity(first), second: identity(entry) };
            if !found.contains(&pair) {
                found.push(pair);
            }
        }
    }
    found
}

/// Returns what a name looks like: names that look alike have the same.
fn drawing(name: &str) -> String {
    if !name.chars().all(names::is_plain) {
        return skeleton(name).collect();
    }
    // The same in a fraction of the time, for nearly every name there is.
    let mut out = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        match c {
            '0' => out.push('O'),
            '1' | 'I' => out.push('l'),
            'm' => out.push_str("rn"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_borrowed_from_another_script_are_found() {
        for (name, borrowed) in [
            ("re\u{430}d_file", '\u{430}'),
            ("\u{440}aypal", '\u{440}'),
            ("d\u{435}lete", '\u{435}'),
            ("g\u{3bf}", '\u{3bf}'),
            ("\u{1d42b}ead", '\u{1d42b}'),
        ] {
            assert_eq!(borrowed_letter(name), Some(borrowed), "{name}");
        }
    }

    #[test]
    fn honest_names_of_every_script_pass() {
        for name in [
            "read_file",
            "\u{447}\u{438}\u{442}\u{430}\u{442}\u{44c}_\u{444}\u{430}\u{439}\u{43b}",
            "\u{8bfb}\u{53d6}file",
            "\u{4e00}\u{952e}deploy",
            "\u{30d5}\u{30a1}\u{30a4}\u{30eb}\u{30fc}read",
            "\u{d30c}\u{c77c}_read",
            "caf\u{e9}_men\u{fa}",
            "stra\u{df}e",
            "\u{394}t_seconds",
            "delay_\u{b5}s",
            "emoji_\u{1f600}",
            "\u{3b1}\u{3b2}\u{3b3}",
            "100\u{20ac}",
        ] {
            assert_eq!(borrowed_letter(name), None, "{name}");
        }
    }

    #[test]
    fn the_short_cut_draws_what_the_standard_draws() {
        for c in (' '..='~').filter(|c| names::is_plain(*c)) {
            let text = c.to_string();
            assert_eq!(drawing(&text), skeleton(&text).collect::<String>(), "{text}");
        }
        assert_eq!(drawing("rnodel_1O"), drawing("model_l0"));
    }
}
