//! Who decides ties, as a rule's `finish` reads it.

use sha2::{Digest, Sha256};
use tabella_abi::codec::Wire;
use tabella_abi::contest::{Decider, TieOrder};
use thiserror::Error;

use crate::contest_config::ContestOption;

/// Who decides ties.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TieBreak {
    /// Lots drawn from a seed that nobody could choose, such as the closed board's root.
    Seed([u8; 32]),
    /// These option ids win ties in this order; options that are left out follow as on the paper.
    Order(Vec<String>),
    /// Nobody: every tied option is reported.
    Report,
}

/// An order that breaks ties and names what is not an option, or one twice.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the tie-break order names {0:?}, which is not an option or was named before")]
pub struct TieOrderError(pub String);

impl TieBreak {
    /// Returns the input of `finish`: which option wins ties against which.
    pub fn encode(&self, options: &[ContestOption]) -> Result<Vec<u8>, TieOrderError> {
        let mut order: Vec<usize> = (0..options.len()).collect();
        let decider = match self {
            TieBreak::Report => Decider::Report,
            TieBreak::Seed(seed) => {
                order.sort_by_cached_key(|option| lot(seed, &options[*option].id));
                Decider::Seed
            }
            TieBreak::Order(ids) => {
                let mut first: Vec<usize> = Vec::new();
                for id in ids {
                    let option = options.iter().position(|option| option.id == *id);
                    match option.filter(|option| !first.contains(option)) {
                        Some(option) => first.push(option),
                        None => return Err(TieOrderError(id.clone())),
                    }
                }
                order.retain(|option| !first.contains(option));
                first.append(&mut order);
                order = first;
                Decider::Order
            }
        };
        Ok(TieOrder { decider, order }.to_wire())
    }
}

/// An option's lot: the lower wins. It depends on the option's id, not on its place on the paper.
fn lot(seed: &[u8; 32], id: &str) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"tabella tie-break 1\0");
    hash.update(seed);
    hash.update(id);
    hash.finalize().into()
}
