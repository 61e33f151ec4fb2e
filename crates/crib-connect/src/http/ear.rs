//! The stream of a session for what belongs to no request: kept open while the session lives.

use std::sync::Arc;
use std::time::Duration;

use crib_model::Code;

use super::legacy::{Posts, RETRY};
use crate::session::link::{Link, Origin};

/// Streams in a row that gave nothing, after which the server is left in peace.
const FRUITLESS_MAX: u32 = 8;

pub(super) async fn listen(posts: Arc<Posts>, link: Arc<Link>) {
    let over = link.over().clone();
    tokio::select! {
        () = over.cancelled() => {}
        () = follow(&posts, &link) => {}
    }
}

async fn follow(posts: &Posts, link: &Link) {
    let slug = &posts.remote.slug;
    let mut last: Option<String> = None;
    let mut pause = RETRY;
    let mut fruitless = 0;
    while fruitless < FRUITLESS_MAX {
        match posts.stream(last.as_deref()).await {
            Ok(mut events) => {
                while let Ok(Some(event)) = events.next(slug).await {
                    last = event.id.or(last);
                    pause = event.retry_ms.map_or(pause, Duration::from_millis);
                    fruitless = 0;
                    if !event.data.is_empty() {
                        link.deliver(&event.data, Origin::Shared);
                    }
                }
            }
            // Servers need not offer this stream.
            Err(fault) if fault.code() == Code::UpstreamStatus => return,
            Err(fault) => tracing::debug!(upstream = %slug, %fault, "the stream for notifications was lost"),
        }
        fruitless += 1;
        tokio::time::sleep(pause.clamp(Duration::from_millis(10), Duration::from_secs(60))).await;
    }
}
