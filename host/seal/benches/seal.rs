//! What sealing, verifying, summing and opening cost, beside the machine's fixed-base multiplication.
//!
//! `cargo bench --package tabella-seal` prints the table, and fails where a ratio misses its target. Each figure is
//! the best of several turns, because everything that disturbs a run makes it slower.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use curve25519_dalek::{ristretto::RistrettoPoint, scalar::Scalar};
use tabella_seal::{
    Key,
    declaration::{Blank, Declaration, Shape, Sum},
    form::{COUNTER_TOTAL_MAX, Form},
    opening::{Factors, Logarithms, totals},
    slots::{Sealed, Sealer, verify},
    sum::{Ciphertext, Sums},
};

#[path = "../tests/it/held.rs"]
#[allow(dead_code, reason = "shared with the tests, which use more of it")]
mod held;

use held::Held;

const TURNS: u32 = 20;
const CONTEXT: [u8; 32] = [9; 32];
const BALLOTS: usize = 10_000;

fn main() {
    println!("| {:<58} | {:>12} | {:<18} |", "what", "measured", "target");
    println!("| {:-<58} | {:->12} | {:-<18} |", "", "", "");
    let multiplication = multiplication();
    row("one fixed-base multiplication", us(multiplication), "");
    ballots(multiplication);
    ceremony();
    logarithms();
    election();
}

fn row(what: &str, value: String, target: &str) {
    println!("| {what:<58} | {value:>12} | {target:<18} |");
}

fn best<T>(turns: u32, mut work: impl FnMut() -> T) -> Duration {
    let turn = |_| {
        let started = Instant::now();
        black_box(work());
        started.elapsed()
    };
    (0..turns).map(turn).min().expect("at least one turn")
}

fn us(duration: Duration) -> String {
    format!("{:.1} us", duration.as_secs_f64() * 1e6)
}

fn ms(duration: Duration) -> String {
    format!("{:.3} ms", duration.as_secs_f64() * 1e3)
}

fn multiplication() -> Duration {
    let mut scalar = Scalar::from(3u8).invert();
    let many = best(TURNS, || {
        for _ in 0..100 {
            scalar += Scalar::from(7u8);
            black_box(RistrettoPoint::mul_base(&scalar));
        }
    });
    many / 100
}

fn key() -> Key {
    let point = RistrettoPoint::mul_base(&Scalar::from(7u8).invert());
    Key::from_bytes(point.compress().to_bytes()).expect("a key")
}

fn marks(options: u32, max: Option<u64>) -> Declaration {
    let sum = max.map(|max| Sum {
        min: 0,
        max,
        blank: Blank::NotCounted,
    });
    Declaration {
        options,
        shape: Shape::Marks { sum },
    }
}

fn ballots(multiplication: Duration) {
    let key = key();
    let any = marks(1, None).form().expect("a form");
    row(
        "tables of a key",
        ms(best(TURNS, || Sealer::new(&any, &key))),
        "",
    );
    for (name, declaration) in [
        ("approval of 2", marks(2, None)),
        ("0 to 1 of 5", marks(5, Some(1))),
        ("approval of 10", marks(10, None)),
        ("0 to 3 of 10", marks(10, Some(3))),
        ("0 to 5 of 20", marks(20, Some(5))),
    ] {
        let form = declaration.form().expect("a form");
        let slots = form.slots().len();
        let bits = declaration.bits(&[1]).expect("a ballot");
        let sealer = Sealer::new(&form, &key);
        let seal = || sealer.seal(&CONTEXT, &bits, &[1; 32]).expect("a ballot");
        let bytes = seal();
        let sealed = Sealed {
            form: &form,
            context: &CONTEXT,
            bytes: &bytes,
        };
        let what = |does: &str| format!("{name} ({slots} slots, {} bytes): {does}", bytes.len());
        let is_ten = name == "approval of 10";
        let target = |text: &'static str| if is_ten { text } else { "" };
        row(&what("seal"), ms(best(TURNS, seal)), target("< 5 ms"));
        let one = best(TURNS, || verify(&key, &[sealed]).expect("it holds"));
        row(&what("verify"), ms(one), target("< 0.45 ms"));
        let each = best(TURNS, || verify(&key, &[sealed; 64]).expect("they hold")) / 64;
        row(&what("verify 64, each"), ms(each), "");
        let ratio = one.as_secs_f64() / slots as f64 / multiplication.as_secs_f64();
        row(
            &what("multiplications a slot"),
            format!("{ratio:.1}"),
            "< 20",
        );
        assert!(
            ratio < 20.0,
            "{name}: verifying a slot takes {ratio:.1} multiplications, expected less than 20"
        );
    }
    garbage(&key);
}

/// What a stranger's bytes cost that cannot be read to their end.
fn garbage(key: &Key) {
    let form = marks(10, None).form().expect("a form");
    let bits = [true; 10];
    let mut bytes = Sealer::new(&form, key)
        .seal(&CONTEXT, &bits, &[1; 32])
        .expect("a ballot");
    let at = bytes.len() - 1_000;
    bytes[at] ^= 1;
    let sealed = Sealed {
        form: &form,
        context: &CONTEXT,
        bytes: &bytes,
    };
    let cost = best(TURNS, || verify(key, &[sealed])) / bytes.len() as u32;
    row(
        "garbage, a byte",
        format!("{:.3} us", cost.as_nanos() as f64 / 1e3),
        "< 1 us",
    );
}

fn ceremony() {
    row(
        "ceremony 3 of 5, all parts of all trustees",
        ms(best(TURNS, || Held::new(3, 5))),
        "",
    );
}

/// A total encrypted to the key of a ceremony of one trustee whose share is the secret.
fn open(held: &Held, counters: &[Ciphertext], trustees: &[u8]) -> Vec<Factors> {
    let open = |index: &u8| {
        let share = held.share(*index);
        let opening = share.open(counters, &CONTEXT);
        opening
            .check(&held.keys, *index, counters, &CONTEXT)
            .expect("it holds")
    };
    trustees.iter().map(open).collect()
}

fn logarithms() {
    let held = Held::new(1, 1);
    // One ballot, whose weight is the total.
    let form = marks(1, None).form().expect("a form");
    let sealer = Sealer::new(&form, &held.keys.key);
    let bytes = sealer.seal(&CONTEXT, &[true], &[1; 32]).expect("a ballot");
    for (name, total, turns) in [
        ("100,000", 100_000, TURNS),
        ("2^32", 1 << 32, 3),
        ("2^40", COUNTER_TOTAL_MAX, 1),
    ] {
        let mut sums = Sums::new(&form);
        sums.add(&form, &bytes, total).expect("a ballot");
        let counters = sums.counters(&form);
        let factors = open(&held, &counters, &[1]);
        let made = best(turns, || Logarithms::new(total, 1));
        row(&format!("logarithms to {name}: table"), ms(made), "");
        let table = Logarithms::new(total, 1);
        let found = || totals(&held.keys, &counters, &factors, &table).expect("a total");
        assert_eq!(found(), [total]);
        row(
            &format!("logarithms to {name}: the largest"),
            ms(best(turns, found)),
            "",
        );
    }
}

/// Ten options, as many ballots as [`BALLOTS`], two of three trustees.
fn election() {
    let held = Held::new(2, 3);
    let form = marks(10, None).form().expect("a form");
    let ballots = sealed(&form, &held.keys.key);
    let add_all = || {
        let mut sums = Sums::new(&form);
        ballots
            .iter()
            .for_each(|bytes| sums.add(&form, bytes, 1).expect("a ballot"));
        sums
    };
    let summed = best(1, add_all);
    row("10,000 ballots of 10: summed from bytes", ms(summed), "");
    let counters = add_all().counters(&form);
    let share = held.share(1);
    row(
        "opening of 10 counters: make",
        ms(best(TURNS, || share.open(&counters, &CONTEXT))),
        "",
    );
    let opening = share.open(&counters, &CONTEXT);
    let check = || {
        opening
            .check(&held.keys, 1, &counters, &CONTEXT)
            .expect("it holds")
    };
    row("opening of 10 counters: check", ms(best(TURNS, check)), "");
    let first = open(&held, &counters, &[2]);
    let last = || {
        let factors = [check(), first[0].clone()];
        let table = Logarithms::new(BALLOTS as u64, counters.len());
        totals(&held.keys, &counters, &factors, &table).expect("totals")
    };
    let opened = best(TURNS, last);
    assert_eq!(last().iter().sum::<u64>(), BALLOTS as u64);
    row(
        "10,000 ballots of 10: opened after the last opening",
        ms(opened),
        "< 1000 ms",
    );
    assert!(
        opened < Duration::from_secs(1),
        "opening took {opened:?}, expected less than a second"
    );
}

/// The ballots; a hundred different ones, each a hundred times, because sums do not care.
fn sealed(form: &Form, key: &Key) -> Vec<Vec<u8>> {
    let sealer = Sealer::new(form, key);
    let ballot = |number: usize| {
        let mut bits = vec![false; form.slots().len()];
        bits[number % form.slots().len()] = true;
        sealer
            .seal(&[number as u8; 32], &bits, &[1; 32])
            .expect("a ballot")
    };
    let some: Vec<Vec<u8>> = (0..100).map(ballot).collect();
    some.iter().cycle().take(BALLOTS).cloned().collect()
}
