//! The method of equal shares: voters buy options together, each from an equal share of the money.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;

use tabella_sdk::{Chosen, Lots, Natural};

use crate::phragmen::Loads;
use crate::voters::{Assigned, Voters, best_now, take};

/// What voters have left: a share, less what they paid. Money is in fractions of one denominator,
/// which grows with every payment.
pub(crate) struct Purses {
    denominator: Natural,
    share: Natural,
    payments: Vec<Payment>,
    /// The first is [`SPENT`], then by what they have left, about; the least first.
    classes: Vec<Class>,
    assigned: Assigned,
}

/// What everybody paid for an option who did not have less.
struct Payment {
    /// In fractions of the denominator as it was after this payment.
    amount: Natural,
    /// How many times larger the denominator became.
    payers: u64,
}

/// Voters who have less than a share by the same payments.
#[derive(Default)]
struct Class {
    /// What each has left in 2^-31 of a share; never too low, and too high by less than
    /// [`Natural::SHARE_ERROR`] for each payment.
    about: i64,
    payments: Vec<u16>,
}

/// The class of those who have nothing left.
const SPENT: usize = 0;

/// What supporters of an option who can pay it in full still owe together, over their number; the
/// others give all they have.
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
    /// Everybody has `money / among`.
    pub(crate) fn equal(voters: &Voters, money: u64, among: u64) -> Self {
        let class = |about| Class {
            about,
            payments: Vec::new(),
        };
        Self {
            denominator: Natural::from(among.max(1)),
            share: Natural::from(money),
            payments: Vec::new(),
            classes: vec![class(0), class(1 << 31)],
            assigned: Assigned::all_to(1, voters),
        }
    }

    /// `None` where an option's supporters have not enough money together.
    ///
    /// Supposes that all can pay an equal part; takes all from those who cannot, which makes the
    /// part of the others larger; and so on, until the others can.
    fn price(&self, voters: &Voters, option: usize, cost: u64) -> Option<Price> {
        let mut weights = match self.payments[..] {
            [] => vec![0, voters.approvals[option]],
            _ => voters.by_class(option, &self.assigned, self.classes.len()),
        };
        let mut price = Price {
            owed: self.denominator.times(cost),
            payers: voters.approvals[option] - weights[SPENT],
            cost,
        };
        weights[SPENT] = 0;
        // All classes before it are poor.
        let mut next = SPENT + 1;
        loop {
            let payers_have_max = self.share.times(price.payers);
            if price.payers == 0 || price.owed > payers_have_max {
                return None;
            }
            let about = price.owed.share_of(&payers_have_max);
            let most_error = (self.payments.len() as i64 + 1) * Natural::SHARE_ERROR;
            let may_be_poor = self.first_with(about + most_error);
            let mut poor = 0;
            let mut paid = vec![0; self.payments.len()];
            #[allow(clippy::needless_range_loop, reason = "it walks two lists")]
            for position in next..may_be_poor {
                let (class, weight) = (&self.classes[position], &mut weights[position]);
                if *weight > 0 && self.is_poor(class, &price, about) {
                    poor += *weight;
                    for payment in &class.payments {
                        paid[usize::from(*payment)] += *weight;
                    }
                    *weight = 0;
                }
            }
            next = next.max(self.first_with(about));
            if poor == 0 {
                return Some(price);
            }
            // The poor have their shares less what they paid, and less than they owe.
            price.owed.add(&self.total(&paid));
            price.owed = price.owed.checked_sub(&self.share.times(poor))?;
            price.payers -= poor;
        }
    }

    /// The first class that has so much left, about.
    fn first_with(&self, about: i64) -> usize {
        self.classes.partition_point(|class| class.about < about)
    }

    /// Whether one has less than the price, which is `about` so much in 2^-31 of a share.
    fn is_poor(&self, class: &Class, price: &Price, about: i64) -> bool {
        if class.about < about {
            return true;
        }
        let least = class.about - class.payments.len() as i64 * Natural::SHARE_ERROR;
        if least >= about + Natural::SHARE_ERROR {
            return false;
        }
        let mut with_paid = price.owed.clone();
        with_paid.add_times(&self.paid(class), price.payers);
        self.share.times(price.payers) < with_paid
    }

    fn paid(&self, class: &Class) -> Natural {
        let mut counts = vec![0; self.payments.len()];
        for payment in &class.payments {
            counts[usize::from(*payment)] = 1;
        }
        self.total(&counts)
    }

    /// Each payment so many times.
    fn total(&self, counts: &[u64]) -> Natural {
        let mut total = Natural::default();
        for (payment, count) in self.payments.iter().zip(counts) {
            total = total.times(payment.payers);
            total.add_times(&payment.amount, *count);
        }
        total
    }

    fn pay(&mut self, voters: &Voters, option: usize, price: &Price) {
        let about = price.owed.share_of(&self.share.times(price.payers));
        // There are at most 4,096 options to pay for.
        let payment = self.payments.len() as u16;
        let mut supports = vec![false; self.classes.len()];
        for ballot in &voters.supporters[option] {
            supports[*self.assigned.class_mut(*ballot) as usize] = true;
        }
        // By class, the one after the payment. Those who paid have as much less as all others, so that
        // they stay in order.
        let mut after = vec![SPENT as u32; self.classes.len()];
        for class in SPENT + 1..after.len() {
            let had = &self.classes[class];
            if supports[class] && !self.is_poor(had, price, about) {
                let mut payments = Vec::with_capacity(had.payments.len() + 1);
                payments.extend_from_slice(&had.payments);
                payments.push(payment);
                let about = had.about - about;
                // Classes in use are no more than ballots.
                after[class] = self.classes.len() as u32;
                self.classes.push(Class { about, payments });
            }
        }
        for ballot in &voters.supporters[option] {
            let class = self.assigned.class_mut(*ballot);
            *class = after[*class as usize];
        }
        self.denominator = self.denominator.times(price.payers);
        self.share = self.share.times(price.payers);
        self.payments.push(Payment {
            amount: price.owed.clone(),
            payers: price.payers,
        });
        self.assigned.forget_unused(&mut self.classes, SPENT + 1);
        self.sort_classes();
    }

    fn sort_classes(&mut self) {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        // The rest is two ordered parts, which a stable sort only merges.
        order[SPENT + 1..].sort_by_key(|class| self.classes[*class].about);
        let mut new = vec![0; order.len()];
        for (position, class) in order.iter().enumerate() {
            new[*class] = position as u32;
        }
        self.classes = (order.iter())
            .map(|class| core::mem::take(&mut self.classes[*class]))
            .collect();
        self.assigned.renumber(&new);
    }

    /// What voters have spent, as loads to go on from; those who have nothing left spent a share.
    pub(crate) fn into_loads(self) -> Loads {
        let mut parts: Vec<Natural> = Vec::new();
        for payment in self.payments {
            for part in &mut parts {
                *part = part.times(payment.payers);
            }
            parts.push(payment.amount);
        }
        let share = parts.len() as u16;
        parts.push(self.share);
        let mut classes: Vec<_> = self.classes.into_iter().map(|c| c.payments).collect();
        classes[SPENT] = vec![share];
        Loads::new(self.denominator, parts, classes, self.assigned)
    }
}

/// When to stop buying.
pub(crate) struct Bounds {
    /// Ballots that may still be looked at to find prices; a purchase under way is finished.
    pub(crate) work: u64,
    /// Once more money than this is spent.
    pub(crate) spent_max: u128,
}

/// Finding a price takes as much as looking at so many ballots, however few there are.
const PRICE_WORK: usize = 300;

impl Bounds {
    fn look_for_price(&mut self, voters: &Voters, purses: &Purses, option: usize) {
        let payments = purses.payments.len();
        let ballots = match payments {
            0 => 0,
            // Of the classes only those that may be poor are looked at.
            _ => voters.supporters[option].len() + purses.classes.len() / 4,
        };
        self.take(ballots + payments.pow(2) + PRICE_WORK);
    }

    /// Nearly every class becomes another one, which takes as much as looking at a few ballots.
    fn pay(&mut self, voters: &Voters, purses: &Purses) {
        self.take(voters.weights.len() + 4 * purses.classes.len());
    }

    fn take(&mut self, work: usize) {
        self.work = self.work.saturating_sub(work as u64);
    }
}

/// Buys what voters can pay for until nothing is left that they can, in order.
pub(crate) fn buy(
    voters: &Voters,
    costs: &[u64],
    purses: &mut Purses,
    bounds: &mut Bounds,
    lots: &mut Lots<'_>,
) -> Vec<usize> {
    let mut bought = Vec::new();
    let mut spent = 0;
    // By option, its price when it was last looked at.
    let mut open: Vec<(usize, Price)> = Vec::new();
    for option in (0..voters.supporters.len()).filter(|option| voters.approvals[*option] > 0) {
        // What costs nothing has no price to compare.
        if costs[option] == 0 {
            bought.push(option);
            continue;
        }
        bounds.look_for_price(voters, purses, option);
        if let Some(price) = purses.price(voters, option, costs[option]) {
            open.push((option, price));
        }
    }
    while spent <= bounds.spent_max {
        let price_now = |option: usize| {
            bounds.look_for_price(voters, purses, option);
            purses.price(voters, option, costs[option])
        };
        // Voters have less after every payment, so that prices only rise.
        let tied = best_now(&mut open, price_now, Price::compare);
        if tied.is_empty() {
            break;
        }
        let question = format!("purchase {}", bought.len() + 1);
        let option = lots.choose(&tied, Chosen::Wins, &question);
        let Some(price) = take(&mut open, option) else {
            break;
        };
        purses.pay(voters, option, &price);
        bounds.pay(voters, purses);
        for (_, other) in &mut open {
            other.owed = other.owed.times(price.payers);
        }
        spent += u128::from(price.cost);
        bought.push(option);
    }
    bought
}
