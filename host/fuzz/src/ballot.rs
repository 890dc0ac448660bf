//! Ballots and outcomes, as bytes and as JSON, of every built-in rule.

use std::sync::OnceLock;

use serde_json::Value;
use tabella_abi::codec::Wire;
use tabella_contest::{StrictJson, TieBreak};
use tabella_plugin_tools::sample::{self, Numbers};
use tabella_runtime::{Compiler, Contest, Runtime, RuntimeConfig, Verdict};
use tabella_sdk::{Guest, Rule};

/// Enough of each kind to start from.
const SEEDS_EACH: usize = 6;

fn contests() -> &'static [Contest] {
    static CONTESTS: OnceLock<Vec<Contest>> = OnceLock::new();
    CONTESTS.get_or_init(|| {
        let runtime = Runtime::new(RuntimeConfig {
            compiler: Compiler::InProcess,
            ..RuntimeConfig::default()
        });
        let runtime = runtime.expect("the sandbox starts");
        let contest = |rule: &tabella_plugins::Builtin| {
            let plugin = runtime.load(rule.wasm).expect("a built-in rule loads");
            let config = sample::built_in(rule.name);
            plugin.contest(&config).expect("the sample fits the rule")
        };
        tabella_plugins::all().iter().map(contest).collect()
    })
}

/// The first byte chooses the rule.
fn chosen(input: &[u8]) -> Option<(&'static Contest, &[u8])> {
    let (rule, rest) = input.split_first()?;
    let contests = contests();
    Some((&contests[usize::from(*rule) % contests.len()], rest))
}

fn ballots() -> impl Iterator<Item = (u8, &'static Contest, Value)> {
    (0..).zip(contests()).flat_map(|(number, contest)| {
        let config = sample::built_in(&contest.manifest().name);
        let mut numbers = Numbers::new(u64::from(number));
        (0..SEEDS_EACH).map(move |_| {
            let ballot = sample::ballot(contest.manifest(), &config, &mut numbers);
            (number, contest, ballot)
        })
    })
}

fn with_rule(number: u8, rest: &[u8]) -> Vec<u8> {
    [&[number], rest].concat()
}

pub(crate) fn start() {
    contests();
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let bytes = ballots().filter_map(|(number, contest, ballot)| {
        Some(with_rule(number, &contest.encode_ballot(&ballot).ok()?))
    });
    bytes.collect()
}

pub(crate) fn json_seeds() -> Vec<Vec<u8>> {
    ballots()
        .map(|(number, _, ballot)| with_rule(number, ballot.to_string().as_bytes()))
        .collect()
}

pub(crate) fn outcome_seeds() -> Vec<Vec<u8>> {
    let outcome = |(number, contest): (u8, &Contest)| {
        let of_rule = ballots().filter(|(other, ..)| *other == number);
        let bytes = of_rule.filter_map(|(_, contest, ballot)| contest.encode_ballot(&ballot).ok());
        let valid = bytes.filter(|ballot| contest.validate(ballot) == Ok(Verdict::Accept));
        let tally = contest.tally_with(valid.map(|ballot| (1, ballot)), &TieBreak::Report);
        with_rule(number, &tally.expect("valid ballots are counted").outcome)
    };
    (0..).zip(contests()).map(outcome).collect()
}

/// A rule's code for a ballot where it is compiled natively, so that the fuzzer sees its code.
fn judged_natively<R: Rule>(configuration: &[u8], ballot: &[u8]) -> u32 {
    let mut guest = Guest::<R>::new();
    assert_eq!(guest.configure(configuration), 0, "{}", guest.message());
    guest.validate(ballot)
}

fn native(rule: &str) -> fn(&[u8], &[u8]) -> u32 {
    match rule {
        "approval" => judged_natively::<tabella_rule_approval::Approval>,
        "borda" => judged_natively::<tabella_rule_borda::Borda>,
        "bucklin" => judged_natively::<tabella_rule_bucklin::Bucklin>,
        "budgeting" => judged_natively::<tabella_rule_committee::Budgeting>,
        "committee" => judged_natively::<tabella_rule_committee::Committee>,
        "copeland" => judged_natively::<tabella_rule_pairwise::Copeland>,
        "cumulative" => judged_natively::<tabella_rule_cumulative::Cumulative>,
        "instant-runoff" => judged_natively::<tabella_rule_instant_runoff::InstantRunoff>,
        "majority-judgment" => judged_natively::<tabella_rule_majority_judgment::MajorityJudgment>,
        "minimax" => judged_natively::<tabella_rule_pairwise::Minimax>,
        "party-list" => judged_natively::<tabella_rule_party_list::PartyList>,
        "plurality" => judged_natively::<tabella_rule_plurality::Plurality>,
        "quadratic" => judged_natively::<tabella_rule_cumulative::Quadratic>,
        "ranked-pairs" => judged_natively::<tabella_rule_pairwise::RankedPairs>,
        "referendum" => judged_natively::<tabella_rule_referendum::Referendum>,
        "schulze" => judged_natively::<tabella_rule_pairwise::Schulze>,
        "score" => judged_natively::<tabella_rule_scoring::Score>,
        "star" => judged_natively::<tabella_rule_scoring::Star>,
        "stv" => judged_natively::<tabella_rule_stv::Stv>,
        other => panic!("{other} is not in this list of the built-in rules"),
    }
}

pub(crate) fn take(input: &[u8]) {
    let Some((contest, ballot)) = chosen(input) else {
        return;
    };
    let name = &contest.manifest().name;
    let verdict = judged(contest, ballot);
    let code = match &verdict {
        Verdict::Reject { code, .. } => *code,
        Verdict::Accept | Verdict::Fault(_) => 0,
    };
    let natively = native(name)(contest.configuration(), ballot);
    assert_eq!(code, natively, "{name}: judged otherwise natively");
    match verdict {
        Verdict::Accept => {
            let json = contest
                .decode_ballot(ballot)
                .expect("an accepted ballot is one");
            let again = contest
                .encode_ballot(&json)
                .expect("a ballot is written as it was read");
            assert_eq!(again, ballot, "{name}: {json}");
            let board = [(1, ballot), (3, ballot)].into_iter();
            let tally = contest.tally_with(board, &TieBreak::Report);
            let tally = tally.unwrap_or_else(|error| panic!("{name}: {error}"));
            contest
                .outcome_json(&tally.outcome)
                .expect("an outcome is one");
        }
        Verdict::Reject { .. } => {}
        Verdict::Fault(fault) => panic!("{name}: {fault}"),
    }
}

fn judged(contest: &Contest, ballot: &[u8]) -> Verdict {
    contest
        .validate(ballot)
        .unwrap_or_else(|fault| panic!("{fault}"))
}

pub(crate) fn take_json(input: &[u8]) {
    let Some((contest, text)) = chosen(input) else {
        return;
    };
    let name = &contest.manifest().name;
    let Ok(StrictJson(json)) = serde_json::from_slice(text) else {
        return;
    };
    let Ok(ballot) = contest.encode_ballot(&json) else {
        return;
    };
    match judged(contest, &ballot) {
        // The edge writes nothing that is no ballot.
        Verdict::Reject { code: 1, message } => {
            panic!("{name}: {json} becomes malformed: {message}")
        }
        Verdict::Fault(fault) => panic!("{name}: {json}: {fault}"),
        Verdict::Accept | Verdict::Reject { .. } => {
            let read = contest
                .decode_ballot(&ballot)
                .expect("what was written is read");
            let again = contest
                .encode_ballot(&read)
                .expect("what was read is written");
            assert_eq!(again, ballot, "{name}: {json} is read as {read}");
        }
    }
}

pub(crate) fn take_outcome(input: &[u8]) {
    let Some((contest, bytes)) = chosen(input) else {
        return;
    };
    if contest.outcome_json(bytes).is_ok() {
        let outcome = contest.outcome(bytes).expect("it was read before");
        assert_eq!(outcome.to_wire(), bytes, "one encoding for each value");
    }
}
