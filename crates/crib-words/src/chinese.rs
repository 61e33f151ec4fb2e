//! 简体中文.

mod causes;
mod codes;
mod events;
mod failures;
mod faults;
mod foreign;
mod help;
mod holds;
mod inspect;
mod pages;
mod settings;
mod shown;
mod updates;

pub(crate) use pages::page;

/// A message in English, with `{}` for what changes, and the same in Chinese.
pub(crate) type Entry = (&'static str, &'static str);

pub(crate) fn all() -> impl Iterator<Item = Entry> {
    [
        help::ENTRIES,
        shown::ENTRIES,
        updates::ENTRIES,
        holds::ENTRIES,
        inspect::ENTRIES,
        failures::ENTRIES,
        events::ENTRIES,
        faults::ENTRIES,
        settings::ENTRIES,
        causes::ENTRIES,
        foreign::ENTRIES,
        codes::ENTRIES,
    ]
    .into_iter()
    .flatten()
    .copied()
}
