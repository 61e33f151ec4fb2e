//! A child process as a link: lines out, lines in, and a clear word when it is gone.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crib_mcp::{Chunks, ClientCaps};
use crib_model::limits::{STOP_GRACE, UPSTREAM_MESSAGE_BYTES_MAX};
use crib_model::{BoxFuture, Code, Fault, Slug};
use crib_transport::{Child, ChildHandle, ChildInput, ChildOutput, CommandLine, LineError};
use http::HeaderMap;
use tokio_util::task::TaskTracker;

use super::fault;
use crate::options::ConnectorOptions;
use crate::session::link::{Carry, Link, Origin, Wire};

/// How long a process that closed its output may take to exit, before its calls are answered all the same.
const EXIT_WAIT: Duration = Duration::from_millis(40);

/// A running server.
pub(crate) struct Process {
    link: Arc<Link>,
    handle: ChildHandle,
    started: Instant,
}

/// Its standard input.
struct Lines {
    slug: Slug,
    input: ChildInput,
    handle: ChildHandle,
    tracker: TaskTracker,
}

// === impl Process ===

impl Process {
    pub(crate) fn spawn(
        command: &CommandLine,
        options: &ConnectorOptions,
        caps: &ClientCaps,
        tracker: &TaskTracker,
    ) -> Result<Arc<Self>, Fault> {
        let slug = &options.slug;
        let child = Child::spawn_redacted(command, slug.as_str(), UPSTREAM_MESSAGE_BYTES_MAX, options.secrets.clone())?;
        let (input, output, handle) = child.split();
        let lines = Lines { slug: slug.clone(), input, handle: handle.clone(), tracker: tracker.clone() };
        let link = Link::new(slug.clone(), caps, Arc::new(lines));
        tracker.spawn(read(output, Arc::clone(&link), handle.clone()));
        Ok(Arc::new(Self { link, handle, started: Instant::now() }))
    }

    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    pub(crate) fn pid(&self) -> u32 {
        self.handle.pid()
    }

    pub(crate) async fn stop(&self, grace: Duration) {
        self.handle.stop(grace).await;
    }

    /// Tells whether another start would end like this one.
    pub(crate) fn is_hopeless(&self) -> bool {
        fault::is_hopeless(&self.link.slug, &self.handle)
    }

    /// Says why the server did not start, and ends what is left of it.
    pub(crate) async fn start_fault(&self, fault: Fault) -> Fault {
        let lived = self.started.elapsed();
        let is_dead = self.link.is_over();
        if !is_dead {
            self.link.fail(&fault);
        }
        self.handle.stop(STOP_GRACE).await;
        let slug = &self.link.slug;
        if is_dead { fault::stopped(slug, lived, &self.handle) } else { fault::with_last_words(fault, &self.handle) }
    }
}

/// Reads until the child is gone; then everything in flight is answered.
async fn read(mut output: ChildOutput, link: Arc<Link>, handle: ChildHandle) {
    while let Some(line) = output.recv().await {
        match line {
            Ok(text) => link.deliver(&text, Origin::Shared),
            Err(LineError::TooLong) => link.fail_sole(&too_long(&link.slug)),
        }
        if link.is_over() {
            // Stopped by this side: whoever stopped it waits for the process.
            return handle.exited().await;
        }
    }
    // Its output often ends a moment before it does, and how it ended is worth that moment.
    let _runs_on = tokio::time::timeout(EXIT_WAIT, handle.exited()).await.is_err();
    link.fail(&fault::gone(&link.slug, &handle));
}

fn too_long(slug: &Slug) -> Fault {
    let megabytes = UPSTREAM_MESSAGE_BYTES_MAX / (1024 * 1024);
    Fault::new(Code::MessageTooLarge, format!("`{slug}` sent a message larger than {megabytes} MiB"))
}

// === impl Lines ===

impl Lines {
    /// Writes at once if there is room, so that the order of calls is the order of lines; returns the rest of the work.
    fn begin(&self, message: Chunks) -> Result<(), BoxFuture<'static, Result<(), Fault>>> {
        let (input, slug) = (self.input.clone(), self.slug.clone());
        let mut sending: BoxFuture<'static, Result<(), Fault>> = Box::pin(async move {
            input.send(message).await.map_err(|gone| Fault::new(Code::ServerGone, format!("`{slug}` does not read any more")).because(gone))
        });
        match sending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            // The reader notices that the child is gone, and says so with its last words.
            Poll::Ready(_) => Ok(()),
            Poll::Pending => Err(sending),
        }
    }
}

impl Wire for Lines {
    fn post(&self, message: Chunks) {
        if let Err(rest) = self.begin(message) {
            self.tracker.spawn(async move {
                let _gone = rest.await.is_err();
            });
        }
    }

    fn send(&self, message: Chunks) -> Carry {
        self.begin(message).err().unwrap_or_else(|| Box::pin(std::future::ready(Ok(()))))
    }

    fn request(&self, _: &Arc<Link>, _: u64, message: Chunks, _: Option<Box<HeaderMap>>) -> Option<Carry> {
        self.begin(message).err()
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let handle = self.handle.clone();
        Box::pin(async move { handle.stop(STOP_GRACE).await })
    }

    fn pid(&self) -> Option<u32> {
        Some(self.handle.pid())
    }
}
