//! The languages a project can be in.

/// A language with an official SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Rust,
    TypeScript,
    Python,
}

impl Language {
    pub const ALL: [Self; 3] = [Self::Rust, Self::TypeScript, Self::Python];

    /// Returns the language as people write its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "Rust",
            Self::TypeScript => "TypeScript",
            Self::Python => "Python",
        }
    }

    /// Returns the language as it is typed on a command line.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::TypeScript => "typescript",
            Self::Python => "python",
        }
    }

    /// Reads what somebody typed: the name, the ending of its files, or the beginning of either.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        match text.as_str() {
            "rust" | "rs" | "r" => Some(Self::Rust),
            "typescript" | "ts" | "t" | "node" | "js" | "javascript" => Some(Self::TypeScript),
            "python" | "py" | "p" => Some(Self::Python),
            _ => None,
        }
    }
}
