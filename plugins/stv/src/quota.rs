//! What has to be reached to be elected.

/// How a quota follows from votes and seats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuotaKind {
    /// votes / (seats + 1), cut to a whole number, plus one.
    Droop,
    /// votes / (seats + 1), cut to the last place, plus one unit of it.
    DroopFractional,
    /// votes / seats, rounded up to the last place.
    Hare,
}

impl QuotaKind {
    /// Votes and answer in units of the last place, `scale` of which are one vote.
    pub(crate) fn of(self, votes: u128, seats: usize, scale: u64) -> u128 {
        let (seats, scale) = (seats as u128, u128::from(scale));
        match self {
            Self::Droop => (votes / ((seats + 1) * scale) + 1) * scale,
            Self::DroopFractional => votes / (seats + 1) + 1,
            Self::Hare => votes.div_ceil(seats).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas_of_a_hundred_votes() {
        let votes = 100 * 100;
        assert_eq!(QuotaKind::Droop.of(votes, 2, 100), 34 * 100);
        assert_eq!(QuotaKind::Droop.of(votes, 3, 100), 26 * 100);
        assert_eq!(QuotaKind::DroopFractional.of(votes, 2, 100), 3334);
        assert_eq!(QuotaKind::DroopFractional.of(votes, 3, 100), 2501);
        assert_eq!(QuotaKind::Hare.of(votes, 3, 100), 3334);
        assert_eq!(QuotaKind::Hare.of(0, 3, 100), 1);
    }
}
