//! What belongs to no single block: the state, what elections are, outcomes, and whether a table holds
//! more than blocks put there.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable, ReadableTableMetadata};
use tabella_protocol::{ValidatorHistory, codec};

use super::{Progress, Scrub};
use crate::{
    Damage, Ledger, LedgerError,
    state::{Election, State},
    store::{
        BLOCKS, BOARD, CERTIFICATES, ELECTIONS, HEIGHTS, META, OUTCOMES, PLUGINS, ROLL,
        TRANSACTIONS, VOTERS,
    },
};

impl Scrub {
    pub(super) fn whole(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        state: &State,
    ) -> Result<Progress, LedgerError> {
        let newest = reads
            .open_table(BLOCKS)?
            .last()?
            .map(|(key, _)| key.value());
        if newest.is_some_and(|newest| newest > state.tip.height) {
            // A block came in between; what is read is newer than the state.
            return Ok(Progress::Going);
        }
        self.meta(ledger, reads, state)?;
        self.elections(ledger, reads, state)?;
        self.validator_sets(ledger, state)?;
        self.outcomes(ledger, reads)?;
        self.boards_at_the_end(ledger, state);
        self.rows(ledger, reads, state)?;
        Ok(Progress::Done)
    }

    fn meta(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        state: &State,
    ) -> Result<(), LedgerError> {
        let meta = reads.open_table(META)?;
        let (genesis, record) = (ledger.genesis_hash(), codec::encode(&state.record()));
        let expected = [
            ("genesis", genesis.0.as_slice()),
            ("state", record.as_slice()),
        ];
        for (key, expected) in expected {
            if meta
                .get(key)?
                .is_none_or(|stored| stored.value() != expected)
            {
                let what = "it is not what the newest block commits to";
                self.found(ledger, Damage::new("meta", key, what));
            }
        }
        Ok(())
    }

    fn elections(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        state: &State,
    ) -> Result<(), LedgerError> {
        let table = reads.open_table(ELECTIONS)?;
        for (id, election) in &state.elections {
            let record = codec::encode(&election.record);
            if table.get(id)?.is_none_or(|stored| stored.value() != record) {
                let what = "it is not what the newest block commits to";
                let at = format!("election {id}");
                self.found(ledger, Damage::new("elections", at, what));
            }
        }
        Ok(())
    }

    fn validator_sets(&mut self, ledger: &Ledger, state: &State) -> Result<(), LedgerError> {
        let proofs = match ledger.validator_sets() {
            Ok(proofs) => proofs,
            Err(LedgerError::Damaged(damage)) => {
                self.found(ledger, damage);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        // Followed from genesis by the proofs, as anybody else would.
        let mut history = ValidatorHistory::new(ledger.genesis());
        let followed = history.extend_all(&proofs);
        let what = match followed {
            Err(error) => error.to_string(),
            // The sets of a block that came in between may be among them.
            Ok(()) if history.sets().starts_with(state.validators.sets()) => return Ok(()),
            Ok(()) => "they do not lead to the validators of the newest block".to_owned(),
        };
        self.found(ledger, Damage::new("validator-sets", "all", what));
        Ok(())
    }

    fn outcomes(&mut self, ledger: &Ledger, reads: &ReadTransaction) -> Result<(), LedgerError> {
        for item in reads.open_table(OUTCOMES)?.iter()? {
            let id = item?.0.value();
            match ledger.stored_tally(id) {
                Ok(_) => {}
                Err(LedgerError::Damaged(damage)) => self.found(ledger, damage),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Compares the boards and the voters that count with the state.
    fn boards_at_the_end(&mut self, ledger: &Ledger, state: &State) {
        for (id, election) in &state.elections {
            let frontier = self.boards.entry(*id).or_default();
            let found = (frontier.size(), frontier.root());
            let head = election.board();
            if !self.lost.contains(id) && found != (head.size, head.root) {
                let what = "the chain's ballots do not make the board of the newest block";
                let at = format!("election {id}");
                self.found(ledger, Damage::new("board", at, what));
            }
            if let Some(counted) = self.counting.remove(id)
                && !self.lost.contains(id)
                && counted != election.turnout()
            {
                let turnout = election.turnout();
                let what = format!("they count {counted} ballots, and the chain {turnout} voters");
                let at = format!("election {id}");
                self.found(ledger, Damage::new("voters", at, what));
            }
        }
    }

    /// Compares how many values tables hold with how many the blocks put there.
    fn rows(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        state: &State,
    ) -> Result<(), LedgerError> {
        let sum =
            |of: fn(&Election) -> u64| state.elections.values().map(|e| of(Arc::as_ref(e))).sum();
        let blocks = state.tip.height;
        let rows = [
            ("blocks", reads.open_table(BLOCKS)?.len()?, blocks),
            (
                "certificates",
                reads.open_table(CERTIFICATES)?.len()?,
                blocks,
            ),
            ("heights", reads.open_table(HEIGHTS)?.len()?, blocks),
            (
                "transactions",
                reads.open_table(TRANSACTIONS)?.len()?,
                state.transaction_log.size(),
            ),
            (
                "board",
                reads.open_table(BOARD)?.len()?,
                sum(|e| e.board().size),
            ),
            (
                "voters",
                reads.open_table(VOTERS)?.len()?,
                sum(Election::turnout),
            ),
            (
                "roll",
                reads.open_table(ROLL)?.len()?,
                sum(Election::roll_size),
            ),
            (
                "plugins",
                reads.open_table(PLUGINS)?.len()?,
                state.plugin_log.size(),
            ),
            (
                "elections",
                reads.open_table(ELECTIONS)?.len()?,
                state.elections.len() as u64,
            ),
        ];
        for (table, rows, expected) in rows {
            if rows != expected {
                let what = format!("it holds {rows} values, and the chain put {expected} there");
                self.found(ledger, Damage::new(table, "the whole table", what));
            }
        }
        Ok(())
    }
}
