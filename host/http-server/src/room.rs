//! Who is connected, who is let in, who has to go.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use crate::{
    Bounds, Counts,
    connection::Connection,
    counts::{Counters, Reason},
    exchange::Failure,
    listen::{connections_within, raise_file_limit},
};

/// Bits of an IPv6 address that one subscriber has to itself.
const IPV6_PREFIX: u128 = !0 << 64;
/// When there is no room, this part of all places is made free at once, so that a flood does not
/// search all connections for each newcomer.
const EVICTED_PART: usize = 64;

/// One address has at most this part of all places.
const ADDRESS_PART: usize = 8;
/// This part of all places is kept for those that are trusted.
const TRUSTED_PART: usize = 8;

/// The address that limits count for: one subscriber has a whole IPv6 network of 64 bits.
pub fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            Ipv6Addr::from_bits(address.to_bits() & IPV6_PREFIX).into()
        }
        address => address,
    }
}

/// A number of bytes that has a bound.
pub(crate) struct Bytes {
    held: AtomicU64,
    most: AtomicU64,
    max: u64,
}

impl Bytes {
    fn new(max: u64) -> Self {
        Self {
            held: AtomicU64::new(0),
            most: AtomicU64::new(0),
            max,
        }
    }

    /// Whether there are too many now.
    pub(crate) fn add(&self, bytes: u64) -> bool {
        let held = self.held.fetch_add(bytes, Relaxed) + bytes;
        self.most.fetch_max(held, Relaxed);
        held > self.max
    }

    pub(crate) fn sub(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Relaxed);
    }

    fn are_too_many(&self) -> bool {
        self.held.load(Relaxed) > self.max
    }
}

#[derive(Default)]
struct Table {
    connections: HashMap<u64, Arc<Connection>>,
    of_address: HashMap<IpAddr, usize>,
    next_id: u64,
    most: usize,
}

/// The connections that may be closed to make room.
#[derive(Clone, Copy)]
enum Whose {
    /// Another connection of this address.
    Address(IpAddr),
    /// Any, for somebody who is trusted or not.
    AnyFor { is_trusted: bool },
}

/// All connections of a server.
pub(crate) struct Room {
    pub(crate) bounds: Bounds,
    pub(crate) counters: Counters,
    pub(crate) body_bytes: Bytes,
    pub(crate) answer_bytes: Bytes,
    is_trusted: Box<dyn Fn(&IpAddr) -> bool + Send + Sync>,
    table: Mutex<Table>,
}

impl Room {
    pub(crate) fn new(
        mut bounds: Bounds,
        is_trusted: Box<dyn Fn(&IpAddr) -> bool + Send + Sync>,
    ) -> Arc<Self> {
        let files = raise_file_limit();
        let fitting = connections_within(bounds.connections_max, files);
        if fitting < bounds.connections_max {
            tracing::info!(
                connections_max = bounds.connections_max,
                fitting,
                files,
                "fewer connections fit under the limit of open files than are configured"
            );
        }
        bounds.connections_max = fitting;
        let share = (fitting / ADDRESS_PART).max(1);
        bounds.connections_per_address_max = bounds.connections_per_address_max.clamp(1, share);
        Arc::new(Self {
            bounds,
            counters: Counters::default(),
            body_bytes: Bytes::new(bounds.body_bytes_in_all_max),
            answer_bytes: Bytes::new(bounds.answer_bytes_in_all_max),
            is_trusted,
            table: Mutex::default(),
        })
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a newcomer in, if need be in the place of one that waits.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr) -> Option<Arc<Connection>> {
        let address = subscriber(peer);
        let is_trusted = address.is_loopback() || (self.is_trusted)(&peer.to_canonical());
        let mut table = self.table();
        let of_address = table.of_address.get(&address).copied().unwrap_or(0);
        let per_address = self.bounds.connections_per_address_max;
        let places = self.bounds.connections_max - if is_trusted { 0 } else { self.kept() };
        let refused = if !is_trusted
            && of_address >= per_address
            && self.make_room(&mut table, Whose::Address(address)) == 0
        {
            Some(Reason::Address)
        } else if table.connections.len() >= places
            && self.make_room(&mut table, Whose::AnyFor { is_trusted }) == 0
        {
            Some(Reason::Full)
        } else {
            None
        };
        if let Some(reason) = refused {
            self.counters.ended(reason);
            return None;
        }
        let id = table.next_id;
        table.next_id += 1;
        let connection = Arc::new(Connection::new(id, address, is_trusted, Arc::clone(self)));
        table.connections.insert(id, Arc::clone(&connection));
        *table.of_address.entry(address).or_default() += 1;
        table.most = table.most.max(table.connections.len());
        self.counters.accepted();
        Some(connection)
    }

    /// A connection has ended.
    pub(crate) fn leave(&self, connection: &Connection) {
        self.table().remove(connection);
        connection.release();
    }

    /// Makes room where the system has no file left for another connection.
    pub(crate) fn make_room_for_files(&self) {
        self.make_room(&mut self.table(), Whose::AnyFor { is_trusted: true });
    }

    /// Places that are kept for those that are trusted: one at least, where a stranger has another.
    fn kept(&self) -> usize {
        let places = self.bounds.connections_max;
        (places / TRUSTED_PART).max(1).min(places.saturating_sub(1))
    }

    /// Closes those that have waited longest, of the address that has most of them; returns how many.
    fn make_room(&self, table: &mut Table, whose: Whose) -> usize {
        let now = Instant::now();
        let trusted = table.connections.values().filter(|c| c.is_trusted).count();
        let may_leave = |connection: &Connection| match whose {
            Whose::Address(address) => address == connection.address,
            // Within their places, those that are trusted make no room for strangers.
            Whose::AnyFor { is_trusted } => {
                is_trusted || !connection.is_trusted || trusted > self.kept()
            }
        };
        let mut waiting: HashMap<IpAddr, Vec<(Instant, u64)>> = HashMap::new();
        for connection in table.connections.values() {
            if may_leave(connection)
                && let Some(since) = connection.waits_since(now)
            {
                let of_address = waiting.entry(connection.address).or_default();
                of_address.push((since, connection.id));
            }
        }
        let most = waiting.into_values().max_by_key(Vec::len);
        let mut most = most.unwrap_or_default();
        most.sort_unstable();
        let mut evicted = (self.bounds.connections_max / EVICTED_PART).max(1);
        if matches!(whose, Whose::AnyFor { is_trusted: false }) && trusted > self.kept() {
            // They may be those that are trusted.
            evicted = evicted.min(trusted - self.kept());
        }
        most.truncate(evicted);
        for (_, id) in &most {
            if let Some(connection) = table.connections.get(id).cloned() {
                table.remove(&connection);
                self.cut_off(&connection, Reason::Evicted);
            }
        }
        most.len()
    }

    fn close(&self, connection: &Connection, reason: Reason) {
        if self.table().remove(connection) {
            self.cut_off(connection, reason);
        }
    }

    fn cut_off(&self, connection: &Connection, reason: Reason) {
        self.counters.ended(reason);
        connection.release();
        connection.close.notify_one();
    }

    fn all(&self) -> Vec<Arc<Connection>> {
        self.table().connections.values().cloned().collect()
    }

    /// Closes whoever is beyond a bound of time.
    pub(crate) fn sweep(&self) {
        let now = Instant::now();
        for connection in self.all() {
            match connection.overdue(&self.bounds, now) {
                // It can still be answered.
                Some(Reason::Body) => connection.fail_body(Failure::TooSlow),
                Some(reason) => self.close(&connection, reason),
                None => {}
            }
        }
    }

    /// Gives up the bodies that are furthest behind until the held ones are within their bound.
    pub(crate) fn shed_senders(&self) -> bool {
        self.shed(&self.body_bytes, Connection::sender_owes, |connection| {
            connection.fail_body(Failure::Busy);
        })
    }

    /// Closes the readers that are furthest behind until the held answers are within their bound.
    pub(crate) fn shed_readers(&self) -> bool {
        self.shed(&self.answer_bytes, Connection::reader_owes, |connection| {
            self.close(connection, Reason::Bytes);
        })
    }

    /// Whether there are no longer too many bytes.
    fn shed(
        &self,
        bytes: &Bytes,
        owes: impl Fn(&Connection, Instant) -> Duration,
        give_up: impl Fn(&Connection),
    ) -> bool {
        let now = Instant::now();
        let behind = self.all().into_iter().map(|connection| {
            let owed = owes(&connection, now);
            (owed, connection)
        });
        let mut behind: Vec<_> = behind.filter(|(owed, _)| *owed > Duration::ZERO).collect();
        behind.sort_unstable_by_key(|(owed, _)| *owed);
        while bytes.are_too_many() {
            let Some((_, slowest)) = behind.pop() else {
                return false;
            };
            give_up(&slowest);
        }
        true
    }

    /// Bytes of bodies and of answers that are held, those of each connection rounded up to a step.
    pub(crate) fn held_in_steps(&self, step: u64) -> (u64, u64) {
        let held = self.all().into_iter().map(|connection| connection.held());
        held.fold((0, 0), |(bodies, answers), (body, answer)| {
            (
                bodies + body.next_multiple_of(step),
                answers + answer.next_multiple_of(step),
            )
        })
    }

    pub(crate) fn counts(&self) -> Counts {
        let table = self.table();
        Counts {
            connections: table.connections.len(),
            connections_most: table.most,
            body_bytes: self.body_bytes.held.load(Relaxed),
            body_bytes_most: self.body_bytes.most.load(Relaxed),
            answer_bytes: self.answer_bytes.held.load(Relaxed),
            ..self.counters.snapshot()
        }
    }
}

impl Table {
    /// Whether it was still there.
    fn remove(&mut self, connection: &Connection) -> bool {
        if self.connections.remove(&connection.id).is_none() {
            return false;
        }
        if let Some(count) = self.of_address.get_mut(&connection.address) {
            *count -= 1;
            if *count == 0 {
                self.of_address.remove(&connection.address);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    fn room(connections_max: usize, connections_per_address_max: usize) -> Arc<Room> {
        let bounds = Bounds {
            connections_max,
            connections_per_address_max,
            ..Bounds::default()
        };
        Room::new(bounds, Box::new(|address| *address == OTHER))
    }

    fn busy(room: &Arc<Room>, address: IpAddr) -> bool {
        let connection = room.enter(address);
        if let Some(connection) = &connection {
            connection.request_began(false);
        }
        connection.is_some()
    }

    /// As many busy connections as a stranger's address may have, of each of so many of them.
    fn strangers(room: &Arc<Room>, addresses: u8) -> usize {
        let taken = (0..addresses).map(|n| {
            let address = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, n));
            let share = 0..room.bounds.connections_per_address_max;
            share.filter(|_| busy(room, address)).count()
        });
        taken.sum()
    }

    #[test]
    fn an_address_has_its_share_and_leaves_room_for_others() {
        let room = room(32, 3);
        let taken = (0..5).filter(|_| busy(&room, STRANGER)).count();
        assert_eq!(taken, 3);
        assert_eq!(room.counts().refused_address, 2);
        let local = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        assert!(busy(&room, local) && busy(&room, OTHER));
        let taken = (0..29).filter(|_| busy(&room, OTHER)).count();
        assert_eq!(taken, 27, "a named proxy has all that is left");
        assert_eq!(room.counts().refused_full, 2);
    }

    #[test]
    fn no_address_has_more_than_a_part_of_few_places() {
        let room = room(32, 2_048);
        let taken = (0..32).filter(|_| busy(&room, STRANGER)).count();
        assert_eq!(taken, 32 / ADDRESS_PART);
    }

    #[test]
    fn however_many_strangers_come_some_places_are_left_to_those_that_are_trusted() {
        let room = room(32, 4);
        let idle: Vec<_> = (0..2).map(|_| room.enter(OTHER).unwrap()).collect();
        let kept = 32 / TRUSTED_PART;
        assert_eq!(strangers(&room, 20), 32 - kept - idle.len());
        let kept_connections = room.all();
        for idle in &idle {
            let is_there = kept_connections.iter().any(|kept| kept.id == idle.id);
            assert!(is_there, "it made room for a stranger");
        }
        assert_eq!((0..kept).filter(|_| busy(&room, OTHER)).count(), kept);
    }

    #[test]
    fn of_few_places_one_is_kept() {
        for (places, kept) in [(1, 0), (2, 1), (7, 1), (8, 1), (16, 2)] {
            let room = room(places, places);
            assert_eq!(strangers(&room, 20), places - kept, "of {places}");
            assert_eq!((0..places).filter(|_| busy(&room, OTHER)).count(), kept);
        }
    }

    #[test]
    fn an_idle_connection_of_the_address_itself_makes_room_for_its_next() {
        let room = room(16, 2);
        let first = room.enter(STRANGER).unwrap();
        assert!(busy(&room, STRANGER));
        let third = room.enter(STRANGER).unwrap();
        let counts = room.counts();
        assert_eq!((counts.evicted, counts.connections), (1, 2));
        // Its task ends later, and frees nothing twice.
        room.leave(&first);
        assert_eq!(room.counts().connections, 2);
        room.leave(&third);
        assert_eq!(room.counts().connections, 1);
    }

    #[test]
    fn whoever_has_most_idle_connections_loses_the_oldest() {
        let room = room(32, 4);
        let honest = room.enter(OTHER).unwrap();
        let idle: Vec<_> = (0..4).map(|_| room.enter(STRANGER).unwrap()).collect();
        while room.counts().connections < 32 {
            assert!(busy(&room, OTHER));
        }
        let _newcomer = room.enter(OTHER).unwrap();
        let kept = room.all();
        assert!(kept.iter().any(|kept| kept.id == honest.id));
        assert!(!kept.iter().any(|kept| kept.id == idle[0].id));
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let address = |text: &str| subscriber(text.parse().unwrap());
        assert_eq!(address("2001:db8::1:2:3:4"), address("2001:db8::9"));
        assert_ne!(address("2001:db8:0:1::1"), address("2001:db8::1"));
        assert_eq!(address("::ffff:192.0.2.1"), STRANGER);
    }
}
