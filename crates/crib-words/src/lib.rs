//! What people read, in their language: 简体中文 beside English (ADR 8).
//!
//! English stands in the code, where it is said; it is the key of the tables below `chinese`. A message is translated when
//! it is shown, as a whole or by its pattern: `stopped  the gateway at {} and its servers` with what stood in the hole.
//!
//! Invariants
//! - What has no translation is shown in English, whole; nothing is lost.
//! - Data, JSON, codes and log lines never come here.
//!
//! To add a message: say it in English; the tests of `crib-cli` name what is missing here.

mod chinese;
mod locale;
mod phrase;
mod width;

pub use locale::Tongue;
pub use phrase::translate;
pub use width::width;

/// Returns a text, or a pattern of texts, in Chinese as it stands in the table.
#[must_use]
pub fn chinese(english: &str) -> Option<&'static str> {
    phrase::find(english)
}

/// Returns a word of a table in Chinese, such as the `state` that is `running`. A word alone is often somebody's name, so
/// what it is a word of belongs to it.
#[must_use]
pub fn chinese_word(kind: &str, word: &str) -> Option<&'static str> {
    phrase::find(&format!("[{kind}] {word}"))
}

/// Returns the page of an error code such as `TC0203` in Chinese.
#[must_use]
pub fn chinese_page(code: &str) -> Option<&'static str> {
    chinese::page(code)
}
