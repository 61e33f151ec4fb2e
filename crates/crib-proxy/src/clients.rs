//! Clients by what they say of themselves: modern requests repeat it every time, so it is read once.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use crib_mcp::{ClientCaps, Json, Revision};
use crib_model::Client;
use foldhash::fast::RandomState;

/// Descriptions kept; beyond it they are read again each time.
const KEPT_MAX: usize = 512;
/// Longer descriptions are not worth keeping.
const KEY_BYTES_MAX: usize = 8 * 1024;

type Key = (Revision, Bytes, Bytes);

#[derive(Default)]
pub(crate) struct Clients {
    known: ArcSwap<HashMap<Key, Arc<Client>, RandomState>>,
}

impl Clients {
    /// Returns the client of these capabilities and this `Implementation`.
    pub(crate) fn intern(&self, revision: Revision, caps: &Json, info: Option<&Json>) -> Arc<Client> {
        let key = (revision, caps.bytes().clone(), info.map(|info| info.bytes().clone()).unwrap_or_default());
        if let Some(client) = self.known.load().get(&key) {
            return Arc::clone(client);
        }
        // The slices would keep the whole request alive.
        let copy = |json: &Json| Json::parse(&Bytes::copy_from_slice(json.bytes())).unwrap_or_else(|_| Json::from_static("{}"));
        let client = Arc::new(Client::new(revision, ClientCaps::read(copy(caps)), info.map(copy)));
        if key.1.len() + key.2.len() <= KEY_BYTES_MAX {
            self.known.rcu(|known| {
                let mut known = if known.len() < KEPT_MAX { HashMap::clone(known) } else { HashMap::default() };
                let key = (key.0, Bytes::copy_from_slice(&key.1), Bytes::copy_from_slice(&key.2));
                known.insert(key, Arc::clone(&client));
                known
            });
        }
        client
    }
}
