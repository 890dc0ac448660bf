//! Cast Vote Records, NIST SP 1500-103 version 1.0, in XML: the same members as in JSON, and read as those.
//! What JSON calls `@id` is the attribute `ObjectId`.

use serde_json::{Map, Value};

use super::cvr_status::know_version;
use super::problem::At;
use super::xml::{self, Element};

/// Elements that may stand several times, and are lists in JSON.
const LISTS: [&str; 7] = [
    "Candidate",
    "Contest",
    "ContestSelection",
    "CVRContest",
    "CVRContestSelection",
    "CVRSnapshot",
    "SelectionPosition",
];

/// Lists of ids, which XML has between spaces or one an element.
const IDS: [&str; 1] = ["CandidateIds"];

/// Elements that are read and stand once; what else a record holds is passed over.
const ONCE: [&str; 18] = [
    "BallotAuditId",
    "BallotPrePrintedId",
    "BatchId",
    "BatchSequenceId",
    "CreatingDeviceId",
    "TotalNumberVotes",
    "FractionalVotes",
    "UniqueId",
    "CurrentSnapshotId",
    "ContestId",
    "ContestSelectionId",
    "Rank",
    "HasIndication",
    "IsAllocable",
    "NumberVotes",
    "Name",
    "Selection",
    "IsWriteIn",
];

/// The same report as JSON, where every record starts on the line on which it starts in XML.
pub(super) fn to_json(text: &str) -> Result<String, At> {
    let mut elections = Vec::new();
    let mut records = String::from("{\"CVR\":[");
    let mut line = 1;
    let mut is_first = true;
    let root = xml::read(text, &mut |element| {
        match &*element.name {
            "Election" => elections.push(object(&element)?),
            "CVR" => {
                if !is_first {
                    records.push(',');
                }
                is_first = false;
                while line < element.line {
                    records.push('\n');
                    line += 1;
                }
                records.push_str(&object(&element)?.to_string());
            }
            "Version" => {
                let version = element.text.trim();
                know_version(version).map_err(|message| At::new(element.line, message))?;
            }
            _ => {}
        }
        Ok(())
    })?;
    if root != "CastVoteRecordReport" {
        let message = format!("expected CastVoteRecordReport as the first element, found {root}");
        return Err(At::new(1, message));
    }
    records.push_str("],\"Election\":");
    records.push_str(&Value::Array(elections).to_string());
    records.push('}');
    Ok(records)
}

fn object(element: &Element) -> Result<Value, At> {
    let mut members: Map<String, Value> = Map::new();
    for (name, value) in &element.attributes {
        if name == "ObjectId" {
            members.insert("@id".into(), value.as_str().into());
        }
    }
    for child in &element.children {
        let value = value(child)?;
        let name = child.name.as_str();
        if IDS.contains(&name) {
            let ids = child.text.split_whitespace().map(Value::from);
            list(&mut members, name).extend(ids);
        } else if LISTS.contains(&name) {
            list(&mut members, name).push(value);
        } else if name == "Status" {
            // One word in JSON where there is one.
            match members.get_mut(name) {
                None => drop(members.insert(name.into(), value)),
                Some(Value::Array(words)) => words.push(value),
                Some(word) => *word = Value::Array(vec![word.take(), value]),
            }
        } else if ONCE.contains(&name) && members.insert(name.into(), value).is_some() {
            let message = format!("expected one element {name} in {}", element.name);
            return Err(At::new(child.line, message));
        }
    }
    Ok(Value::Object(members))
}

fn list<'a>(members: &'a mut Map<String, Value>, name: &str) -> &'a mut Vec<Value> {
    let entry = members
        .entry(name)
        .or_insert_with(|| Value::Array(Vec::new()));
    match entry {
        Value::Array(list) => list,
        // A name is always a list or never.
        _ => unreachable!("{name} is a list"),
    }
}

fn value(element: &Element) -> Result<Value, At> {
    let text = element.text.trim();
    match &*element.name {
        "Rank" | "NumberVotes" => match text.parse::<u64>() {
            Ok(number) => Ok(number.into()),
            Err(_) => {
                let name = &element.name;
                let message = format!("expected a whole number in {name}, found {text:?}");
                Err(At::new(element.line, message))
            }
        },
        "IsWriteIn" => Ok((text == "true" || text == "1").into()),
        // A name in several languages is the first of them.
        "Name" | "Selection" if text.is_empty() => {
            Ok(element.child("Text").unwrap_or_default().into())
        }
        _ if !element.children.is_empty() => object(element),
        _ if LISTS.contains(&&*element.name) => object(element),
        _ => Ok(text.into()),
    }
}
