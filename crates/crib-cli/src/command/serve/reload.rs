//! Reading the configuration again while the gateway runs.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crib_control::Compiled;

use super::load;
use crate::args::Serve;
use crate::instance::Instance;
use crate::output::Output;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// The files of a running gateway.
pub(super) struct Reload<'a> {
    args: &'a Serve,
    files: Vec<(PathBuf, Option<SystemTime>)>,
    listen: Vec<std::net::SocketAddr>,
}

impl<'a> Reload<'a> {
    pub(super) fn new(args: &'a Serve, compiled: &Compiled) -> Self {
        Self { args, files: stamped(&compiled.files), listen: compiled.listen.clone() }
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

    /// Goes over to what the files say now; what is wrong changes nothing.
    pub(super) fn now(&mut self, instance: &Instance, output: &Output) {
        if self.args.config.is_empty() {
            return;
        }
        let compiled = match load(self.args, output) {
            Ok(compiled) => compiled,
            Err(failure) => return tracing::error!("the configuration stays as it was: {}", failure.one_line()),
        };
        self.files = stamped(&compiled.files);
        if compiled.listen != self.listen {
            tracing::warn!("`listen` has changed; it takes effect at the next start");
        }
        match instance.reload(&compiled) {
            Ok(()) => output.say(&format!("reloaded {} servers", compiled.servers.len())),
            Err(fault) => tracing::error!("the configuration stays as it was: {fault}"),
        }
    }
}

fn stamped(files: &[PathBuf]) -> Vec<(PathBuf, Option<SystemTime>)> {
    files.iter().map(|path| (path.clone(), std::fs::metadata(path).and_then(|file| file.modified()).ok())).collect()
}
