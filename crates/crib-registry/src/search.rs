//! Search over tools by words: name, title, tags and description, scored as BM25 does.

use std::collections::HashMap;

use crate::entry::{ToolEntry, tags_of, title_of};

/// A tool that fits a query.
#[derive(Clone, Copy, Debug)]
pub struct Hit<'a> {
    pub tool: &'a ToolEntry,
    pub score: f32,
}

/// Saturation of repeated words and weight of the text's length, at the values customary for BM25.
const K1: f32 = 1.2;
const B: f32 = 0.75;

const NAME_WEIGHT: f32 = 4.0;
const TAG_WEIGHT: f32 = 3.0;
const TITLE_WEIGHT: f32 = 2.0;
const SERVER_WEIGHT: f32 = 1.5;
const DESCRIPTION_WEIGHT: f32 = 1.0;

/// Words read of one description.
const WORDS_MAX: usize = 512;
/// Words read of one query.
const QUERY_WORDS_MAX: usize = 32;

/// Which word stands where, how often.
#[derive(Debug)]
pub(crate) struct Index {
    /// Word to (position of the tool, weighted count).
    postings: HashMap<Box<str>, Vec<(usize, f32)>>,
    lengths: Vec<f32>,
    length_mean: f32,
}

impl Index {
    pub(crate) fn build(tools: &[ToolEntry]) -> Self {
        let mut postings: HashMap<Box<str>, Vec<(usize, f32)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(tools.len());
        for (at, tool) in tools.iter().enumerate() {
            let counts = counts(tool);
            lengths.push(counts.values().sum());
            for (word, count) in counts {
                postings.entry(word.into_boxed_str()).or_default().push((at, count));
            }
        }
        let length_mean = (lengths.iter().sum::<f32>() / float(lengths.len().max(1))).max(1.0);
        Self { postings, lengths, length_mean }
    }

    pub(crate) fn search<'a>(&self, query: &str, limit: usize, tools: &'a [ToolEntry]) -> Vec<Hit<'a>> {
        let mut scores: HashMap<usize, f32> = HashMap::new();
        let mut wanted = words(query);
        wanted.truncate(QUERY_WORDS_MAX);
        wanted.sort_unstable();
        wanted.dedup();
        for word in &wanted {
            let Some(list) = self.postings.get(word.as_str()) else { continue };
            let found = float(list.len());
            let rarity = (1.0 + (float(tools.len()) - found + 0.5) / (found + 0.5)).ln();
            for (at, count) in list {
                let length = self.lengths.get(*at).copied().unwrap_or_default();
                let norm = K1 * (1.0 - B + B * length / self.length_mean);
                *scores.entry(*at).or_default() += rarity * count * (K1 + 1.0) / (count + norm);
            }
        }
        let mut ranked: Vec<(usize, f32)> = scores.into_iter().collect();
        ranked.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.into_iter().take(limit).filter_map(|(at, score)| Some(Hit { tool: tools.get(at)?, score })).collect()
    }
}

fn counts(tool: &ToolEntry) -> HashMap<String, f32> {
    let members = tool.members();
    let mut counts: HashMap<String, f32> = HashMap::new();
    let mut add = |text: &str, weight: f32| {
        for word in words(text).into_iter().take(WORDS_MAX) {
            *counts.entry(word).or_default() += weight;
        }
    };
    add(&tool.name, NAME_WEIGHT);
    add(tool.slug.as_str(), SERVER_WEIGHT);
    for tag in tags_of(&members) {
        add(&tag, TAG_WEIGHT);
    }
    if let Some(title) = title_of(&members) {
        add(&title, TITLE_WEIGHT);
    }
    if let Some(description) = members.text("description") {
        add(&description, DESCRIPTION_WEIGHT);
    }
    counts
}

/// Splits a text at everything that is no letter or digit and where a small letter meets a capital. Scripts written
/// without spaces give one word per character and one per pair of neighbours.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut last: Option<char> = None;
    for c in text.chars() {
        let is_border = last.is_some_and(|l| l.is_lowercase() && c.is_uppercase());
        let is_wide = is_wide(c);
        if !c.is_alphanumeric() || is_border || is_wide {
            flush(&mut word, &mut words);
        }
        if is_wide {
            words.push(c.to_string());
            words.extend(last.filter(|l| self::is_wide(*l)).map(|l| format!("{l}{c}")));
        } else if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        last = Some(c);
    }
    flush(&mut word, &mut words);
    words
}

fn flush(word: &mut String, words: &mut Vec<String>) {
    if !word.is_empty() {
        words.push(stem(std::mem::take(word)));
    }
}

/// Brings singular and plural of English words together.
fn stem(mut word: String) -> String {
    if word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") {
        word.pop();
    }
    word
}

/// Han, Hiragana, Katakana and Hangul.
fn is_wide(c: char) -> bool {
    matches!(c, '\u{2E80}'..='\u{2FDF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{AC00}'..='\u{D7AF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

fn float(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}
