//! The stream under HTTP, where replies are cut and slowed.
//!
//! HTTP is written by a library that knows nothing of faults. What it writes
//! passes through a [`Wire`], which does with the bytes what the [`Switch`] of
//! the connection is set to. Under TLS the wire lies above the encryption, so
//! it counts the bytes of the response in either case.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

/// What happens to the bytes of a response.
#[derive(Default)]
enum Mode {
    #[default]
    Pass,
    /// This many bytes pass, then the connection breaks.
    Cut { left: u64 },
    /// This many bytes pass, then nothing more.
    Stall { left: u64 },
    /// Nothing passes: the connection is reset.
    Reset,
    /// These are sent instead, then nothing more, or the connection is closed
    /// in good order.
    Replace { bytes: Bytes, hang: bool },
    /// These are sent before the response, and these after its first line.
    Prepend {
        before: Bytes,
        first_line_sent: bool,
        after: Bytes,
    },
    /// Each byte is followed by a pause.
    Drip {
        interval: Duration,
        pause: Option<Pin<Box<Sleep>>>,
    },
}

/// What the HTTP library writes of its own accord.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Sets what happens to the next response of one connection.
#[derive(Clone, Default)]
pub(crate) struct Switch {
    mode: Arc<Mutex<Mode>>,
    /// Whether `100 Continue` is held back.
    holds_continue: Arc<AtomicBool>,
}

impl Switch {
    pub(crate) fn pass(&self) {
        *self.lock() = Mode::Pass;
        self.hold_continue(false);
    }

    pub(crate) fn hold_continue(&self, holds: bool) {
        self.holds_continue.store(holds, Ordering::Relaxed);
    }

    fn holds(&self, data: &[u8]) -> bool {
        self.holds_continue.load(Ordering::Relaxed) && data.starts_with(CONTINUE)
    }

    pub(crate) fn cut(&self, at: u64) {
        *self.lock() = Mode::Cut { left: at };
    }

    pub(crate) fn stall(&self, at: u64) {
        *self.lock() = Mode::Stall { left: at };
    }

    pub(crate) fn reset(&self) {
        *self.lock() = Mode::Reset;
    }

    pub(crate) fn replace(&self, bytes: Bytes, hang: bool) {
        *self.lock() = Mode::Replace { bytes, hang };
    }

    pub(crate) fn prepend(&self, before: Bytes, after: Bytes) {
        *self.lock() = Mode::Prepend {
            before,
            first_line_sent: false,
            after,
        };
    }

    pub(crate) fn drip(&self, interval: Duration) {
        *self.lock() = Mode::Drip {
            interval,
            pause: None,
        };
    }

    fn lock(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock()
    }
}

/// A stream whose writes go through a [`Switch`].
pub(crate) struct Wire<S> {
    stream: S,
    switch: Switch,
}

impl<S> Wire<S> {
    pub(crate) fn new(stream: S, switch: Switch) -> Self {
        Self { stream, switch }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

/// A connection that can end with a reset.
pub(crate) trait Connected {
    /// What is not sent yet is not, and the peer is told so when this is dropped.
    fn reset_on_close(&self);
}

impl Connected for TcpStream {
    fn reset_on_close(&self) {
        // A connection that is gone needs no reset.
        let _ = self.set_zero_linger();
    }
}

impl Connected for TlsStream<TcpStream> {
    fn reset_on_close(&self) {
        self.get_ref().0.reset_on_close();
    }
}

impl<S: AsyncWrite + Connected + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Self { stream, switch } = self.get_mut();
        let mut stream = Pin::new(stream);
        if switch.holds(data) {
            return Poll::Ready(Ok(CONTINUE.len()));
        }
        match &mut *switch.lock() {
            Mode::Pass => stream.poll_write(context, data),
            Mode::Cut { left: 0 } => {
                ready!(stream.poll_flush(context))?;
                Poll::Ready(Err(broken()))
            }
            Mode::Cut { left } => write_at_most(stream, context, data, left),
            Mode::Stall { left: 0 } => {
                ready!(stream.poll_flush(context))?;
                Poll::Pending
            }
            Mode::Stall { left } => write_at_most(stream, context, data, left),
            Mode::Reset => {
                stream.reset_on_close();
                Poll::Ready(Err(broken()))
            }
            Mode::Replace { bytes, hang } => {
                ready!(write_all(stream.as_mut(), context, bytes))?;
                if *hang {
                    // What ends it is that the client closes, which is read.
                    ready!(stream.poll_flush(context))?;
                    return Poll::Pending;
                }
                ready!(stream.poll_shutdown(context))?;
                Poll::Ready(Err(broken()))
            }
            Mode::Prepend {
                before,
                first_line_sent,
                after,
            } => {
                ready!(write_all(stream.as_mut(), context, before))?;
                if !*first_line_sent {
                    let end = data.iter().position(|byte| *byte == b'\n');
                    let line = &data[..end.map_or(data.len(), |end| end + 1)];
                    let written = ready!(stream.poll_write(context, line))?;
                    *first_line_sent = end.is_some() && written == line.len();
                    return Poll::Ready(Ok(written));
                }
                ready!(write_all(stream.as_mut(), context, after))?;
                stream.poll_write(context, data)
            }
            Mode::Drip { interval, pause } => {
                if let Some(pause) = pause {
                    ready!(pause.as_mut().poll(context));
                }
                let first = data.get(..1).unwrap_or_default();
                let written = ready!(stream.poll_write(context, first))?;
                *pause = Some(Box::pin(tokio::time::sleep(*interval)));
                Poll::Ready(Ok(written))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, switch } = self.get_mut();
        ready!(Pin::new(stream).poll_flush(context))?;
        // A response may end exactly where it is cut. No write follows then
        // that could fail, so the flush has to.
        match &*switch.lock() {
            Mode::Cut { left: 0 } => Poll::Ready(Err(broken())),
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// The error that makes the HTTP library drop the connection. Without a
/// shutdown before, a TLS client sees the stream end unannounced, as it would
/// after a network failure.
fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::BrokenPipe)
}

fn write_at_most<S: AsyncWrite>(
    stream: Pin<&mut S>,
    context: &mut Context<'_>,
    data: &[u8],
    left: &mut u64,
) -> Poll<io::Result<usize>> {
    let allowed = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
    let written = ready!(stream.poll_write(context, &data[..allowed]))?;
    *left = left.saturating_sub(written as u64);
    Poll::Ready(Ok(written))
}

fn write_all<S: AsyncWrite>(
    mut stream: Pin<&mut S>,
    context: &mut Context<'_>,
    bytes: &mut Bytes,
) -> Poll<io::Result<()>> {
    while bytes.has_remaining() {
        let written = ready!(stream.as_mut().poll_write(context, bytes))?;
        bytes.advance(written);
    }
    Poll::Ready(Ok(()))
}
