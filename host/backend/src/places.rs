//! Places for what goes on for long: so many in all, and so many of one address.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A bounded number of places.
#[derive(Clone)]
pub(crate) struct Places {
    in_all_max: usize,
    per_address_max: usize,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// A place, until it is dropped.
pub(crate) struct Place {
    taken: Arc<Mutex<Taken>>,
    address: Option<IpAddr>,
}

impl Places {
    pub(crate) fn new(in_all_max: usize, per_address_max: usize) -> Self {
        Self {
            in_all_max,
            per_address_max,
            taken: Arc::default(),
        }
    }

    /// A place for this address, if it has one left; nothing bounds this machine's own (`None`) but the
    /// places in all.
    pub(crate) fn take(&self, address: Option<IpAddr>) -> Option<Place> {
        let mut taken = lock(&self.taken);
        let known = address.and_then(|address| taken.of_address.get(&address));
        let has_its_share = known.is_some_and(|count| *count >= self.per_address_max);
        if taken.in_all >= self.in_all_max || has_its_share {
            return None;
        }
        taken.in_all += 1;
        if let Some(address) = address {
            *taken.of_address.entry(address).or_default() += 1;
        }
        Some(Place {
            taken: Arc::clone(&self.taken),
            address,
        })
    }

    /// How many are taken.
    pub(crate) fn taken(&self) -> usize {
        lock(&self.taken).in_all
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.in_all -= 1;
        if let Some(address) = self.address
            && let Some(count) = taken.of_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                taken.of_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u8) -> Option<IpAddr> {
        Some([192, 0, 2, n].into())
    }

    #[test]
    fn one_address_leaves_places_for_others() {
        let places = Places::new(4, 2);
        let mut taken: Vec<_> = (0..3).map(|_| places.take(address(1))).collect();
        assert_eq!(taken.iter().flatten().count(), 2);
        taken.push(places.take(address(2)));
        taken.push(places.take(None));
        assert_eq!(places.taken(), 4);
        assert!(places.take(None).is_none(), "all are taken");
        taken.clear();
        assert!(places.take(address(1)).is_some());
        assert!(lock(&places.taken).of_address.is_empty());
        assert_eq!(places.taken(), 0);
    }
}
