//! The records of decisions are numbered without gaps, and each has its line in the index.

use std::{fs, path::Path};

#[test]
fn records_have_no_gap_and_stand_in_the_index() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decisions");
    let mut records: Vec<String> = fs::read_dir(&directory)
        .expect("docs/decisions is there")
        .map(|entry| entry.expect("it is read").file_name())
        .map(|name| name.into_string().expect("names are ASCII"))
        .filter(|name| name != "README.md")
        .collect();
    records.sort();
    let index = fs::read_to_string(directory.join("README.md")).expect("the index is read");
    let rows: Vec<&str> = index
        .lines()
        .filter(|line| line.starts_with("| 0"))
        .collect();
    assert_eq!(rows.len(), records.len(), "one line each in the index");
    for (position, (record, row)) in records.iter().zip(rows).enumerate() {
        let number = format!("{:04}", position + 1);
        assert!(
            record.starts_with(&format!("{number}-")),
            "{number} is missing before {record}"
        );
        assert!(
            row.starts_with(&format!("| {number} | [")) && row.contains(&format!("({record})")),
            "the index has {row} where {record} belongs"
        );
    }
}
