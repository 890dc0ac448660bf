//! PrefLib's categories, and files that are not of the kind that their name says.

use std::path::Path;

use serde_json::json;
use tabella_election_files::{BallotFile, Format, Spoiled};

use crate::refused::{counts, is_refused};
use crate::summary;

#[test]
fn categories_of_preflib() {
    let head = "# FILE NAME: x.cat\n# DATA TYPE: cat\n# NUMBER ALTERNATIVES: 3\n# NUMBER CATEGORIES: 2\n\
        # CATEGORY NAME 1: Yes\n# CATEGORY NAME 2: No\n# ALTERNATIVE NAME 1: Ann Lee\n\
        # ALTERNATIVE NAME 2: Bo Ek\n# ALTERNATIVE NAME 3: Cy Fa\n";
    counts(
        "approval",
        "x.cat",
        &format!("{head}3: {{1,2}},3\n2: {{}},{{1,2,3}}\n4: 3,{{}}\n"),
        "\"a\" 3, \"b\" 3, \"c\" 4",
    );
    let unknown = head.replace("Yes", "Maybe");
    is_refused(
        "approval",
        "x.cat",
        &format!("{unknown}3: 1,2\n"),
        "called yes or no",
    );
    is_refused(
        "instant-runoff",
        "x.cat",
        &format!("{head}3: 1,2\n"),
        "orders, which categories are not",
    );
    is_refused(
        "approval",
        "x.cat",
        &format!("{head}3: 1,1\n"),
        "stands in two categories",
    );
    is_refused(
        "approval",
        "x.cat",
        &format!("{head}3: 1,2,3\n"),
        "expected at most 2 categories",
    );
    is_refused(
        "approval",
        "x.cat",
        &format!("{}3: 1,2\n", head.replace("CATEGORIES: 2", "CATEGORIES: 3")),
        "NUMBER CATEGORIES says 3",
    );
    let grades =
        json!({"options": ["Ann Lee", "Bo Ek", "Cy Fa"], "params": {"grades": ["bad", "good"]}});
    let text = format!(
        "{}3: 1,{{2,3}}\n1: 2,1\n",
        head.replace("Yes", "good").replace("No", "bad")
    );
    let found = summary("majority-judgment", &grades, "x.cat", &text, Spoiled::Count);
    assert!(
        found.contains("winners [\"Ann Lee\"]; 4 counted"),
        "{found}"
    );
    let points = head.replace("Yes", "3").replace("No", "1");
    counts(
        "score",
        "x.cat",
        &format!("{points}2: 1,{{2,3}}\n"),
        "\"a\" 6, \"b\" 2, \"c\" 2",
    );
}

/// Names of alternatives, and nothing else above the orders.
const BARE: &str = "# ALTERNATIVE NAME 1: Ann Lee\n# ALTERNATIVE NAME 2: Bo Ek\n\
    # ALTERNATIVE NAME 3: Cy Fa\n";

#[test]
fn a_file_is_held_to_the_kind_that_its_name_says() {
    let refused = |name: &str, orders: &str, why: &str| {
        is_refused("instant-runoff", name, &format!("{BARE}{orders}"), why);
    };
    for name in ["x.soc", "x.toc", "X.SOC", "folder/x.toc"] {
        refused(name, "3: 1,2,3\n2: 2,1\n", "2 of 3 alternatives stand");
    }
    for name in ["x.soc", "x.soi"] {
        refused(name, "3: {1,2},3\n", "alternatives share a rank");
    }
    for name in ["x.toi", "x.soi"] {
        counts(
            "instant-runoff",
            name,
            &format!("{BARE}3: 1\n2: 2,1\n"),
            "\"a\" 3, \"b\" 2, \"c\" 0",
        );
    }
    // A word above the orders that says less does not loosen what the name says, nor the other way round.
    refused(
        "x.soc",
        "# DATA TYPE: toi\n3: 1,2\n",
        "2 of 3 alternatives stand",
    );
    let word = format!("# DATA TYPE: soc\n{BARE}3: 1,2\n");
    is_refused(
        "instant-runoff",
        "x.toi",
        &word,
        "2 of 3 alternatives stand",
    );
    is_refused(
        "approval",
        "x.cat",
        &format!("{BARE}3: 1,2\n"),
        "expected lines `# CATEGORY NAME 1: …`",
    );
    is_refused(
        "approval",
        "x.soi",
        &format!("# CATEGORY NAME 1: yes\n# CATEGORY NAME 2: no\n{BARE}3: 1,2\n"),
        "orders, not categories",
    );
}

#[test]
fn columns_are_said_of_tables_alone() {
    for (name, format) in Format::ALL {
        let text = match format {
            Format::CvrXml => "<CastVoteRecordReport></CastVoteRecordReport>",
            Format::Xlsx => continue,
            _ => "x\n",
        };
        let file = BallotFile::from_bytes(Path::new("x"), text.into(), Some(format));
        let Ok(file) = file else {
            panic!("{name}: {file:?}");
        };
        let said = file.with_columns("count,rank1".parse().unwrap());
        match format {
            Format::Csv => assert!(said.is_ok()),
            _ => {
                let said = said.unwrap_err().to_string();
                assert!(
                    said.contains(&format!("read as {name}, which has no columns")),
                    "{said}"
                );
            }
        }
    }
}
