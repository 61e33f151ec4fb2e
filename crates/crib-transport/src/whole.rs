//! A body that is already in hand.

use std::convert::Infallible;
use std::io::IoSlice;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use bytes::{Buf, Bytes};
use crib_mcp::Chunks;
use http_body::{Body, Frame, SizeHint};

/// Bodies up to this size are joined into one piece: one copy costs less than one more entry in a vectored write.
const JOIN_BYTES_MAX: usize = 16 * 1024;

/// A body of known length, sent as one frame.
#[derive(Debug, Default)]
pub(crate) struct Whole(Option<Train>);

/// Pieces of a body that travel together: one vectored write, however many there are and however large.
///
/// As a frame each, what comes behind a large one would be a write and a packet of its own: the connection stops taking
/// frames when it holds as much as it may buffer.
#[derive(Debug)]
pub(crate) struct Train {
    first: Bytes,
    more: vec::IntoIter<Bytes>,
    left: usize,
}

impl Whole {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl From<Chunks> for Whole {
    fn from(chunks: Chunks) -> Self {
        let left = chunks.len();
        if left <= JOIN_BYTES_MAX {
            return Self::from(chunks.into_bytes());
        }
        let pieces: Vec<Bytes> = chunks.into_iter().filter(|piece| !piece.is_empty()).collect();
        let mut more = pieces.into_iter();
        let first = more.next().unwrap_or_default();
        Self(Some(Train { first, more, left }))
    }
}

impl From<Bytes> for Whole {
    fn from(bytes: Bytes) -> Self {
        let left = bytes.len();
        Self((left > 0).then(|| Train { first: bytes, more: vec::IntoIter::default(), left }))
    }
}

impl Body for Whole {
    type Data = Train;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Train>, Infallible>>> {
        Poll::Ready(self.0.take().map(|train| Ok(Frame::data(train))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |train| train.left as u64))
    }
}

impl From<Bytes> for Train {
    fn from(bytes: Bytes) -> Self {
        Self { left: bytes.len(), first: bytes, more: vec::IntoIter::default() }
    }
}

impl Buf for Train {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let pieces = std::iter::once(&self.first).chain(self.more.as_slice()).filter(|piece| !piece.is_empty());
        let mut filled = 0;
        for (slice, piece) in slices.iter_mut().zip(pieces) {
            *slice = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.left, "cannot advance {count} bytes, {} are left", self.left);
        self.left -= count;
        while count >= self.first.len() {
            count -= self.first.len();
            let Some(next) = self.more.next() else {
                self.first.clear();
                return;
            };
            self.first = next;
        }
        self.first.advance(count);
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
        assert_eq!(written(&frame), [9030]);
        assert!(body.is_end_stream());
    }

    async fn train(chunks: Chunks) -> Train {
        let mut body = Whole::from(chunks);
        let frame = body.frame().await.unwrap().unwrap();
        assert!(body.is_end_stream());
        frame.into_data().unwrap()
    }

    fn written(train: &Train) -> Vec<usize> {
        let mut slices = [IoSlice::new(&[]); 8];
        let filled = train.chunks_vectored(&mut slices);
        slices[..filled].iter().map(|slice| slice.len()).collect()
    }

    #[tokio::test]
    async fn large_pieces_are_not_copied_and_leave_in_one_write() {
        let large = Bytes::from(vec![b'x'; 64 * 1024]);
        let mut pieces = crib_mcp::Pieces::default();
        pieces.text("{").share(&large).text("}");
        let train = train(pieces.finish()).await;
        assert_eq!(train.remaining(), 64 * 1024 + 2);
        assert_eq!(written(&train), [1, 64 * 1024, 1]);
        assert_eq!(train.more.as_slice()[0].as_ptr(), large.as_ptr());
    }

    #[tokio::test]
    async fn what_a_short_write_leaves_comes_next() {
        let sizes = [9000, 1, 8000];
        for taken in [0, 1, 8999, 9000, 9001, 9002, 17_000, 17_001] {
            let mut train = train(chunks(&sizes)).await;
            train.advance(taken);
            assert_eq!(train.remaining(), 17_001 - taken);
            assert_eq!(written(&train).iter().sum::<usize>(), 17_001 - taken, "after {taken}");
            assert_eq!(train.copy_to_bytes(17_001 - taken).len(), 17_001 - taken);
        }
    }

    #[test]
    fn nothing_is_an_ended_body() {
        assert!(Whole::from(Chunks::default()).is_end_stream());
    }
}
