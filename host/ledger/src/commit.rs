//! Writing a decided block: one redb transaction, durable when it returns.

use std::sync::{Arc, PoisonError};

use redb::{Durability, WriteTransaction};
use tabella_protocol::{CommitCertificate, Hash, ValidatorSetProof, codec};

use crate::{
    ExecutedBlock, Ledger, LedgerError,
    acks::store_acks,
    block::touched_boards,
    board_log::{self, TILES},
    state::{State, Tip},
    store::{
        BLOCKS, BOARD, BOARD_HEADS, CERTIFICATES, ELECTIONS, HEIGHTS, META, PLUGINS, ROLL,
        SEQUENCES, TRANSACTIONS, VALIDATOR_SETS, VOTERS, begin_write,
    },
};

impl Ledger {
    /// Commits a decided block. The certificate is taken as verified.
    ///
    /// Nothing of the block is visible before everything of it is durable.
    pub fn commit(
        &self,
        block: ExecutedBlock,
        certificate: &CommitCertificate,
    ) -> Result<Tip, LedgerError> {
        self.commit_in(begin_write(&self.database)?, block, certificate)
    }

    /// As [`commit`](Self::commit), but visible at once and durable only with the next block that is:
    /// for a node that catches up and takes no part meanwhile. After a crash the chain ends with the
    /// last durable block.
    pub fn commit_unsynced(
        &self,
        block: ExecutedBlock,
        certificate: &CommitCertificate,
    ) -> Result<Tip, LedgerError> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::None)?;
        self.commit_in(transaction, block, certificate)
    }

    fn commit_in(
        &self,
        transaction: WriteTransaction,
        block: ExecutedBlock,
        certificate: &CommitCertificate,
    ) -> Result<Tip, LedgerError> {
        let before = self.state();
        if block.header.height != before.tip.height + 1
            || block.header.parent != before.tip.block_hash
        {
            return Err(LedgerError::OutOfTurn {
                expected_parent: before.tip.height,
                got: block.header.height,
            });
        }
        if certificate.block_hash != block.hash || certificate.height != block.header.height {
            return Err(LedgerError::Corrupt(format!(
                "certificate for block {} given with block {}",
                certificate.block_hash, block.hash
            )));
        }
        write_block(&transaction, &block, certificate)?;
        write_changes(&transaction, &block, &before)?;
        write_validator_set(&transaction, &block, certificate, &before)?;
        store_acks(&transaction, &self.take_pending_acks())?;
        transaction.commit()?;
        let tip = block.state.tip;
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(block.state);
        Ok(tip)
    }
}

fn write_block(
    transaction: &WriteTransaction,
    block: &ExecutedBlock,
    certificate: &CommitCertificate,
) -> Result<(), LedgerError> {
    let height = block.header.height;
    transaction
        .open_table(BLOCKS)?
        .insert(height, &*block.bytes)?;
    transaction
        .open_table(CERTIFICATES)?
        .insert(height, codec::encode(certificate).as_slice())?;
    transaction
        .open_table(HEIGHTS)?
        .insert(block.hash.0, height)?;
    let mut transactions = transaction.open_table(TRANSACTIONS)?;
    for (index, id) in (0u32..).zip(&block.changes.transaction_ids) {
        transactions.insert(id.0, (height, index))?;
    }
    let heads = touched_boards(&block.state, &block.changes);
    if !heads.is_empty() {
        transaction
            .open_table(BOARD_HEADS)?
            .insert(height, codec::encode(&heads).as_slice())?;
    }
    Ok(())
}

fn write_changes(
    transaction: &WriteTransaction,
    block: &ExecutedBlock,
    before: &State,
) -> Result<(), LedgerError> {
    let ExecutedBlock {
        header,
        state,
        changes,
        ..
    } = block;
    let mut board = transaction.open_table(BOARD)?;
    let mut voters = transaction.open_table(VOTERS)?;
    let mut sequences = transaction.open_table(SEQUENCES)?;
    for ballot in &changes.ballots {
        let place = (header.height, ballot.index, ballot.weight);
        board.insert((ballot.election_id, ballot.position), place)?;
        let voter = (ballot.election_id, ballot.voter.0);
        voters.insert(voter, ballot.position)?;
        if let Some(sequence) = ballot.sequence {
            sequences.insert(voter, sequence)?;
        }
    }
    append_leaves(transaction, block, before)?;
    let mut roll = transaction.open_table(ROLL)?;
    for (election_id, entry) in &changes.roll {
        roll.insert((*election_id, entry.voter.0), entry.weight)?;
    }
    let mut plugins = transaction.open_table(PLUGINS)?;
    for (hash, wasm) in &changes.plugins {
        plugins.insert(hash.0, wasm.as_slice())?;
    }
    let mut elections = transaction.open_table(ELECTIONS)?;
    for id in &changes.elections {
        if let Some(election) = state.elections.get(id) {
            elections.insert(id, codec::encode(&election.record).as_slice())?;
        }
    }
    transaction
        .open_table(META)?
        .insert("state", codec::encode(&state.record()).as_slice())?;
    Ok(())
}

/// Keeps the proof of the validator set that the block decided, if it did.
fn write_validator_set(
    transaction: &WriteTransaction,
    block: &ExecutedBlock,
    certificate: &CommitCertificate,
    before: &State,
) -> Result<(), LedgerError> {
    let set = block.state.validators.latest();
    if set == before.validators.latest() {
        return Ok(());
    }
    let proof = ValidatorSetProof {
        header: block.header.clone(),
        certificate: certificate.clone(),
        set: set.clone(),
    };
    transaction
        .open_table(VALIDATOR_SETS)?
        .insert(block.header.height, codec::encode(&proof).as_slice())?;
    Ok(())
}

fn append_leaves(
    transaction: &WriteTransaction,
    block: &ExecutedBlock,
    before: &State,
) -> Result<(), LedgerError> {
    let mut tiles = transaction.open_table(TILES)?;
    for head in touched_boards(&block.state, &block.changes) {
        let id = head.election_id;
        let ballots = block.changes.ballots.iter();
        let leaves: Vec<Hash> = ballots
            .filter(|b| b.election_id == id)
            .map(|b| b.leaf)
            .collect();
        let size = before
            .elections
            .get(&id)
            .map_or(0, |election| election.board().size);
        board_log::append(&mut tiles, id, size, &leaves)?;
    }
    Ok(())
}
