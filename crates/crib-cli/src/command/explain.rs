//! `toolcrib explain`: the document of an error code.

use crib_model::Code;
use crib_words::Tongue;
use serde::Serialize;

use crate::args::Explain;
use crate::failure::{self, Failure};
use crate::output::Output;
use crate::table::{Narrow, Shorten, fitted};
use crate::tongue::{said, tongue, word};

#[derive(Serialize)]
struct Entry {
    code: &'static str,
    name: String,
    side: &'static str,
    retry: &'static str,
    short: &'static str,
}

#[derive(Serialize)]
struct Codes {
    codes: Vec<Entry>,
}

#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    entry: Entry,
    document: &'static str,
}

pub(super) fn run(args: &Explain, output: &Output) -> Result<(), Failure> {
    let Some(asked) = &args.code else { return all(output) };
    let digits = asked.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let wanted = format!("TC{digits:0>4}");
    let Some(code) = Code::ALL.iter().find(|code| code.as_str() == wanted || failure::name(**code) == *asked) else {
        let failure = Failure::usage(format!("there is no code `{asked}`"));
        return Err(failure.hint("all codes: toolcrib explain"));
    };
    if output.is_json {
        output.document("code", &Document { entry: entry(*code), document: code.document() })
    } else {
        output.data(page(*code))
    }
}

/// Returns the page of a code in the user's language.
fn page(code: Code) -> &'static str {
    let translated = match tongue() {
        Tongue::English => None,
        Tongue::Chinese => crib_words::chinese_page(code.as_str()),
    };
    translated.unwrap_or_else(|| code.document())
}

fn all(output: &Output) -> Result<(), Failure> {
    let codes: Vec<Entry> = Code::ALL.iter().copied().map(entry).collect();
    if output.is_json {
        return output.document("codes", &Codes { codes });
    }
    let rows: Vec<Vec<String>> = codes
        .iter()
        .map(|e| vec![e.code, word("side", e.side), word("retry", e.retry), &said(e.short)].into_iter().map(str::to_owned).collect())
        .collect();
    let narrow = Narrow { shortened: &[Shorten::End("MEANING")], dropped: &["RETRY", "SIDE"] };
    output.data(&fitted(&["CODE", "SIDE", "RETRY", "MEANING"], &rows, narrow))
}

fn entry(code: Code) -> Entry {
    let (side, retry) = (code.side().as_str(), code.retry().as_str());
    Entry { code: code.as_str(), name: failure::name(code), side, retry, short: code.short() }
}
