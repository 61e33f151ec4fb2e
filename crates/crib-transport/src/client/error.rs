//! Why there is no answer.

use crib_model::{Code, Fault};

/// Why a request has no answer, told apart by what the server may have seen of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SendError {
    /// Nothing was sent.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The connection ended before any byte of the answer; the server may or may not have acted.
    #[error("the connection was lost before an answer came: {0}")]
    Lost(String),
    /// The connection ended in the middle of the answer.
    #[error("the connection was lost in the middle of the answer: {0}")]
    Broken(String),
    #[error("no answer in time")]
    TimedOut,
    /// The answer is larger than this many bytes.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// What came is not HTTP/1.1.
    #[error("the answer is not HTTP: {0}")]
    NotHttp(String),
}

impl SendError {
    /// Names the failure for people: `name` is the server as the configuration calls it.
    #[must_use]
    pub fn to_fault(&self, name: &str) -> Fault {
        let (code, text) = match self {
            Self::Connect(_) => (Code::ServerUnreachable, format!("`{name}` cannot be reached")),
            Self::Lost(_) | Self::Broken(_) => (Code::ServerGone, format!("`{name}` closed the connection during the call")),
            Self::TimedOut => (Code::DeadlineExceeded, format!("`{name}` did not answer in time")),
            Self::TooLarge(_) => (Code::MessageTooLarge, format!("`{name}` sent too large an answer")),
            Self::NotHttp(_) => (Code::ProtocolBroken, format!("`{name}` does not speak HTTP")),
        };
        Fault::new(code, text).because(self)
    }

    /// What a failure before the head of the answer means.
    pub(crate) fn before_answer(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::NotHttp(reason(error)) } else { Self::Lost(reason(error)) }
    }

    /// What a failure after the head of the answer means.
    pub(crate) fn in_answer(error: &hyper::Error) -> Self {
        if error.is_parse() { Self::NotHttp(reason(error)) } else { Self::Broken(reason(error)) }
    }
}

/// Writes an error with what is behind it.
pub(crate) fn reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
