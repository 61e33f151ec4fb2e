//! Which servers fit what somebody is looking for, and which fit best.

use crate::{Entry, Status};

/// Most words of a query that are looked at.
const WORDS_MAX: usize = 8;
const WORD_LETTERS_MAX: usize = 64;
/// Words that every server has.
const COMMON: &[&str] = &["mcp", "server", "servers", "a", "an", "the", "for", "to", "of", "in", "and", "with", "my"];
/// Shortest word in which a slip of a finger is forgiven.
const SLIP_LETTERS_MIN: usize = 5;

const WHOLE_NAME: u32 = 1000;
const LAST_PART: u32 = 400;
const NAME_WORD: u32 = 120;
const NAME_START: u32 = 80;
const NAME_INSIDE: u32 = 60;
const TITLE_WORD: u32 = 50;
const TEXT_WORD: u32 = 25;
const TEXT_INSIDE: u32 = 12;
const SLIP: u32 = 10;

/// The words of a query, in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    all: Vec<String>,
    text: String,
}

impl Words {
    /// Reads a query. Words that every server has do not count where there are others.
    #[must_use]
    pub fn read(query: &str) -> Self {
        let text: String = query.trim().to_lowercase().chars().take(WORDS_MAX * WORD_LETTERS_MAX).collect();
        let mut all: Vec<String> = Vec::new();
        for word in text.split_whitespace().map(|word| word.chars().take(WORD_LETTERS_MAX).collect::<String>()) {
            if all.len() < WORDS_MAX && !all.contains(&word) {
                all.push(word);
            }
        }
        if all.iter().any(|word| !COMMON.contains(&word.as_str())) {
            all.retain(|word| !COMMON.contains(&word.as_str()));
        }
        Self { all, text }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Returns the words that registries are asked for, the longest first: they look for one text in names alone.
    pub(crate) fn asked(&self, most: usize) -> Vec<&str> {
        let mut words: Vec<&str> = self.all.iter().map(String::as_str).collect();
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        words.truncate(most);
        words
    }

    /// Says how well a server fits; not at all where one of the words is nowhere.
    pub(crate) fn score(&self, entry: &Entry) -> Option<u32> {
        let server = &entry.server;
        let name = server.name.to_lowercase();
        let (title, text) = (server.title.to_lowercase(), server.description.to_lowercase());
        let last = name.rsplit('/').next().unwrap_or(&name);
        let mut score = 1;
        if name == self.text {
            score += WHOLE_NAME;
        }
        if !self.all.is_empty() && parts(last).eq(self.all.iter().map(String::as_str)) {
            score += LAST_PART;
        }
        for word in &self.all {
            score += of_word(word, &name, &title, &text)?;
        }
        Some(match entry.status {
            Status::Active => score * 4,
            Status::Deprecated => score * 2,
            Status::Deleted => score,
        })
    }
}

fn of_word(word: &str, name: &str, title: &str, text: &str) -> Option<u32> {
    let is_part = |part: &str| part == word;
    let mut score = 0;
    if parts(name).any(is_part) {
        score += NAME_WORD;
    } else if parts(name).any(|part| part.starts_with(word)) {
        score += NAME_START;
    } else if name.contains(word) {
        score += NAME_INSIDE;
    }
    if parts(title).any(is_part) {
        score += TITLE_WORD;
    }
    if parts(text).any(is_part) {
        score += TEXT_WORD;
    } else if text.contains(word) || title.contains(word) {
        score += TEXT_INSIDE;
    }
    let is_slip = || {
        let is_near = |part: &str| part.len().abs_diff(word.len()) <= 1 && strsim::osa_distance(part, word) == 1;
        word.len() >= SLIP_LETTERS_MIN && parts(name).any(is_near)
    };
    if score == 0 && is_slip() {
        score = SLIP;
    }
    (score > 0).then_some(score)
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerJson;

    fn entry(name: &str, description: &str, status: Status) -> Entry {
        let server = ServerJson { name: name.to_owned(), description: description.to_owned(), ..ServerJson::default() };
        Entry { server, status, ..Entry::default() }
    }

    #[test]
    fn names_come_before_descriptions_and_what_is_used_before_what_is_not() {
        let active = |name, text| entry(name, text, Status::Active);
        let entries = [
            active("io.github.a/unrelated", "Something else"),
            active("io.github.b/sky", "Weather of the whole world"),
            active("io.github.weatherman/chess", "Plays"),
            active("io.github.c/weather-pro", "Forecasts"),
            entry("io.github.d/weather", "Forecasts", Status::Deprecated),
            active("io.github.e/weather", "Forecasts"),
            active("io.github.f/waether", "Forecasts"),
        ];
        let words = Words::read("Weather MCP server");
        let mut ranked: Vec<(u32, &str)> =
            entries.iter().filter_map(|entry| Some((words.score(entry)?, entry.server.name.as_str()))).collect();
        ranked.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let names: Vec<&str> = ranked.into_iter().map(|(_, name)| name).collect();
        assert_eq!(
            names,
            [
                "io.github.e/weather",
                "io.github.d/weather",
                "io.github.c/weather-pro",
                "io.github.weatherman/chess",
                "io.github.b/sky",
                "io.github.f/waether"
            ]
        );
    }

    #[test]
    fn every_word_has_to_be_somewhere() {
        let weather = entry("io.github.e/weather", "Forecasts for Shanghai", Status::Active);
        assert!(Words::read("weather shanghai").score(&weather).is_some());
        assert!(Words::read("weather paris").score(&weather).is_none());
        assert!(Words::read("mcp").score(&weather).is_none());
        assert!(Words::read("").score(&weather).is_some());
        assert_eq!(Words::read("the mcp weather").asked(4), ["weather"]);
    }
}
