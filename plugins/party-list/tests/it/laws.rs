//! Thresholds by kind of list, their base, and waivers: elections of public record, and what the laws leave
//! open.

use tabella_abi::ballot::Choices;
use tabella_abi::codec::{Wire, put_varint};
use tabella_abi::contest::{Configuration, ContestOption, Decider, ParamValue, TieOrder};
use tabella_rule_party_list::PartyList;
use tabella_sdk::{Guest, Outcome};

const DHONDT: usize = 0;
const SAINTE_LAGUE: usize = 1;
const DROOP: usize = 3;

/// An election by law: parties with their votes, and what the parameters say.
struct Law<'a> {
    parties: &'a [(&'a str, u64)],
    blank: u64,
    seats: i64,
    method: usize,
    /// In units of a ten-thousandth of a per cent.
    threshold: i64,
    party_thresholds: &'a [&'a str],
    base: usize,
    direct: &'a [&'a str],
    waiver: i64,
}

impl Law<'_> {
    fn guest(&self) -> Result<Guest<PartyList>, String> {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let option = |(id, _): &(&str, u64)| ContestOption {
            id: (*id).to_owned(),
            title: (*id).to_owned(),
        };
        let configuration = Configuration {
            options: self.parties.iter().map(option).collect(),
            params: vec![
                ParamValue::Integer(self.seats),
                ParamValue::Choice(self.method),
                ParamValue::Decimal(self.threshold),
                ParamValue::Texts(texts(self.party_thresholds)),
                ParamValue::Choice(self.base),
                ParamValue::Texts(texts(self.direct)),
                ParamValue::Integer(self.waiver),
            ],
        };
        let mut guest = Guest::new();
        match guest.configure(&configuration.to_wire()) {
            0 => Ok(guest),
            _ => Err(guest.message().to_owned()),
        }
    }

    fn count(&self) -> Outcome {
        let mut guest = self.guest().unwrap();
        let mut batch = Vec::new();
        let blank = (Choices::encode(&[]), self.blank);
        let votes = self.parties.iter().enumerate();
        let votes = votes.map(|(party, (_, votes))| (Choices::encode(&[party]), *votes));
        for (ballot, weight) in votes.chain([blank]) {
            put_varint(&mut batch, weight);
            put_varint(&mut batch, ballot.len() as u64);
            batch.extend(ballot);
        }
        assert_eq!(guest.fold(&batch), 0);
        let order = TieOrder {
            decider: Decider::Order,
            order: (0..self.parties.len()).collect(),
        };
        Outcome::from_wire(&guest.finish(&order.to_wire())).unwrap()
    }

    /// The parties with seats, in the order of the paper.
    fn seats(&self) -> String {
        let outcome = self.count();
        let options = outcome.options.iter().zip(self.parties);
        let given = options.filter(|(result, _)| result.seats > 0);
        let given = given.map(|(result, (id, _))| format!("{id} {}", result.seats));
        given.collect::<Vec<_>>().join(", ")
    }
}

/// National Council of Slovakia, 29 February 2020: votes and seats as the Statistical Office published
/// them, the parties below 0.25 per cent as one. PS/Spolu, a coalition of two, had 6.96 per cent.
const SLOVAKIA: Law<'_> = Law {
    parties: &[
        ("olano", 721_166),
        ("smer", 527_172),
        ("sme-rodina", 237_531),
        ("lsns", 229_660),
        ("ps-spolu", 200_780),
        ("sas", 179_246),
        ("za-ludi", 166_325),
        ("kdh", 134_099),
        ("mko-mks", 112_662),
        ("sns", 91_171),
        ("dobra-volba", 88_220),
        ("vlast", 84_507),
        ("most-hid", 59_174),
        ("socialisti", 15_925),
        ("mtd", 9_260),
        ("stano", 8_191),
        ("others", 16_422),
    ],
    blank: 0,
    seats: 150,
    method: DROOP,
    threshold: 50_000,
    party_thresholds: &["ps-spolu 7"],
    base: 0,
    direct: &[],
    waiver: 1,
};

#[test]
fn slovakia_2020() {
    let published = "olano 53, smer 38, sme-rodina 17, lsns 17, sas 13, za-ludi 12";
    assert_eq!(SLOVAKIA.seats(), published);
    // With one threshold for all, the coalition would have had a share.
    let one = Law {
        party_thresholds: &[],
        ..SLOVAKIA
    };
    assert!(one.seats().contains("ps-spolu 13"), "{}", one.seats());
    let lower = Law {
        party_thresholds: &["ps-spolu 6.9679", "kdh 4.65"],
        ..SLOVAKIA
    };
    assert!(lower.seats().contains("kdh"), "{}", lower.seats());
    assert!(
        lower
            .count()
            .explanation
            .contains("are below the threshold")
    );
}

/// House of Representatives of New Zealand, 20 September 2014: party votes and electorates as the
/// Electoral Commission published them. Māori, ACT and United Future are below five per cent.
const NEW_ZEALAND: Law<'_> = Law {
    parties: &[
        ("national", 1_131_501),
        ("labour", 604_535),
        ("green", 257_359),
        ("nz-first", 208_300),
        ("conservative", 95_598),
        ("internet-mana", 34_094),
        ("maori", 31_849),
        ("act", 16_689),
        ("legalise-cannabis", 10_961),
        ("united-future", 5_286),
        ("ban-1080", 5_113),
        ("democrats", 1_730),
        ("civilian", 1_096),
        ("independent-coalition", 872),
        ("focus", 639),
    ],
    blank: 0,
    seats: 120,
    method: SAINTE_LAGUE,
    threshold: 50_000,
    party_thresholds: &[],
    base: 0,
    direct: &[
        "national 41",
        "labour 27",
        "maori 1",
        "act 1",
        "united-future 1",
    ],
    waiver: 1,
};

#[test]
fn new_zealand_2014() {
    let published =
        "national 60, labour 32, green 14, nz-first 11, maori 2, act 1, united-future 1";
    assert_eq!(NEW_ZEALAND.seats(), published);
    let outcome = NEW_ZEALAND.count();
    let expected = "united-future won 1 in districts beyond its share, and keeps them.";
    assert!(
        outcome.explanation.contains(expected),
        "{}",
        outcome.explanation
    );
    assert_eq!(outcome.winners.len(), 7);
    // Without the waiver who is below five per cent keeps what it won, and has no share.
    let none = Law {
        waiver: 0,
        ..NEW_ZEALAND
    };
    assert!(
        none.seats().ends_with("maori 1, act 1, united-future 1"),
        "{}",
        none.seats()
    );
    // Germany has a waiver from three seats on.
    let three = Law {
        waiver: 3,
        ..NEW_ZEALAND
    };
    assert_eq!(three.seats(), none.seats());
}

#[test]
fn blank_ballots_are_part_of_the_whole_where_the_law_says_so() {
    let law = Law {
        parties: &[("a", 960), ("b", 30)],
        blank: 20,
        seats: 100,
        method: DHONDT,
        threshold: 30_000,
        base: 1,
        direct: &[],
        ..SLOVAKIA
    };
    let law = Law {
        party_thresholds: &[],
        ..law
    };
    assert_eq!(law.seats(), "a 100");
    let parties = Law { base: 0, ..law };
    assert_eq!(parties.seats(), "a 97, b 3");
}

#[test]
fn parameters_that_say_nothing_clear() {
    let refused = |party_thresholds: &[&str], direct: &[&str]| {
        let law = Law {
            party_thresholds,
            direct,
            ..SLOVAKIA
        };
        law.guest().err().unwrap()
    };
    assert!(refused(&["ps-spolu"], &[]).contains("a party's id, a space and a number"));
    assert!(refused(&["ps 7"], &[]).contains("the id of an option in front, found \"ps 7\""));
    assert!(refused(&["kdh 5", "kdh 7"], &[]).contains("each party once"));
    for percent in ["100.0001", "7%", "-1", "1e1", "0.00001", ".5", ""] {
        let found = refused(&[&format!("kdh {percent}")], &[]);
        assert!(
            found.contains("party_thresholds: expected"),
            "{percent}: {found}"
        );
    }
    assert!(refused(&[], &["kdh many"]).contains("expected a number of seats"));
    assert!(refused(&[], &["kdh 100001"]).contains("expected a number of seats"));
}
