//! Who hears of what happens on the way of ballots.

use crate::store::Confirmed;

/// Hears what happens. None of its methods may wait.
pub trait Listener: Send + Sync {
    /// Submissions are confirmed, and that is written down.
    fn confirmed(&self, confirmed: &Confirmed);

    /// The level of service has changed, or whether there is a quorum.
    fn level(&self, level: u8, has_quorum: bool, meaning: String);
}
