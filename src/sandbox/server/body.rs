//! Response bodies that are sent in parts without copying, and that can pause or abort midway.

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// Step in sending a [`ScriptedBody`].
pub(crate) enum BodyStep {
    Send(Bytes),
    Pause(Duration),
    /// Closes the connection even if fewer bytes were sent than announced.
    Abort,
}

/// Body of known length that follows a script of steps.
pub(crate) struct ScriptedBody {
    steps: VecDeque<BodyStep>,
    pause: Option<Pin<Box<Sleep>>>,
    remaining: u64,
}

impl ScriptedBody {
    /// Body that sends `chunks` in order.
    pub(crate) fn new(chunks: Vec<Bytes>) -> Self {
        ScriptedBody {
            remaining: total_len(&chunks),
            steps: chunks.into_iter().map(BodyStep::Send).collect(),
            pause: None,
        }
    }

    /// Body that sends `chunks`, with `steps` inserted in the middle.
    pub(crate) fn interrupted(
        chunks: Vec<Bytes>,
        steps: impl IntoIterator<Item = BodyStep>,
    ) -> Self {
        let remaining = total_len(&chunks);
        let (first, second) = split_in_half(chunks);
        let first = first.into_iter().map(BodyStep::Send);
        let second = second.into_iter().map(BodyStep::Send);
        ScriptedBody {
            steps: first.chain(steps).chain(second).collect(),
            pause: None,
            remaining,
        }
    }
}

fn total_len(chunks: &[Bytes]) -> u64 {
    chunks.iter().map(|chunk| chunk.len() as u64).sum()
}

/// Splits `chunks` at the middle of their bytes.
pub(crate) fn split_in_half(chunks: Vec<Bytes>) -> (Vec<Bytes>, Vec<Bytes>) {
    let mut remaining = chunks.iter().map(Bytes::len).sum::<usize>() / 2;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut chunk in chunks {
        let head = chunk.split_to(remaining.min(chunk.len()));
        remaining -= head.len();
        first.push(head);
        second.push(chunk);
    }
    (first, second)
}

impl Body for ScriptedBody {
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
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(BodyStep::Send(bytes)) if bytes.is_empty() => {}
                Some(BodyStep::Send(bytes)) => {
                    self.remaining -= bytes.len() as u64;
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(BodyStep::Pause(time)) => {
                    self.pause = Some(Box::pin(tokio::time::sleep(time)));
                }
                Some(BodyStep::Abort) => {
                    return Poll::Ready(Some(Err(io::Error::other("body aborted on purpose"))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.is_empty() && self.pause.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}
