//! Counts, round by round.

use expect_test::{Expect, expect};
use tabella_abi::contest::Decider;

use crate::{Rules, Setting, ballots, letter, letters};

fn check(setting: Setting, text: &str, decider: Decider, expected: Expect) {
    let outcome = setting.count(&ballots(text), decider);
    let mut shown = format!("quota {}\n", outcome.quota.unwrap());
    for (position, round) in outcome.rounds.iter().enumerate() {
        let totals: Vec<_> = (round.totals.iter())
            .map(|(option, votes)| format!("{} {votes}", letter(*option)))
            .collect();
        shown += &format!(
            "{}: {}, nobody {}",
            position + 1,
            totals.join(", "),
            round.exhausted
        );
        if !round.elected.is_empty() {
            shown += &format!("; in {}", letters(&round.elected));
        }
        if !round.eliminated.is_empty() {
            shown += &format!("; out {}", letters(&round.eliminated));
        }
        shown.push('\n');
    }
    for tie in &outcome.ties {
        shown += &format!(
            "tie {}: {} by {}\n",
            letters(&tie.options),
            tie.question,
            tie.decided_by
        );
    }
    shown += &format!("winners {}\n", letters(&outcome.winners));
    expected.assert_eq(&shown);
}

/// Wikipedia, "Single transferable vote": oranges, pears, chocolate, strawberries, sweets.
const FOOD: &str = "4 A
                    2 B A
                    8 C D
                    4 C E
                    1 D
                    1 E";

#[test]
fn food_for_a_party() {
    check(
        Setting::new(5, 3, Rules::Scottish),
        FOOD,
        Decider::Seed,
        expect![[r#"
            quota 6.00000
            1: A 4.00000, B 2.00000, C 12.00000, D 1.00000, E 1.00000, nobody 0.00000; in C
            2: A 4.00000, B 2.00000, C 6.00000, D 5.00000, E 3.00000, nobody 0.00000; out B
            3: A 6.00000, C 6.00000, D 5.00000, E 3.00000, nobody 0.00000; in A; out E
            4: A 6.00000, C 6.00000, D 5.00000, nobody 3.00000; in D
            winners C A D
        "#]],
    );
    check(
        Setting::new(5, 3, Rules::Wigm),
        FOOD,
        Decider::Seed,
        expect![[r#"
            quota 5.000000001
            1: A 4.000000000, B 2.000000000, C 12.000000000, D 1.000000000, E 1.000000000, nobody 0.000000000; in C
            2: A 4.000000000, B 2.000000000, C 5.000000001, D 5.666666664, E 3.333333332, nobody 0.000000003; in D
            3: A 4.000000000, B 2.000000000, C 5.000000001, D 5.000000001, E 3.333333332, nobody 0.666666666; out B
            4: A 6.000000000, C 5.000000001, D 5.000000001, E 3.333333332, nobody 0.666666666; in A
            winners C D A
        "#]],
    );
    check(
        Setting::new(5, 3, Rules::Meek),
        FOOD,
        Decider::Seed,
        expect![[r#"
            quota 5.000000001
            1: A 4.000000000, B 2.000000000, C 12.000000000, D 1.000000000, E 1.000000000, nobody 0.000000000; in C
            2: A 4.000000000, B 2.000000000, C 5.000000004, D 5.666666664, E 3.333333332, nobody 0.000000000; in D
            3: A 4.000000000, B 2.000000000, C 5.000000004, D 5.666666664, E 3.333333332, nobody 0.000000000; out B
            4: A 6.000000000, C 5.000000004, D 5.666666664, E 3.333333332, nobody 0.000000000; in A
            winners C D A
        "#]],
    );
    check(
        Setting::new(5, 3, Rules::FractionalGregory),
        FOOD,
        Decider::Seed,
        expect![[r#"
            quota 6.00000
            1: A 4.00000, B 2.00000, C 12.00000, D 1.00000, E 1.00000, nobody 0.00000; in C
            2: A 4.00000, B 2.00000, C 6.00000, D 5.00000, E 3.00000, nobody 0.00000; out B
            3: A 6.00000, C 6.00000, D 5.00000, E 3.00000, nobody 0.00000; in A; out E
            4: A 6.00000, C 6.00000, D 5.00000, E 2.00000, nobody 1.00000; in D
            winners C A D
        "#]],
    );
}

#[test]
fn quotas_and_places_by_choice() {
    let whole = Setting {
        quota: Some(0),
        places: Some(2),
        ..Setting::new(5, 3, Rules::Wigm)
    };
    let outcome = whole.count(&ballots(FOOD), Decider::Seed);
    assert_eq!(outcome.quota.unwrap().to_string(), "6.00");
    let fractional = Setting {
        quota: Some(1),
        places: Some(0),
        ..Setting::new(5, 3, Rules::Scottish)
    };
    let outcome = fractional.count(&ballots(FOOD), Decider::Seed);
    assert_eq!(outcome.quota.unwrap().to_string(), "6");
    let hare = Setting {
        quota: Some(2),
        ..Setting::new(5, 3, Rules::Scottish)
    };
    let outcome = hare.count(&ballots(FOOD), Decider::Seed);
    assert_eq!(outcome.quota.unwrap().to_string(), "6.66667");
}

/// Ward Springburn, Glasgow, 3 May 2007: the council's published ballots, preferences and result
/// (elected: Stewart at stage 1, Todd at stage 2, Greene at stage 5; quota 1,353).
#[test]
fn springburn_2007() {
    let blt = include_str!("springburn-2007.blt");
    let mut lines = String::new();
    for line in blt.lines().skip(1).take_while(|line| *line != "0") {
        let mut numbers = line.split_whitespace().map(|n| n.parse::<usize>().unwrap());
        lines += &numbers.next().unwrap().to_string();
        for number in numbers.take_while(|number| *number > 0) {
            lines += &format!(" {}", letter(number - 1));
        }
        lines.push('\n');
    }
    check(
        Setting::new(10, 3, Rules::Scottish),
        &lines,
        Decider::Seed,
        expect![[r#"
            quota 1353.00000
            1: A 135.00000, B 339.00000, C 173.00000, D 1300.00000, E 134.00000, F 85.00000, G 135.00000, H 1752.00000, I 168.00000, J 1189.00000, nobody 0.00000; in H
            2: A 139.78233, B 351.75288, C 176.41595, D 1327.09987, E 140.14871, F 86.82184, G 137.50503, H 1353.00000, I 176.88147, J 1437.68116, nobody 82.91076; in J
            3: A 143.25032, B 358.57632, C 178.54502, D 1336.33636, E 143.75895, F 88.39636, G 138.78505, H 1353.00000, I 183.03308, J 1353.00000, nobody 133.31854; out F
            4: A 144.60926, B 362.87082, C 203.47722, D 1340.90962, E 150.77236, G 151.84395, H 1353.00000, I 186.33312, J 1353.00000, nobody 163.18365; out A
            5: B 410.14226, C 209.51745, D 1374.08557, E 162.73399, G 154.90285, H 1353.00000, I 187.20642, J 1353.00000, nobody 205.41146; in D
            winners H J D
        "#]],
    );
}

#[test]
fn an_earlier_stage_decides_in_scotland_and_lots_elsewhere() {
    let text = "1 A B
                2 B
                3 C
                4 D
                5 E";
    let tie = |rules| {
        let outcome = Setting::new(5, 2, rules).count(&ballots(text), Decider::Order);
        let tie = &outcome.ties[0];
        let out = outcome.rounds[1].eliminated[0];
        format!(
            "{}: {} -> {}",
            letters(&tie.options),
            tie.decided_by,
            letter(out)
        )
    };
    assert_eq!(tie(Rules::Scottish), "B C: an earlier stage -> B");
    assert_eq!(tie(Rules::FractionalGregory), "B C: an earlier stage -> B");
    assert_eq!(tie(Rules::Wigm), "B C: order -> C");
}

#[test]
fn undecided_ties_elect_all_who_could_be() {
    let text = "3 A
                2 B
                2 C";
    for rules in Rules::ALL {
        let outcome = Setting::new(3, 2, rules).count(&ballots(text), Decider::Report);
        assert_eq!(letters(&outcome.winners), "A B C", "{rules:?}");
        assert_eq!(outcome.ties.len(), 1, "{rules:?}");
        assert_eq!(outcome.ties[0].decided_by, "report");
    }
}

/// Eight can leave in 40,320 orders, but every eliminated set is counted on from once.
#[test]
fn orders_of_elimination_that_meet_are_followed_once() {
    let winners = |rules, text: &str| {
        let outcome = Setting::new(10, 1, rules).count(&ballots(text), Decider::Report);
        let is_cut_short = outcome.explanation.contains("more ways");
        assert!(!is_cut_short, "{rules:?}: {}", outcome.explanation);
        letters(&outcome.winners)
    };
    let end = "5 A
               5 J
               1 B
               1 C
               1 D
               1 E
               1 F
               1 G
               1 H
               1 I J";
    // The Senate's count does not tell where it stands: ways that meet are followed each.
    for rules in Rules::ALL
        .into_iter()
        .filter(|rules| *rules != Rules::Senate)
    {
        assert_eq!(winners(rules, end), "J", "{rules:?}");
    }
    let pass_on = "12 A
                   5 J
                   1 B J
                   1 C J
                   1 D J
                   1 E J
                   1 F J
                   1 G J
                   1 H J
                   1 I J";
    // Where the last parcel matters, more ways differ than are followed.
    for rules in [Rules::Scottish, Rules::Wigm, Rules::Meek] {
        assert_eq!(winners(rules, pass_on), "J", "{rules:?}");
    }
}

#[test]
fn a_rank_with_several_marks_ends_a_ballot() {
    check(
        Setting::new(3, 1, Rules::Scottish),
        "5 A
         3 B
         3 C AB
         9 AB C
         2",
        Decider::Order,
        expect![[r#"
            quota 6.00000
            1: A 5.00000, B 3.00000, C 3.00000, nobody 0.00000; out C
            2: A 5.00000, B 3.00000, nobody 3.00000; out B
            3: A 5.00000, nobody 6.00000; in A
            tie B C: elimination in round 1 by order
            winners A
        "#]],
    );
}

/// Random elections, counted paper by paper by second implementations of the last-parcel rules and the
/// Senate's: options and seats; ballots; winners in order, and every option's last votes.
#[test]
fn papers_as_counted_elsewhere() {
    for (rules, file) in [
        (Rules::FractionalGregory, include_str!("gregory.txt")),
        (Rules::Senate, include_str!("senate.txt")),
    ] {
        for line in file.lines() {
            counts_as(rules, line);
        }
    }
}

fn counts_as(rules: Rules, line: &str) {
    let parts: Vec<_> = line.split(" | ").collect();
    let (options, seats) = parts[0].split_once(' ').unwrap();
    let (options, seats) = (options.parse().unwrap(), seats.parse().unwrap());
    let mut text = String::new();
    for letter in parts[1].chars() {
        match letter {
            ' ' => text.push('\n'),
            'A'..='Z' => text.extend([' ', letter]),
            digit => text.push(digit),
        }
    }
    let outcome = Setting::new(options, seats, rules).count(&ballots(&text), Decider::Order);
    let votes = outcome
        .options
        .iter()
        .map(|option| option.votes.to_string());
    let votes: Vec<_> = votes.collect();
    let found = format!(
        "{} {}",
        letters(&outcome.winners).replace(' ', ""),
        votes.join(" ")
    );
    assert_eq!(found, parts[2], "{rules:?} {line}");
}

/// Section 273, by hand: A's surplus of 14 passes on over all of its 25 papers at 14/25, in whole votes: 15
/// papers are 8.4 votes for B, 10 papers 5.6 for C.
#[test]
fn a_surplus_of_the_senate_passes_on_in_whole_votes() {
    check(
        Setting::new(4, 3, Rules::Senate),
        "15 A B
         10 A C D
         4 B
         3 C B
         8 D
         2 D C",
        Decider::Order,
        expect![[r#"
            quota 11
            1: A 25, B 4, C 3, D 10, nobody 0; in A
            2: A 11, B 12, C 8, D 10, nobody 1; in B
            3: A 11, B 11, C 8, D 10, nobody 2; in D
            winners A B D
        "#]],
    );
}
