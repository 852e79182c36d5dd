//! Bodies that are sent in pieces without copying them, and that can pause or break off.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// What comes next in a body.
pub enum Piece {
    /// Bytes to send.
    Data(Bytes),
    /// A pause.
    Pause(Duration),
    /// The connection ends here, whatever length was announced.
    Break,
}

/// A body of known length made of pieces.
pub struct Pieces {
    queue: VecDeque<Piece>,
    pause: Option<Pin<Box<Sleep>>>,
    left: u64,
}

impl Pieces {
    /// A body that sends `chunks` one after the other.
    pub fn new(chunks: Vec<Bytes>) -> Self {
        let left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        Pieces {
            queue: chunks.into_iter().map(Piece::Data).collect(),
            pause: None,
            left,
        }
    }

    /// The same body with `events` in its middle.
    pub fn interrupted(chunks: Vec<Bytes>, events: impl IntoIterator<Item = Piece>) -> Self {
        let mut body = Pieces::new(Vec::new());
        body.left = chunks.iter().map(|chunk| chunk.len() as u64).sum();
        let (first, second) = halves(chunks);
        body.queue.extend(first.into_iter().map(Piece::Data));
        body.queue.extend(events);
        body.queue.extend(second.into_iter().map(Piece::Data));
        body
    }
}

/// The bytes of `chunks` up to their middle, and those after it.
pub fn halves(chunks: Vec<Bytes>) -> (Vec<Bytes>, Vec<Bytes>) {
    let mut left = chunks.iter().map(Bytes::len).sum::<usize>() / 2;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut chunk in chunks {
        let head = chunk.split_to(left.min(chunk.len()));
        left -= head.len();
        first.push(head);
        second.push(chunk);
    }
    (first, second)
}

impl Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(pause) = self.pause.as_mut() {
                std::task::ready!(pause.as_mut().poll(context));
                self.pause = None;
            }
            match self.queue.pop_front() {
                None => return Poll::Ready(None),
                Some(Piece::Data(bytes)) if bytes.is_empty() => {}
                Some(Piece::Data(bytes)) => {
                    self.left -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Piece::Pause(time)) => self.pause = Some(Box::pin(tokio::time::sleep(time))),
                Some(Piece::Break) => {
                    return Poll::Ready(Some(Err(io::Error::other("broken off on purpose"))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.queue.is_empty() && self.pause.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
