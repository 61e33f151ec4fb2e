//! One row for each client.
//!
//! What a row says was taken from the client's own documents or code, or seen when it ran.

mod desktops;
mod editors;
mod others;
mod terminals;

use super::{Client, Paths, Signs, Support, shapes};
use crate::edit::Place;
use crate::shape::Variables;
use crate::tree::Language;

pub(super) const GROUPS: [&[Client]; 4] = [terminals::CLIENTS, editors::CLIENTS, desktops::CLIENTS, others::CLIENTS];

/// What most clients have in common.
const BLANK: Client = Client {
    id: "",
    name: "",
    aliases: &[],
    support: Support::Full,
    language: Language::Json,
    place: Place::Map(&["mcpServers"]),
    other_place: None,
    user: Paths::NONE,
    project: &[],
    signs: Signs { directories: &[], programs: &[] },
    own_signs: Paths::NONE,
    is_guest: false,
    by_directory: None,
    shape: shapes::PLAIN,
    variables: Variables::None,
    checker: None,
    note: "",
};
