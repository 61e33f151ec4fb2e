//! The arguments of `new`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use crib_scaffold::Language;

use super::TEMPLATE;

#[derive(Debug, Args)]
#[command(help_template = TEMPLATE, before_help = "Examples:
  toolcrib new weather                             asks for the language
  toolcrib new weather --lang python               a project in ./weather
  toolcrib new @me/weather --lang typescript --dir servers/weather
")]
pub(crate) struct New {
    /// Name of the server: lower case letters, digits and hyphens; for npm also @SCOPE/NAME
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Language, on its official SDK
    #[arg(long, short, value_enum, alias = "language", alias = "template")]
    pub(crate) lang: Option<LanguageName>,
    /// Folder to make [default: ./NAME]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) dir: Option<PathBuf>,
}

/// A language as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LanguageName {
    #[value(alias = "rs")]
    Rust,
    #[value(alias = "ts")]
    Typescript,
    #[value(alias = "py")]
    Python,
}

impl From<LanguageName> for Language {
    fn from(name: LanguageName) -> Self {
        match name {
            LanguageName::Rust => Self::Rust,
            LanguageName::Typescript => Self::TypeScript,
            LanguageName::Python => Self::Python,
        }
    }
}
