//! A body that is already in hand.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::Bytes;
use crib_mcp::Chunks;
use http_body::{Body, Frame, SizeHint};

/// Bodies up to this size are joined into one piece: one copy costs less than one more entry in a vectored write.
const JOIN_BYTES_MAX: usize = 16 * 1024;

/// A body of known length in one or several pieces.
#[derive(Debug, Default)]
pub(crate) struct Whole {
    first: Bytes,
    more: Option<vec::IntoIter<Bytes>>,
    left: u64,
}

impl Whole {
    pub(crate) fn is_empty(&self) -> bool {
        self.left == 0
    }
}

impl From<Chunks> for Whole {
    fn from(chunks: Chunks) -> Self {
        let len = chunks.len();
        if len <= JOIN_BYTES_MAX {
            return Self::from(chunks.into_bytes());
        }
        let pieces: Vec<Bytes> = chunks.into_iter().filter(|piece| !piece.is_empty()).collect();
        let mut more = pieces.into_iter();
        let first = more.next().unwrap_or_default();
        Self { first, more: (more.len() > 0).then_some(more), left: len as u64 }
    }
}

impl From<Bytes> for Whole {
    fn from(bytes: Bytes) -> Self {
        Self { left: bytes.len() as u64, first: bytes, more: None }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut piece = std::mem::take(&mut self.first);
        if piece.is_empty() {
            piece = self.more.as_mut().and_then(Iterator::next).unwrap_or_default();
        }
        self.left -= (piece.len() as u64).min(self.left);
        Poll::Ready((!piece.is_empty()).then(|| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    fn chunks(sizes: &[usize]) -> Chunks {
        let mut pieces = crib_mcp::Pieces::default();
        for size in sizes {
            pieces.share(&Bytes::from(vec![b'x'; *size]));
        }
        pieces.finish()
    }

    #[tokio::test]
    async fn small_pieces_leave_as_one_frame() {
        let mut body = Whole::from(chunks(&[10, 9000, 20]));
        assert_eq!(body.size_hint().exact(), Some(9030));
        let frame = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame.len(), 9030);
        assert!(body.is_end_stream());
    }

    #[tokio::test]
    async fn large_pieces_are_not_copied_together() {
        let large = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut pieces = crib_mcp::Pieces::default();
        pieces.text("{").share(&large).text("}");
        let mut body = Whole::from(pieces.finish());
        let mut frames = Vec::new();
        while let Some(frame) = body.frame().await {
            frames.push(frame.unwrap().into_data().unwrap());
        }
        assert_eq!(frames.iter().map(Bytes::len).collect::<Vec<_>>(), [1, 64 * 1024, 1]);
        assert_eq!(frames[1].as_ptr(), large.as_ptr());
    }

    #[test]
    fn nothing_is_an_ended_body() {
        assert!(Whole::from(Chunks::default()).is_end_stream());
    }
}
