//! A bounded number of requests that wait for the same thing, of which each address has a share.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// How many may wait.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) in_all_max: usize,
    /// Of those, how many of one address; this machine's own are not bounded by it.
    pub(crate) per_address_max: usize,
}

/// Where requests wait.
pub(crate) struct Places {
    bounds: Bounds,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    in_all: usize,
    of_address: HashMap<IpAddr, usize>,
}

/// One place, until it is dropped.
pub(crate) struct Place<'a> {
    places: &'a Places,
    address: IpAddr,
}

impl Places {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            taken: Mutex::default(),
        }
    }

    /// A place for a request of `address`, where one is left for it.
    pub(crate) fn take(&self, address: IpAddr) -> Option<Place<'_>> {
        let mut taken = self.lock();
        let of_address = taken.of_address.get(&address).copied().unwrap_or(0);
        let has_its_share = of_address >= self.bounds.per_address_max && !address.is_loopback();
        if taken.in_all >= self.bounds.in_all_max || has_its_share {
            return None;
        }
        taken.in_all += 1;
        *taken.of_address.entry(address).or_default() += 1;
        Some(Place {
            places: self,
            address,
        })
    }

    #[cfg(test)]
    pub(crate) fn taken(&self) -> usize {
        self.lock().in_all
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        taken.in_all -= 1;
        if let Some(count) = taken.of_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.of_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_has_its_share_and_a_place_that_is_left_is_free_again() {
        let places = Places::new(Bounds {
            in_all_max: 3,
            per_address_max: 2,
        });
        let address = |n| Ipv4Addr::new(192, 0, 2, n).into();
        let first = places.take(address(1));
        let second = places.take(address(1));
        assert!(first.is_some() && second.is_some());
        assert!(places.take(address(1)).is_none(), "its share");
        let third = places.take(address(2));
        assert!(third.is_some());
        assert!(places.take(address(3)).is_none(), "all are taken");
        drop((first, second));
        assert!(places.take(address(1)).is_some());
        drop(third);
        let taken = places.lock();
        assert_eq!((taken.in_all, taken.of_address.len()), (0, 0));
    }

    #[test]
    fn this_machine_is_bounded_by_all_alone() {
        let places = Places::new(Bounds {
            in_all_max: 3,
            per_address_max: 1,
        });
        let local = || places.take(Ipv4Addr::LOCALHOST.into());
        let taken: Vec<_> = (0..4).map_while(|_| local()).collect();
        assert_eq!(taken.len(), 3);
    }
}
