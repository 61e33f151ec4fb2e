//! Standard input and output on threads: nothing here can be polled.

use super::{Input, Output};

pub(in crate::stdio) fn input() -> Input {
    Box::new(tokio::io::stdin())
}

pub(in crate::stdio) fn output() -> Output {
    Box::new(tokio::io::stdout())
}
