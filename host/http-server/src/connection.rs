//! What one connection is at, and its socket.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Notify,
};

use crate::{Bounds, counts::Reason, exchange::Failure, room::Room};

/// A connection that is this far behind the slowest pace allowed may be closed to make room.
const STALLED: Duration = Duration::from_secs(2);

/// What a connection is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// No byte of the next request has come.
    Waiting,
    /// A head is coming.
    Head,
    /// A body is coming.
    Body,
    /// The answer is made or sent.
    Answer,
}

/// How far somebody is behind the slowest pace allowed.
#[derive(Default)]
struct Debt {
    blocked_since: Option<Instant>,
    owed: Duration,
}

impl Debt {
    fn blocked(&mut self, now: Instant) {
        self.blocked_since.get_or_insert(now);
    }

    fn moved(&mut self, bytes: usize, bytes_per_second: u32, now: Instant) {
        let Some(since) = self.blocked_since.take() else {
            return;
        };
        let seconds = bytes as f64 / f64::from(bytes_per_second.max(1));
        let paid = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        let waited = now.saturating_duration_since(since);
        self.owed = self.owed.saturating_add(waited).saturating_sub(paid);
    }

    fn owes(&self, now: Instant) -> Duration {
        let waited = self
            .blocked_since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.owed.saturating_add(waited)
    }

    /// Since when it has been behind, where that is long.
    fn stalled_since(&self, now: Instant) -> Option<Instant> {
        let owed = self.owes(now);
        (owed >= STALLED).then(|| now.checked_sub(owed).unwrap_or(now))
    }
}

struct State {
    phase: Phase,
    since: Instant,
    sends: Debt,
    reads: Debt,
    body_bytes: u64,
    answer_bytes: u64,
    /// Whether the handler passes the body on and holds none of it.
    is_passed_on: bool,
    failure: Option<Failure>,
    body_waker: Option<Waker>,
}

/// One connection.
pub(crate) struct Connection {
    pub(crate) id: u64,
    /// The address that it counts for.
    pub(crate) address: IpAddr,
    /// Whether that is not a stranger's.
    pub(crate) is_trusted: bool,
    pub(crate) room: Arc<Room>,
    /// Tells its task to drop it.
    pub(crate) close: Notify,
    state: Mutex<State>,
}

impl Connection {
    pub(crate) fn new(id: u64, address: IpAddr, is_trusted: bool, room: Arc<Room>) -> Self {
        Self {
            id,
            address,
            is_trusted,
            room,
            close: Notify::new(),
            state: Mutex::new(State {
                phase: Phase::Waiting,
                since: Instant::now(),
                sends: Debt::default(),
                reads: Debt::default(),
                body_bytes: 0,
                answer_bytes: 0,
                is_passed_on: false,
                failure: None,
                body_waker: None,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = phase;
        state.since = Instant::now();
    }

    fn bytes_came(&self) {
        let mut state = self.state();
        if state.phase == Phase::Waiting {
            state.phase = Phase::Head;
            state.since = Instant::now();
        }
    }

    pub(crate) fn request_began(&self, has_body: bool) {
        self.enter(match has_body {
            true => Phase::Body,
            false => Phase::Answer,
        });
    }

    /// The body has more to come. Returns why it must not wait for it.
    pub(crate) fn body_waits(&self, waker: &Waker) -> Option<Failure> {
        let mut state = self.state();
        if state.failure.is_none() {
            state.sends.blocked(Instant::now());
            state.body_waker = Some(waker.clone());
        }
        state.failure
    }

    /// So much of the body came. Returns why no more of it is taken.
    pub(crate) fn body_came(&self, bytes: usize) -> Option<Failure> {
        {
            let mut state = self.state();
            if state.failure.is_some() {
                return state.failure;
            }
            let pace = self.room.bounds.bytes_per_second_min;
            state.sends.moved(bytes, pace, Instant::now());
            if state.is_passed_on {
                return None;
            }
            state.body_bytes += bytes as u64;
        }
        if self.room.body_bytes.add(bytes as u64) && !self.room.shed_senders() {
            self.fail_body(Failure::Busy);
        }
        self.state().failure
    }

    /// What comes of this body is not held.
    pub(crate) fn body_passes(&self) {
        self.state().is_passed_on = true;
    }

    pub(crate) fn body_ended(&self) {
        let mut state = self.state();
        state.sends = Debt::default();
        state.body_waker = None;
        if state.phase == Phase::Body {
            state.phase = Phase::Answer;
            state.since = Instant::now();
        }
    }

    /// Gives up the body, and frees what came of it.
    pub(crate) fn fail_body(&self, failure: Failure) {
        let waker = {
            let mut state = self.state();
            if state.failure.is_some() {
                return;
            }
            state.failure = Some(failure);
            let bytes = std::mem::take(&mut state.body_bytes);
            self.room.body_bytes.sub(bytes);
            state.body_waker.take()
        };
        self.room.counters.ended(match failure {
            Failure::TooSlow => Reason::Body,
            Failure::Busy => Reason::Bytes,
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The answer takes so many bytes more until they are sent.
    pub(crate) fn answer_grows(&self, bytes: u64) {
        self.state().answer_bytes += bytes;
        if self.room.answer_bytes.add(bytes) {
            self.room.shed_readers();
        }
    }

    /// So many bytes of the answer are sent, or will not be.
    pub(crate) fn answer_shrinks(&self, bytes: u64) {
        let mut state = self.state();
        let released = bytes.min(state.answer_bytes);
        state.answer_bytes -= released;
        self.room.answer_bytes.sub(released);
    }

    /// The answer is given, or will not be.
    pub(crate) fn request_ended(&self) {
        let mut state = self.state();
        let bytes = std::mem::take(&mut state.body_bytes);
        self.room.body_bytes.sub(bytes);
        state.phase = Phase::Waiting;
        state.since = Instant::now();
        state.is_passed_on = false;
        state.failure = None;
        state.body_waker = None;
        state.sends = Debt::default();
    }

    fn write_blocked(&self) {
        self.state().reads.blocked(Instant::now());
    }

    fn wrote(&self, bytes: usize) {
        {
            let mut state = self.state();
            let pace = self.room.bounds.bytes_per_second_min;
            state.reads.moved(bytes, pace, Instant::now());
        }
        self.answer_shrinks(bytes as u64);
    }

    /// Bytes that it holds of a body and of an answer.
    pub(crate) fn held(&self) -> (u64, u64) {
        let state = self.state();
        (state.body_bytes, state.answer_bytes)
    }

    /// Frees what it holds; it is on its way out.
    pub(crate) fn release(&self) {
        let mut state = self.state();
        self.room
            .body_bytes
            .sub(std::mem::take(&mut state.body_bytes));
        self.room
            .answer_bytes
            .sub(std::mem::take(&mut state.answer_bytes));
    }

    /// Since when it has waited for its client, where it has.
    pub(crate) fn waits_since(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        let stalled = match state.phase {
            Phase::Waiting | Phase::Head => Some(state.since),
            Phase::Body => state.sends.stalled_since(now),
            Phase::Answer => None,
        };
        stalled.or_else(|| state.reads.stalled_since(now))
    }

    /// How far it is behind with sending a body that is held.
    pub(crate) fn sender_owes(&self, now: Instant) -> Duration {
        let state = self.state();
        match state.body_bytes {
            0 => Duration::ZERO,
            _ => state.sends.owes(now),
        }
    }

    /// How far it is behind with reading an answer that is held.
    pub(crate) fn reader_owes(&self, now: Instant) -> Duration {
        let state = self.state();
        match state.answer_bytes {
            0 => Duration::ZERO,
            _ => state.reads.owes(now),
        }
    }

    /// The bound that it is beyond.
    pub(crate) fn overdue(&self, bounds: &Bounds, now: Instant) -> Option<Reason> {
        let state = self.state();
        let age = now.saturating_duration_since(state.since);
        if state.reads.owes(now) > bounds.write_timeout() {
            return Some(Reason::Write);
        }
        match state.phase {
            Phase::Waiting if age > bounds.idle_timeout() => Some(Reason::Idle),
            Phase::Head if age > bounds.head_timeout() => Some(Reason::Head),
            Phase::Body if state.sends.owes(now) > bounds.body_timeout() => Some(Reason::Body),
            _ => None,
        }
    }
}

/// A connection's socket, which notes what moves.
pub(crate) struct Socket {
    stream: TcpStream,
    connection: Arc<Connection>,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream, connection: Arc<Connection>) -> Self {
        Self { stream, connection }
    }

    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending => self.connection.write_blocked(),
            Poll::Ready(Ok(bytes)) => self.connection.wrote(*bytes),
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.connection.bytes_came();
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_keeps_the_pace_owes_nothing_and_whoever_drips_owes_more_and_more() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let owed = |every_ms: u64, bytes| {
            let mut debt = Debt::default();
            for n in 0..20 {
                debt.blocked(at(n * every_ms));
                debt.moved(bytes, 1_000, at((n + 1) * every_ms));
            }
            debt.owes(at(20 * every_ms))
        };
        assert_eq!(owed(100, 100), Duration::ZERO);
        assert_eq!(owed(100, 1), Duration::from_millis(20 * 99));
        let mut debt = Debt::default();
        debt.moved(1 << 30, 1_000, at(0));
        debt.blocked(at(0));
        let early = Duration::from_millis(500);
        assert_eq!(debt.owes(at(500)), early, "haste beforehand buys nothing");
    }
}
