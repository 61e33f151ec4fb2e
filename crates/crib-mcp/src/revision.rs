//! The protocol revisions and the two eras they fall into.

use std::fmt;

/// A released revision of the protocol, oldest first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Revision {
    V2024_11_05,
    V2025_03_26,
    V2025_06_18,
    V2025_11_25,
    V2026_07_28,
}

impl Revision {
    /// All revisions, newest first: the order in which they are offered.
    pub const ALL: [Self; 5] = [Self::V2026_07_28, Self::V2025_11_25, Self::V2025_06_18, Self::V2025_03_26, Self::V2024_11_05];
    /// The revisions whose requests explain themselves: what `server/discover` and `-32022` offer.
    pub const MODERN: [Self; 1] = [Self::V2026_07_28];
    pub const LATEST: Self = Self::V2026_07_28;
    /// What is answered to an `initialize` that asks for something unknown or modern.
    pub const LATEST_LEGACY: Self = Self::V2025_11_25;

    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|revision| revision.as_str() == text)
    }

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V2024_11_05 => "2024-11-05",
            Self::V2025_03_26 => "2025-03-26",
            Self::V2025_06_18 => "2025-06-18",
            Self::V2025_11_25 => "2025-11-25",
            Self::V2026_07_28 => "2026-07-28",
        }
    }

    /// Tells whether requests of this revision carry their own version and capabilities.
    #[must_use]
    pub const fn is_modern(self) -> bool {
        matches!(self, Self::V2026_07_28)
    }

    /// Tells whether content may be audio, and progress may carry a message.
    #[must_use]
    pub fn has_audio(self) -> bool {
        self >= Self::V2025_03_26
    }

    /// Tells whether tools may have an output schema and structured content, and content may link to resources.
    #[must_use]
    pub fn has_structured_content(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Tells whether a client can be asked to fill in a form.
    #[must_use]
    pub fn has_elicitation(self) -> bool {
        self >= Self::V2025_06_18
    }

    /// Tells whether a client can be sent to a URL, offered a choice of many, or asked to sample with tools.
    #[must_use]
    pub fn has_rich_input(self) -> bool {
        self >= Self::V2025_11_25
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
