//! Reading the configuration again while the gateway runs.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crib_control::{AtStart, Compiled};

use super::load;
use super::pages::Pages;
use crate::args::Serve;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::output::Output;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The files of a running gateway.
pub(super) struct Reload<'a> {
    args: &'a Serve,
    files: Vec<(PathBuf, Option<SystemTime>)>,
    at_start: AtStart,
}

impl<'a> Reload<'a> {
    pub(super) fn new(args: &'a Serve, compiled: &Compiled) -> Self {
        Self { args, files: stamped(&compiled.files), at_start: AtStart::of(compiled) }
    }

    /// Waits until a file was changed.
    pub(super) async fn changed(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let mut has_changed = false;
            for (path, stamp) in &mut self.files {
                let current = tokio::fs::metadata(&*path).await.and_then(|file| file.modified()).ok();
                // A file that is away for a moment is being written.
                if current.is_some() && current != *stamp {
                    *stamp = current;
                    has_changed = true;
                }
            }
            if has_changed {
                return;
            }
        }
    }

    /// Goes over to what the files say now; what is wrong changes nothing, what has to wait is said.
    ///
    /// # Errors
    /// Says what is wrong.
    pub(super) fn now(&mut self, instance: &Instance, routes: &Pages, output: &Output) -> Result<(), Failure> {
        let mut compiled = load(self.args, output)?;
        self.files = stamped(&compiled.files);
        let pending = self.at_start.pending(&compiled);
        // Keys take effect now and addresses do not: what is listened on must not lose its keys.
        compiled.listen.clone_from(&self.at_start.listen);
        compiled.web_socket.clone_from(&self.at_start.web_socket);
        compiled.check_bind().map_err(Failure::from)?;
        instance.reload(&compiled).map_err(Failure::from)?;
        routes.renew(instance, &compiled);
        for pending in pending {
            tracing::warn!("{pending}");
        }
        let count = compiled.servers.len();
        output.say(&if count == 1 { "reloaded 1 server".to_owned() } else { format!("reloaded {count} servers") });
        Ok(())
    }
}

fn stamped(files: &[PathBuf]) -> Vec<(PathBuf, Option<SystemTime>)> {
    files.iter().map(|path| (path.clone(), std::fs::metadata(path).and_then(|file| file.modified()).ok())).collect()
}
