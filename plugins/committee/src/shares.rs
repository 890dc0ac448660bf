//! The method of equal shares: voters buy options together, each from an equal share of the money.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::phragmen::Loads;
use crate::voters::{Voters, best};

/// What voters have left, as fractions of one denominator.
pub(crate) struct Purses {
    denominator: Natural,
    /// By class, ascending.
    amounts: Vec<Natural>,
    /// By ballot.
    class: Vec<u32>,
}

/// What the supporters of an option who can pay it in full still owe together, over their number;
/// the others give all they have.
struct Price {
    owed: Natural,
    payers: u64,
    cost: u64,
}

impl Price {
    /// By what a payer pays for each unit of the cost.
    fn compare(&self, other: &Self) -> Ordering {
        let left = self.owed.times(other.payers).times(other.cost);
        let right = other.owed.times(self.payers).times(self.cost);
        left.cmp(&right)
    }
}

impl Purses {
    /// Everybody has `money / voters`.
    pub(crate) fn equal(voters: &Voters, money: u64, among: u64) -> Self {
        Self {
            denominator: Natural::from(among.max(1)),
            amounts: vec![Natural::from(money)],
            class: vec![0; voters.weights.len()],
        }
    }

    /// `None` where an option's supporters have not enough money together.
    fn price(&self, voters: &Voters, option: usize, cost: u64) -> Option<Price> {
        let weights = voters.by_class(option, &self.class, self.amounts.len());
        let mut payers = voters.approvals[option];
        let mut owed = self.denominator.times(cost);
        for (weight, amount) in weights.iter().zip(&self.amounts) {
            if *weight == 0 {
                continue;
            }
            if owed <= amount.times(payers) {
                return Some(Price { owed, payers, cost });
            }
            // They cannot pay an equal part of what is owed, let alone more than all of it.
            owed = owed.checked_sub(&amount.times(*weight))?;
            payers -= *weight;
        }
        None
    }

    fn pay(&mut self, voters: &Voters, option: usize, price: &Price) {
        let mut pays = vec![false; self.class.len()];
        for ballot in &voters.supporters[option] {
            pays[*ballot as usize] = true;
        }
        self.denominator = self.denominator.times(price.payers);
        // A class twice its number for those who do not pay, one more for those who do.
        let key =
            |ballot: usize, class: &[u32]| class[ballot] as usize * 2 + usize::from(pays[ballot]);
        let mut used = vec![false; self.amounts.len() * 2];
        for ballot in 0..pays.len() {
            used[key(ballot, &self.class)] = true;
        }
        let mut after: Vec<(Natural, usize)> = Vec::new();
        for key in (0..used.len()).filter(|key| used[*key]) {
            let had = self.amounts[key / 2].times(price.payers);
            let has = match key % 2 {
                0 => had,
                _ => had.checked_sub(&price.owed).unwrap_or_default(),
            };
            after.push((has, key));
        }
        after.sort_unstable();
        let mut new = vec![0u32; used.len()];
        self.amounts.clear();
        for (amount, key) in after {
            if self.amounts.last() != Some(&amount) {
                self.amounts.push(amount);
            }
            // Classes are no more than ballots.
            new[key] = self.amounts.len() as u32 - 1;
        }
        for ballot in 0..pays.len() {
            self.class[ballot] = new[key(ballot, &self.class)];
        }
    }

    /// What voters have spent of the most that one has left, as loads to go on from.
    pub(crate) fn into_loads(self) -> Loads {
        let most = self.amounts.last().cloned().unwrap_or_default();
        let spent = |amount: &Natural| most.checked_sub(amount).unwrap_or_default();
        Loads {
            loads: self.amounts.iter().map(spent).collect(),
            denominator: self.denominator,
            class: self.class,
        }
    }
}

/// How much may be looked at before a count gives up; pairs of ballot and approved option.
pub(crate) struct Work {
    pub(crate) left: u64,
}

/// Buys what voters can pay for until nothing is left that they can, in order.
pub(crate) fn buy(
    voters: &Voters,
    costs: &[u64],
    purses: &mut Purses,
    work: &mut Work,
    lots: &mut Lots<'_>,
) -> Vec<usize> {
    let mut bought = Vec::new();
    let mut open: Vec<usize> = (0..voters.supporters.len())
        .filter(|option| voters.approvals[*option] > 0)
        .collect();
    // What costs nothing has no price to compare.
    open.retain(|option| {
        if costs[*option] == 0 {
            bought.push(*option);
        }
        costs[*option] > 0
    });
    loop {
        let mut prices = Vec::new();
        // What cannot be paid for now never can, for voters have no more later.
        open.retain(|option| {
            let looked_at = voters.supporters[*option].len() + purses.amounts.len();
            work.left = work.left.saturating_sub(looked_at as u64);
            let price = purses.price(voters, *option, costs[*option]);
            let affordable = price.is_some();
            prices.extend(price.map(|price| (*option, price)));
            affordable
        });
        let Some((tied, prices)) = best(prices.into_iter(), Price::compare) else {
            return bought;
        };
        let question = format!("purchase {}", bought.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        let price = tied.iter().position(|other| *other == option);
        if let Some(price) = price.and_then(|position| prices.get(position)) {
            purses.pay(voters, option, price);
        }
        open.retain(|other| *other != option);
        bought.push(option);
    }
}
