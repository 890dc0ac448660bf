//! Costly work goes off the async threads, a few pieces at a time; a bounded number waits. Addresses take
//! turns, so that one that asks for much waits for itself and not the others for it. Those that the operator
//! trusts have a part of the turns and of the places, so that many strangers with little each do not crowd
//! them out.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::subscriber;

/// While somebody trusted waits, at least one turn of so many is theirs.
const TURNS_OF_TRUSTED: usize = 4;
/// One place of so many is kept for those that are trusted: who waits in one is not sent away.
const PLACES_OF_TRUSTED: usize = 2;

/// How much of one kind of work goes on and waits.
#[derive(Debug, Clone, Copy)]
pub struct QueueBounds {
    /// Pieces under way at once.
    pub running_max: usize,
    /// Pieces that wait for their turn.
    pub waiting_max: usize,
    /// Of those, how many of one address; those that are trusted are not bounded by it.
    pub waiting_per_address_max: usize,
    /// How long one waits.
    pub wait_max: Duration,
}

/// Whose requests are not a stranger's: this machine, and the addresses that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Trusted(Arc<HashSet<IpAddr>>);

impl Trusted {
    /// These addresses, and this machine.
    pub fn new(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self(Arc::new(addresses.into_iter().map(subscriber).collect()))
    }

    /// Whether this one is, or another of its IPv6 network.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.0.contains(&subscriber(address))
    }
}

/// Where work of one kind queues up.
pub struct Queue {
    bounds: QueueBounds,
    lines: Arc<Mutex<Lines>>,
    refused: AtomicU64,
}

/// Who waits. An address that waits has a line of its own, and stands in `order` once.
#[derive(Debug, Default)]
struct Lines {
    trusted: Trusted,
    running: usize,
    waiting: usize,
    /// Of those that wait, how many are of trusted addresses.
    trusted_waiting: usize,
    /// Turns that strangers had in a row while somebody trusted waited.
    turns_of_strangers: usize,
    /// Tells those that wait apart.
    next_ticket: u64,
    of_address: HashMap<IpAddr, BTreeMap<u64, oneshot::Sender<Turn>>>,
    /// Whose turn is next.
    order: VecDeque<IpAddr>,
}

/// There are too many already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy;

/// The turn of one piece of work; the next one's when it is dropped.
#[derive(Debug)]
pub struct Turn(Option<Arc<Mutex<Lines>>>);

impl Queue {
    /// A queue in which nobody waits.
    pub fn new(bounds: QueueBounds, trusted: &Trusted) -> Self {
        let lines = Lines {
            trusted: trusted.clone(),
            ..Lines::default()
        };
        Self {
            bounds,
            lines: Arc::new(Mutex::new(lines)),
            refused: AtomicU64::new(0),
        }
    }

    /// Waits for a turn of work that `address` asks for.
    pub async fn turn(&self, address: IpAddr) -> Result<Turn, Busy> {
        let (_place, turn) = match self.enter(address) {
            Ok(Entered::Runs(turn)) => return Ok(turn),
            Ok(Entered::Waits(place, turn)) => (place, turn),
            Err(Busy) => {
                self.refuse();
                return Err(Busy);
            }
        };
        match tokio::time::timeout(self.bounds.wait_max, turn).await {
            Ok(Ok(turn)) => Ok(turn),
            // It took too long, or gave way to an address that has less.
            Err(_) | Ok(Err(_)) => {
                self.refuse();
                Err(Busy)
            }
        }
    }

    /// Pieces of work that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Pieces of work that wait.
    pub fn waiting(&self) -> usize {
        lock(&self.lines).waiting
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn enter(&self, address: IpAddr) -> Result<Entered<'_>, Busy> {
        let mut lines = lock(&self.lines);
        // While somebody waits, every turn is taken.
        if lines.running < self.bounds.running_max {
            lines.running += 1;
            return Ok(Entered::Runs(Turn(Some(Arc::clone(&self.lines)))));
        }
        let own = lines.of_address.get(&address).map_or(0, BTreeMap::len);
        let is_trusted = lines.trusted.contains(address);
        if own >= self.bounds.waiting_per_address_max && !is_trusted {
            return Err(Busy);
        }
        let is_full = lines.waiting >= self.bounds.waiting_max;
        if is_full && !lines.give_way(own, is_trusted, self.bounds.waiting_max) {
            return Err(Busy);
        }
        let (sender, turn) = oneshot::channel();
        let ticket = lines.next_ticket;
        lines.next_ticket += 1;
        lines.waiting += 1;
        lines.trusted_waiting += usize::from(is_trusted);
        let line = lines.of_address.entry(address).or_default();
        line.insert(ticket, sender);
        if line.len() == 1 {
            lines.order.push_back(address);
        }
        let place = Place {
            queue: self,
            address,
            ticket,
        };
        Ok(Entered::Waits(place, turn))
    }
}

fn lock(lines: &Mutex<Lines>) -> MutexGuard<'_, Lines> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lines {
    /// Sends away the last of the address that has most, if that is more than a newcomer's address
    /// would have. Within the places of those that are trusted no one of them makes room for a stranger,
    /// and a stranger makes room for each of them.
    fn give_way(&mut self, own: usize, is_trusted: bool, places: usize) -> bool {
        let kept = places / PLACES_OF_TRUSTED;
        let has_a_place = is_trusted && self.trusted_waiting < kept;
        let are_kept = match is_trusted {
            true => has_a_place,
            false => self.trusted_waiting <= kept,
        };
        let may_leave = |address: &IpAddr| !(are_kept && self.trusted.contains(*address));
        let others = self.of_address.iter();
        let longest = others
            .filter(|(address, _)| may_leave(address))
            .max_by_key(|(_, line)| line.len());
        let Some((&address, line)) =
            longest.filter(|(_, line)| has_a_place || line.len() > own + 1)
        else {
            return false;
        };
        let last = line.keys().next_back().copied();
        last.is_some_and(|ticket| self.leave(address, ticket).is_some())
    }

    fn leave(&mut self, address: IpAddr, ticket: u64) -> Option<oneshot::Sender<Turn>> {
        let line = self.of_address.get_mut(&address)?;
        let sender = line.remove(&ticket)?;
        self.waiting -= 1;
        if line.is_empty() {
            self.of_address.remove(&address);
            self.order.retain(|waiting| *waiting != address);
        }
        self.trusted_waiting -= usize::from(self.trusted.contains(address));
        Some(sender)
    }

    /// Who comes next: the first of the next address.
    fn next(&mut self) -> Option<oneshot::Sender<Turn>> {
        let place = self.next_in_order();
        let address = self.order.remove(place)?;
        self.turns_of_strangers = match self.trusted_waiting > 0 && !self.trusted.contains(address)
        {
            true => self.turns_of_strangers + 1,
            false => 0,
        };
        // Behind the others, if it has more.
        self.order.push_back(address);
        let ticket = *self.of_address.get(&address)?.first_key_value()?.0;
        self.leave(address, ticket)
    }

    /// Where in the order the next address stands: in front, but where those that are trusted have
    /// waited long enough.
    fn next_in_order(&self) -> usize {
        if self.turns_of_strangers + 1 < TURNS_OF_TRUSTED {
            return 0;
        }
        let mut order = self.order.iter();
        order
            .position(|address| self.trusted.contains(*address))
            .unwrap_or(0)
    }
}

enum Entered<'a> {
    Runs(Turn),
    Waits(Place<'a>, oneshot::Receiver<Turn>),
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        let mut lines = lock(&shared);
        while let Some(next) = lines.next() {
            let passed_on = Self(Some(Arc::clone(&shared)));
            match next.send(passed_on) {
                Ok(()) => return,
                // It has left meanwhile: the turn is not its own to give back.
                Err(mut unused) => unused.0 = None,
            }
        }
        lines.running -= 1;
    }
}

/// A place among those that wait.
struct Place<'a> {
    queue: &'a Queue,
    address: IpAddr,
    ticket: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        lock(&self.queue.lines).leave(self.address, self.ticket);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use futures::{FutureExt, future::join_all};

    use super::*;

    const BOUNDS: QueueBounds = QueueBounds {
        running_max: 2,
        waiting_max: 6,
        waiting_per_address_max: 3,
        wait_max: Duration::from_secs(5),
    };

    fn address(n: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, n).into()
    }

    fn queue() -> Queue {
        Queue::new(BOUNDS, &Trusted::new([address(200), address(201)]))
    }

    /// So many that wait for a turn of this address.
    macro_rules! waiting {
        ($queue:expr, $n:expr, $count:expr) => {{
            let mut waiting: Vec<_> = (0..$count)
                .map(|_| Box::pin($queue.turn(address($n))))
                .collect();
            for turn in &mut waiting {
                assert!(turn.now_or_never().is_none(), "it waits");
            }
            waiting
        }};
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_has_its_share_of_the_queue_and_the_queue_its_end() {
        let queue = queue();
        let first = queue.turn(address(1)).await.unwrap();
        let _second = queue.turn(address(1)).await.unwrap();
        let mut waiting = waiting!(queue, 1, 3);
        assert_eq!(queue.turn(address(1)).await.unwrap_err(), Busy);
        let _others: Vec<_> = (2..5).map(|n| waiting!(queue, n, 1)).collect();
        assert_eq!(queue.turn(address(2)).await.unwrap_err(), Busy, "the end");
        drop(first);
        assert!(waiting.remove(0).await.is_ok());
        assert_eq!(queue.refused(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_take_turns_however_many_wait_of_one() {
        let queue = queue();
        let mut running = vec![queue.turn(address(1)).await.unwrap()];
        running.push(queue.turn(address(1)).await.unwrap());
        let mut flood = waiting!(queue, 1, 3);
        let mut honest = waiting!(queue, 2, 2);
        running.remove(0);
        let one = flood[0].as_mut().now_or_never().expect("it came first");
        assert!(honest[0].as_mut().now_or_never().is_none());
        running.remove(0);
        let other = honest[0].as_mut().now_or_never().expect("the next address");
        drop(one);
        let one = flood[1].as_mut().now_or_never().expect("its turn again");
        drop(other);
        assert!(honest[1].as_mut().now_or_never().is_some());
        drop(one);
        assert!(flood[2].as_mut().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_makes_room_for_an_address_that_has_less_in_it() {
        let queue = queue();
        let _turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        let mut most = waiting!(queue, 1, 3);
        let _others = (waiting!(queue, 2, 2), waiting!(queue, 3, 1));
        let _newcomer = waiting!(queue, 4, 1);
        let last = most[2].as_mut().now_or_never().expect("it gives way");
        assert_eq!(last.unwrap_err(), Busy);
        assert!(most[1].as_mut().now_or_never().is_none());
        let another = queue.turn(address(4)).await;
        assert_eq!(another.unwrap_err(), Busy, "it would have as much");
        assert_eq!(lock(&queue.lines).waiting, BOUNDS.waiting_max);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_bound_and_who_leaves_frees_a_place() {
        let queue = queue();
        let turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        assert!(queue.turn(address(1)).await.is_err());
        for _ in 0..10 {
            let leaving = tokio::time::timeout(Duration::from_millis(1), queue.turn(address(1)));
            assert!(leaving.await.is_err(), "it waits, and is given up");
        }
        {
            let lines = lock(&queue.lines);
            assert_eq!((lines.waiting, lines.running), (0, 2));
            assert!(lines.of_address.is_empty() && lines.order.is_empty());
        }
        // A turn that is given to one who left with it is not lost.
        let mut leaving = waiting!(queue, 1, 1);
        drop(turns);
        drop(leaving.pop());
        assert_eq!(lock(&queue.lines).running, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn many_strangers_with_one_request_each_send_nobody_trusted_away() {
        let queue = queue();
        let _turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        let mut backend = waiting!(queue, 200, 2);
        let mut local = Box::pin(queue.turn(Ipv4Addr::LOCALHOST.into()));
        assert!((&mut local).now_or_never().is_none());
        let mut flood: Vec<_> = (2..5).flat_map(|n| waiting!(queue, n, 1)).collect();
        for n in 5..100 {
            let stranger = queue.turn(address(n)).now_or_never();
            assert_eq!(stranger.expect("there is no room").unwrap_err(), Busy);
        }
        assert!((&mut local).now_or_never().is_none(), "it keeps its place");
        for turn in &mut backend {
            assert!(turn.now_or_never().is_none(), "it keeps its place");
        }
        // A place is left, and a stranger is sent away for one of them; beyond theirs they are as others.
        drop(backend.pop());
        flood.extend(waiting!(queue, 5, 1));
        let _backend = waiting!(queue, 201, 1);
        let sent_away = flood.iter_mut().filter_map(|turn| turn.now_or_never());
        assert_eq!(sent_away.filter(Result::is_err).count(), 1);
        assert_eq!(queue.turn(address(201)).await.unwrap_err(), Busy);
        assert_eq!(queue.waiting(), BOUNDS.waiting_max);
    }

    /// A validator is trusted here, and may lie.
    #[tokio::test(start_paused = true)]
    async fn a_long_line_of_one_that_is_trusted_makes_room_for_another() {
        let queue = queue();
        let _turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        let mut peer = waiting!(queue, 200, BOUNDS.waiting_max / PLACES_OF_TRUSTED);
        let _strangers: Vec<_> = (2..5).map(|n| waiting!(queue, n, 1)).collect();
        let _backend = waiting!(queue, 201, 1);
        let last = peer.pop().unwrap().now_or_never();
        assert_eq!(last.expect("it is sent away").unwrap_err(), Busy);
        for turn in &mut peer {
            assert!(turn.now_or_never().is_none(), "it keeps its place");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_are_trusted_make_room_for_strangers_beyond_their_places() {
        let queue = queue();
        let _turns = join_all((0..2).map(|_| queue.turn(address(1)))).await;
        let mut backend = waiting!(queue, 200, BOUNDS.waiting_max);
        let mut strangers: Vec<_> = (2..5).flat_map(|n| waiting!(queue, n, 1)).collect();
        let stranger = queue.turn(address(5)).now_or_never();
        assert_eq!(stranger.expect("there is no room").unwrap_err(), Busy);
        let gone = backend.iter_mut().filter_map(|turn| turn.now_or_never());
        assert_eq!(gone.filter(Result::is_err).count(), 3);
        for turn in &mut strangers {
            assert!(turn.now_or_never().is_none());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_turn_in_four_is_theirs_who_are_trusted_however_many_strangers_wait() {
        let bounds = QueueBounds {
            running_max: 1,
            waiting_max: 60,
            ..BOUNDS
        };
        let queue = Queue::new(bounds, &Trusted::new([address(200)]));
        let mut running = vec![queue.turn(address(1)).await.unwrap()];
        let mut strangers: Vec<_> = (1..=40).flat_map(|n| waiting!(queue, n, 1)).collect();
        let mut backend = waiting!(queue, 200, 5);
        let mut had = Vec::new();
        while !backend.is_empty() {
            assert!(had.len() < 100, "it never had its turns");
            running.clear();
            let lines = [&mut strangers, &mut backend];
            let next = lines.into_iter().enumerate().find_map(|(which, line)| {
                let found = line
                    .iter_mut()
                    .enumerate()
                    .find_map(|(place, turn)| Some((place, turn.now_or_never()?.expect("a turn"))));
                let (place, turn) = found?;
                drop(line.remove(place));
                Some((which, turn))
            });
            let (which, turn) = next.expect("somebody's turn");
            had.push(which);
            running.push(turn);
        }
        let expected: Vec<_> = (1..=20).map(|turn| usize::from(turn % 4 == 0)).collect();
        assert_eq!(had, expected);
    }

    #[test]
    fn an_ipv6_network_is_trusted_as_a_whole_and_a_mapped_address_is_its_own() {
        let trusted = Trusted::new(["2001:db8::1", "192.0.2.7"].map(|ip| ip.parse().unwrap()));
        for (address, expected) in [
            ("2001:db8::ffff", true),
            ("2001:db8:0:1::1", false),
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("192.0.2.8", false),
            ("127.0.0.5", true),
            ("::1", true),
        ] {
            assert_eq!(
                trusted.contains(address.parse().unwrap()),
                expected,
                "{address}"
            );
        }
    }
}
