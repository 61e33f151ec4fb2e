//! What clients watch, counted.

use std::collections::BTreeMap;

use super::Watch;

/// How many clients watch what.
#[derive(Default)]
pub(super) struct Watched {
    pub(super) uris: BTreeMap<String, usize>,
    pub(super) tasks: BTreeMap<String, usize>,
}

impl Watched {
    /// Returns whether something is watched that was not before.
    pub(super) fn add(&mut self, watch: &Watch) -> bool {
        let mut is_new = false;
        for (map, names) in [(&mut self.uris, &watch.uris), (&mut self.tasks, &watch.tasks)] {
            for name in names {
                let count = map.entry(name.clone()).or_default();
                is_new |= *count == 0;
                *count += 1;
            }
        }
        is_new
    }

    /// Returns whether something is watched by nobody any more.
    pub(super) fn remove(&mut self, watch: &Watch) -> bool {
        let mut is_gone = false;
        for (map, names) in [(&mut self.uris, &watch.uris), (&mut self.tasks, &watch.tasks)] {
            for name in names {
                let Some(count) = map.get_mut(name) else { continue };
                *count -= 1;
                if *count == 0 {
                    map.remove(name);
                    is_gone = true;
                }
            }
        }
        is_gone
    }
}
