//! The way messages leave for a server, whatever carries them.

use std::sync::Arc;

use crib_mcp::{Chunks, Revision};
use crib_model::{BoxFuture, Fault};
use http::HeaderMap;
use tokio::sync::oneshot;

use super::link::Link;

/// How messages leave for a server.
pub(crate) trait Wire: Send + Sync + 'static {
    /// Sends a message that nothing waits for. What cannot be sent is dropped: the link ends soon after.
    fn post(&self, message: Chunks);

    /// Sends such a message and says when it has been taken. On a channel that keeps the order nobody has to wait.
    fn post_noting(&self, message: Chunks, taken: oneshot::Sender<()>) {
        self.post(message);
        let _nobody_waits = taken.send(()).is_err();
    }

    /// Sends a message that others must follow.
    fn send(&self, message: Chunks) -> Carry;

    /// Sends a request. The future, if there is more to do, is polled while the answer is awaited; it ends with a
    /// fault when no answer can come any more.
    ///
    /// The headers go beside the message where there are any.
    fn request(&self, link: &Arc<Link>, id: u64, message: Chunks, headers: Option<Box<HeaderMap>>) -> Option<Carry>;

    /// The handshake has settled on a revision.
    fn settled(&self, _link: &Arc<Link>, _revision: Revision) {}

    /// Somebody wants to hear what belongs to no request.
    fn hear(&self, _link: &Arc<Link>) {}

    /// Ends the channel and waits until it has ended.
    fn close(&self) -> BoxFuture<'static, ()>;

    /// Returns the process at the other end, if it is a child of this one.
    fn pid(&self) -> Option<u32> {
        None
    }
}

/// A request on its way.
pub(crate) type Carry = BoxFuture<'static, Result<(), Fault>>;
