//! Whose request it is, and whether the ballots of elections that are not over are for them.

use std::{collections::BTreeSet, sync::OnceLock};

use axum::http::{HeaderMap, header};
use tabella_ledger::{Ledger, StoredBlock};
use tabella_protocol::{OpenBallots, PublicKey, ReaderToken, Transaction};

use super::error::RpcError;
use crate::Config;

/// Who may read all ballots, beside those whom the chain names.
#[derive(Debug, Default)]
pub(crate) struct Readers {
    open_ballots: OpenBallots,
    auditors: BTreeSet<PublicKey>,
    /// This validator's name, which tokens are for.
    node_id: String,
}

impl Readers {
    pub(crate) fn new(config: &Config, node_id: &str) -> Self {
        Self {
            node_id: node_id.to_owned(),
            open_ballots: config.open_ballots,
            auditors: config.auditors.iter().copied().collect(),
        }
    }

    /// Refuses a block with ballots that are not for who asks.
    pub(crate) fn check_block(
        &self,
        ledger: &Ledger,
        asker: &Asker,
        block: &StoredBlock,
    ) -> Result<(), RpcError> {
        self.check(ledger, asker, || ledger.hides_of(block))
    }

    /// Refuses a ballot that is not for who asks.
    pub(crate) fn check_transaction(
        &self,
        ledger: &Ledger,
        asker: &Asker,
        transaction: &Transaction,
    ) -> Result<(), RpcError> {
        self.check(ledger, asker, || ledger.hides(transaction))
    }

    /// Refuses the board of an election whose ballots are not for who asks.
    pub(crate) fn check_election(
        &self,
        ledger: &Ledger,
        asker: &Asker,
        election_id: u64,
    ) -> Result<(), RpcError> {
        self.check(ledger, asker, || {
            let election = ledger.election(election_id)?;
            (!election.shows_ballots()).then_some(election_id)
        })
    }

    fn check(
        &self,
        ledger: &Ledger,
        asker: &Asker,
        hidden: impl FnOnce() -> Option<u64>,
    ) -> Result<(), RpcError> {
        if self.open_ballots == OpenBallots::Anyone {
            return Ok(());
        }
        let judged = asker.judged.get_or_init(|| self.judge(ledger, asker));
        match judged {
            Ok(()) => Ok(()),
            Err(reason) => match hidden() {
                Some(election_id) => Err(RpcError::withheld(election_id, reason)),
                None => Ok(()),
            },
        }
    }

    fn judge(&self, ledger: &Ledger, asker: &Asker) -> Result<(), String> {
        let token = asker.token.as_deref().ok_or("no token came")?;
        let admitted = token.parse::<ReaderToken>().and_then(|token| {
            token.verify(
                &ledger.genesis_hash(),
                &self.node_id,
                tabella_clock::now_ms(),
            )
        });
        let reader =
            admitted.map_err(|error| format!("the token that came admits nobody: {error}"))?;
        match self.auditors.contains(&reader) || ledger.is_reader(&reader) {
            true => Ok(()),
            false => Err(format!(
                "{reader} is no authority, validator, registrar of an election, or auditor of this validator's configuration"
            )),
        }
    }
}

/// Who sent a request.
#[derive(Debug, Default)]
pub(crate) struct Asker {
    /// What the request says it may read by.
    token: Option<String>,
    /// Judged once for a request, and only where it matters.
    judged: OnceLock<Result<(), String>>,
}

impl Asker {
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let value = headers.get(header::AUTHORIZATION);
        let value = value.and_then(|value| value.to_str().ok());
        let (scheme, token) = value.and_then(|value| value.split_once(' ')).unzip();
        let is_bearer = scheme.is_some_and(|scheme: &str| scheme.eq_ignore_ascii_case("bearer"));
        Self {
            token: token
                .filter(|_| is_bearer)
                .map(|token| token.trim().to_owned()),
            judged: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::{Payload, Revote};

    use super::*;
    use crate::testing::{Fixture, key};

    fn asker(fixture: &Fixture, seed: u8, valid_until_ms: u64) -> Asker {
        let genesis = fixture.ledger.genesis_hash();
        let token = ReaderToken::sign(&key(seed), &genesis, "v", valid_until_ms);
        Asker {
            token: Some(token.to_string()),
            judged: OnceLock::new(),
        }
    }

    #[test]
    fn readers_are_those_whom_chain_and_configuration_name() {
        let fixture = Fixture::new(Revote::Refuse);
        fixture.commit_bytes(&fixture.ballot(7, 1));
        let ballot = fixture.ledger.block(4).unwrap().unwrap();
        let readers = Readers {
            open_ballots: OpenBallots::Readers,
            auditors: [key(9).public()].into(),
            node_id: "v".into(),
        };
        let soon = tabella_clock::now_ms() + ReaderToken::VALID_MS;
        let may_read = |asker: &Asker| {
            let ledger = &fixture.ledger;
            let block = readers.check_block(ledger, asker, &ballot).is_ok();
            assert_eq!(readers.check_election(ledger, asker, 1).is_ok(), block);
            block
        };
        assert!(may_read(&asker(&fixture, 1, soon)), "an authority");
        assert!(may_read(&asker(&fixture, 9, soon)), "an auditor");
        assert!(!may_read(&asker(&fixture, 8, soon)), "a stranger");
        assert!(!may_read(&asker(&fixture, 9, 1)), "a token of long ago");
        assert!(!may_read(&Asker::default()));
        // A block without ballots is for anyone.
        let first = fixture.ledger.block(1).unwrap().unwrap();
        readers
            .check_block(&fixture.ledger, &Asker::default(), &first)
            .unwrap();
        assert!(
            Readers::default()
                .check_block(&fixture.ledger, &Asker::default(), &ballot)
                .is_ok(),
            "anyone may, by default"
        );

        fixture.commit(Payload::CloseElection { election_id: 1 });
        assert!(may_read(&Asker::default()), "it is closed");
    }
}
