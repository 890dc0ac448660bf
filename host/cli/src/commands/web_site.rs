//! `tabella verify web`: whether a site serves the pages of this very program, byte by byte.

use anyhow::{Result, bail};
use serde::Serialize;
use serde_json::json;
use tabella_protocol::Hash;
use tabella_web::{Asset, Language, site};

use crate::{
    exit::Exit,
    http::{Answer, Client},
    output::{self, plain},
};

/// Pages of so many elections are compared, the newest first.
const ELECTIONS_MAX: usize = 10;
/// What pages are asked about where nothing is known.
const ANY_ID: u64 = 1;
/// What stands in the address of a page for what it is about.
const ID: &str = "{id}";
/// Headers that no page or file is sent with: one would lead away from it, the other hide what it holds.
const NEVER_SENT: [&str; 2] = ["refresh", "content-encoding"];
/// An address where no site has a page.
const NOWHERE: &str = "tabella-verify-web";

/// Something that the site does not send as it should.
#[derive(Debug, Serialize)]
struct Difference {
    path: String,
    /// What differs: `status`, `bytes`, or a header.
    what: &'static str,
    expected: String,
    got: String,
}

/// What was compared, and what differs.
#[derive(Debug, Default)]
struct Findings {
    compared: usize,
    differences: Vec<Difference>,
}

/// Runs the command.
pub(super) async fn run(url: &str, json: bool) -> Result<Exit> {
    let mut client = Client::new(url)?;
    let findings = compare(&mut client).await?;
    match json {
        true => output::json(&json!({
            "valid": findings.differences.is_empty(),
            "compared": findings.compared,
            "differences": findings.differences,
        })),
        false => output::text(&describe(url, &findings)),
    }
    Ok(match findings.differences.is_empty() {
        true => Exit::Success,
        false => Exit::Refused,
    })
}

async fn compare(client: &mut Client) -> Result<Findings> {
    let elections = newest_elections(client).await?;
    let mut findings = Findings::default();
    for asset in site().files() {
        let ids: &[u64] = match asset.path.contains("/elections/") {
            true => &elections,
            false => &[ANY_ID],
        };
        let mut paths: Vec<String> = ids
            .iter()
            .map(|id| asset.path.replace(ID, &id.to_string()))
            .collect();
        paths.dedup();
        for path in paths.iter().filter(|path| site().find(path).is_some()) {
            let answer = client.get(path).await?;
            findings.take(path, asset, 200, &answer);
        }
    }
    for language in Language::ALL {
        client.as_reader_of(language.code);
        let first = format!("/{}/", language.code);
        let answer = client.get("/").await?;
        findings.take_lead("/", &first, &answer);
        let path = format!("/{}/{NOWHERE}", language.code);
        let answer = client.get(&path).await?;
        findings.take(&path, site().not_found(language), 404, &answer);
    }
    Ok(findings)
}

/// The ids of the newest elections of a site, or any where it has none.
async fn newest_elections(client: &mut Client) -> Result<Vec<u64>> {
    let answer = client.get("/api/elections").await?;
    let listed = answer.json();
    let Some(listed) = listed.as_array().filter(|_| answer.is_success()) else {
        bail!(
            "expected the list of elections at /api/elections, got status {}; is this a Tabella backend?",
            answer.status
        );
    };
    let ids = listed.iter().filter_map(|one| one["election_id"].as_u64());
    let mut ids: Vec<u64> = ids.collect();
    ids.sort_unstable_by(|a, b| b.cmp(a));
    ids.truncate(ELECTIONS_MAX);
    if ids.is_empty() {
        ids.push(ANY_ID);
    }
    Ok(ids)
}

impl Findings {
    /// Compares an answer with the file that should have come.
    fn take(&mut self, path: &str, asset: &Asset, status: u16, answer: &Answer) {
        self.compared += 1;
        if answer.status != status {
            return self.check(path, "status", &status, &answer.status);
        }
        let sha256 = Hash::of(&answer.body);
        self.check(path, "bytes", &Hash::of(&asset.bytes), &sha256);
        for (name, expected) in asset.headers() {
            self.check(path, name, &expected, &sent(answer, name));
        }
        for name in NEVER_SENT {
            self.check(path, name, &"", &sent(answer, name));
        }
    }

    /// Compares an answer that should lead to another page.
    fn take_lead(&mut self, path: &str, to: &str, answer: &Answer) {
        self.compared += 1;
        self.check(path, "status", &303, &answer.status);
        self.check(path, "location", &to, &sent(answer, "location"));
    }

    fn check(
        &mut self,
        path: &str,
        what: &'static str,
        expected: &impl ToString,
        got: &impl ToString,
    ) {
        let (expected, got) = (expected.to_string(), got.to_string());
        if expected != got {
            self.differences.push(Difference {
                path: path.to_owned(),
                what,
                expected,
                got,
            });
        }
    }
}

/// All values of a header; empty where it is not sent.
fn sent(answer: &Answer, name: &str) -> String {
    let values = answer.headers.get_all(name).iter();
    let values: Vec<_> = values
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(", ")
}

fn describe(url: &str, findings: &Findings) -> String {
    let Findings {
        compared,
        differences,
    } = findings;
    if differences.is_empty() {
        let version = env!("CARGO_PKG_VERSION");
        return format!(
            "VALID: {} sends {compared} pages and files as this program, version {version}, has them\n",
            plain(url)
        );
    }
    let mut text = format!(
        "NOT VALID: {} sends {} of {compared} pages and files otherwise than this program has them:\n",
        plain(url),
        paths(differences)
    );
    for Difference {
        path,
        what,
        expected,
        got,
    } in differences
    {
        text.push_str(&format!(
            "{}: {what}: expected {expected}, got {}\n",
            plain(path),
            plain(got)
        ));
    }
    if differences.iter().any(|of| of.path == "/assets.json") {
        text.push_str(
            "The site's own list of files is another: it may run another version, whose program has to compare it.\n",
        );
    }
    text
}

/// How many addresses differ.
fn paths(differences: &[Difference]) -> usize {
    let mut paths: Vec<&str> = differences.iter().map(|of| of.path.as_str()).collect();
    paths.dedup();
    paths.len()
}
