//! Who may share a session.

use crib_mcp::{Ability, CapSet, ClientCaps};
use crib_model::Principal;

use crate::session::chores;

/// Who may use a session: everyone with these capabilities, or only one principal when its clients can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    caps: CapSet,
    /// The client can be given tasks, which some servers have tools for.
    takes_tasks: bool,
    principal: Option<Principal>,
}

impl Key {
    pub(crate) fn of(client: &ClientCaps, principal: &Principal) -> Self {
        // No legacy server can tell whether a client knows the tasks extension.
        let caps = client.set.without(Ability::Tasks);
        let is_interactive = caps.is_interactive();
        let takes_tasks = is_interactive && chores::is_declared(&client.raw.to_object().unwrap_or_default());
        Self { caps, takes_tasks, principal: is_interactive.then(|| principal.clone()) }
    }

    /// Tells whether the clients can be asked.
    pub(super) fn is_interactive(&self) -> bool {
        self.caps.is_interactive()
    }
}
