//! Ranked ballots as counts of distinct rankings: `count,ranking` lines such as `3,a > b = c > d`.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// The ballots of the file, one JSON ballot for each that was cast.
pub(crate) fn read_ranked_ballots(path: &Path) -> Result<Vec<Value>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Value>> {
    let mut lines = text.lines().enumerate();
    match lines.next() {
        Some((_, "count,ranking")) => {}
        other => bail!("expected a first line `count,ranking`, got {other:?}"),
    }
    let mut ballots = Vec::new();
    for (index, line) in lines {
        let number = index + 1;
        let Some((count, ranking)) = line.split_once(',') else {
            bail!("line {number}: expected count,ranking, got {line:?}");
        };
        let count: usize = count
            .parse()
            .with_context(|| format!("line {number}: expected a count, got {count:?}"))?;
        let ballot = json!({"ranking": ranking.split('>').map(rank).collect::<Vec<_>>()});
        ballots.extend(std::iter::repeat_n(ballot, count));
    }
    Ok(ballots)
}

/// One rank: an option's id, or a list of those marked alike.
fn rank(text: &str) -> Value {
    let options: Vec<&str> = text.split('=').map(str::trim).collect();
    match options[..] {
        [option] => json!(option),
        _ => json!(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_ballots_and_equal_marks_lists() {
        let ballots = parse("count,ranking\n2,a > b\n1,a = c > b\n").unwrap();
        assert_eq!(
            ballots,
            [
                json!({"ranking": ["a", "b"]}),
                json!({"ranking": ["a", "b"]}),
                json!({"ranking": [["a", "c"], "b"]}),
            ]
        );
    }

    #[test]
    fn a_bad_line_is_named() {
        let error = parse("count,ranking\n2,a\nx,b\n").unwrap_err().to_string();
        assert_eq!(error, "line 3: expected a count, got \"x\"");
    }
}
