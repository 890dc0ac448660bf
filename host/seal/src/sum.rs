//! Encrypted sums: what the ballots of a contest add up to, without opening one.

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;

use crate::{
    form::{Form, Slot},
    group,
    slots::{Refusal, ciphertexts},
};

/// A value v that is encrypted to a key Y: (r G, r Y + v G).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ciphertext {
    pub(crate) alpha: RistrettoPoint,
    pub(crate) beta: RistrettoPoint,
}

impl Ciphertext {
    /// Nothing added up.
    pub fn zero() -> Self {
        Self {
            alpha: group::identity(),
            beta: group::identity(),
        }
    }

    /// Reads a ciphertext from its 64 bytes; `None` where they are not canonical.
    pub fn from_bytes(bytes: &[u8; 64]) -> Option<Self> {
        let (alpha, beta) = bytes.split_at(32);
        Some(Self {
            alpha: group::point(alpha.try_into().ok()?)?,
            beta: group::point(beta.try_into().ok()?)?,
        })
    }

    /// α, then β.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(&group::encoded(&self.alpha));
        bytes[32..].copy_from_slice(&group::encoded(&self.beta));
        bytes
    }

    fn times(&self, number: u64) -> Self {
        match number {
            1 => *self,
            _ => Self {
                alpha: group::times(&self.alpha, number),
                beta: group::times(&self.beta, number),
            },
        }
    }

    fn add(&mut self, other: &Self) {
        self.alpha += other.alpha;
        self.beta += other.beta;
    }

    fn subtract(&mut self, other: &Self) {
        self.alpha -= other.alpha;
        self.beta -= other.beta;
    }
}

/// What becomes of a ballot in a sum.
#[derive(Clone, Copy)]
enum Change {
    Add,
    Subtract,
}

/// The sums of the slots of a contest over verified ballots, each times its weight. Slack is not summed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums(Vec<Ciphertext>);

impl Sums {
    /// The sums of no ballots.
    pub fn new(form: &Form) -> Self {
        Self(summed(form).map(|_| Ciphertext::zero()).collect())
    }

    /// Reads sums, one for each slot that is not slack; `None` where they are not canonical, too many or too few.
    pub fn from_bytes(form: &Form, bytes: &[[u8; 64]]) -> Option<Self> {
        let sums: Option<Vec<Ciphertext>> = bytes.iter().map(Ciphertext::from_bytes).collect();
        let sums = sums?;
        (sums.len() == summed(form).count()).then_some(Self(sums))
    }

    /// The bytes of each sum.
    pub fn to_bytes(&self) -> Vec<[u8; 64]> {
        self.0.iter().map(Ciphertext::to_bytes).collect()
    }

    /// Adds a contest of a ballot that was verified.
    pub fn add(&mut self, form: &Form, bytes: &[u8], weight: u64) -> Result<(), Refusal> {
        self.change(form, bytes, weight, Change::Add)
    }

    /// Takes a ballot out that was added with this weight.
    pub fn subtract(&mut self, form: &Form, bytes: &[u8], weight: u64) -> Result<(), Refusal> {
        self.change(form, bytes, weight, Change::Subtract)
    }

    fn change(
        &mut self,
        form: &Form,
        bytes: &[u8],
        weight: u64,
        change: Change,
    ) -> Result<(), Refusal> {
        let slots = ciphertexts(form, bytes)?;
        for (sum, (slot, ..)) in self.0.iter_mut().zip(summed(form)) {
            let weighed = slots[slot].times(weight);
            match change {
                Change::Add => sum.add(&weighed),
                Change::Subtract => sum.subtract(&weighed),
            }
        }
        Ok(())
    }

    /// Adds sums of other ballots of the same form.
    pub fn merge(&mut self, other: &Self) {
        for (sum, other) in self.0.iter_mut().zip(&other.0) {
            sum.add(other);
        }
    }

    /// The encrypted total of each counter: all that is opened of a contest.
    pub fn counters(&self, form: &Form) -> Vec<Ciphertext> {
        let mut counters: Vec<Ciphertext> =
            (0..form.counters()).map(|_| Ciphertext::zero()).collect();
        for (sum, (_, counter, coefficient)) in self.0.iter().zip(summed(form)) {
            counters[counter as usize].add(&sum.times(coefficient));
        }
        counters
    }
}

/// The slots that are summed: number, counter and coefficient.
fn summed(form: &Form) -> impl Iterator<Item = (usize, u32, u64)> {
    let slots = form.slots().iter().enumerate();
    slots.filter_map(|(number, slot)| match slot {
        Slot::Counted {
            counter,
            coefficient,
        } => Some((number, *counter, *coefficient)),
        Slot::Slack => None,
    })
}
