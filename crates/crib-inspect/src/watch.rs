//! A server that is being written: what it is at one moment, what became of it since, and when to look again.

mod bell;
mod changes;
mod files;
mod places;

use crib_model::Fault;
use serde::Serialize;

use crate::client::Client;
use crate::lint::{self, Report};
use crate::overview::Overview;
pub use bell::Bell;
pub use changes::{Change, Changes, How, Kind};
pub use files::Files;
pub use places::{of_command, project};

/// What a server is at one moment: what it defines, and what is to be said against it.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
    pub overview: Overview,
    pub lint: Report,
}

// === impl Look ===

impl Look {
    /// Reads everything a server promises to have.
    ///
    /// # Errors
    /// The server is gone.
    pub async fn take(client: &Client) -> Result<Self, Fault> {
        let overview = Overview::read(client).await?;
        let lint = lint::lint(&overview);
        Ok(Self { overview, lint })
    }
}
