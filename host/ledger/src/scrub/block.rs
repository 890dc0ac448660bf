//! A block, its certificate and acks, and the indexes of what it holds.

use rayon::prelude::*;
use redb::{ReadOnlyTable, ReadTransaction};
use tabella_protocol::{Ack, Hash, Header, Payload, Transaction, ValidatorHistory};

use super::{Scrub, Signatures, boards::Cast};
use crate::{
    Damage, Ledger, LedgerError, StoredBlock,
    read::{decode, read_block},
    store::{ACKS, HEIGHTS, PLUGINS, ROLL, TRANSACTIONS},
};

impl Scrub {
    pub(super) fn block(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        history: &ValidatorHistory,
        height: u64,
    ) -> Result<(), LedgerError> {
        let missing = || Damage::of_block("blocks", height, "it is missing").into();
        let stored = match read_block(reads, height).and_then(|stored| stored.ok_or_else(missing)) {
            Ok(stored) => stored,
            Err(LedgerError::Damaged(damage)) => {
                self.found(ledger, damage);
                self.parent = None;
                return self.boards_unread(ledger, reads, height);
            }
            Err(error) => return Err(error),
        };
        let header = &stored.block.header;
        if self.parent.is_some_and(|parent| parent != header.parent) {
            let what = "it does not follow the block before it";
            self.found(ledger, Damage::of_block("blocks", height, what));
        }
        self.parent = Some(stored.hash);
        self.checked.signatures += stored.certificate.signatures.len() as u64;
        if let Err(error) = history.verify_header(header, &stored.certificate) {
            self.found(ledger, Damage::of_block("certificates", height, error));
        }
        let by_hash = reads.open_table(HEIGHTS)?;
        if by_hash.get(stored.hash.0)?.map(|height| height.value()) != Some(height) {
            let what = format!("it does not name height {height}, where the block stands");
            self.found(ledger, Damage::new("heights", stored.hash, what));
        }
        self.acks(ledger, reads, history, header, &stored.hash)?;
        match stored.ids() {
            Ok(ids) => self.transactions(ledger, reads, &stored, &ids),
            Err(damage) => {
                self.found(ledger, damage);
                self.boards_unread(ledger, reads, height)
            }
        }
    }

    fn acks(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        history: &ValidatorHistory,
        header: &Header,
        hash: &Hash,
    ) -> Result<(), LedgerError> {
        let height = header.height;
        let table = reads.open_table(ACKS)?;
        for item in table.range((height, [0; 32])..=(height, [255; 32]))? {
            let (key, bytes) = item?;
            let validator = key.value().1;
            let at = format!("height {height}, validator {}", hex::encode(validator));
            self.checked.signatures += 1;
            let damage = match decode::<Ack>("acks", &at, bytes.value()) {
                Ok(ack)
                    if (ack.height, ack.validator.0) == (height, validator)
                        && (ack.block_hash, ack.state_root) == (*hash, header.state_root)
                        && history.at(height).contains(&ack.validator)
                        && ack.verify(&ledger.genesis_hash()) =>
                {
                    continue;
                }
                Ok(_) => Damage::new("acks", at, "it is not this validator's ack of the block"),
                Err(damage) => damage,
            };
            self.found(ledger, damage);
        }
        Ok(())
    }

    fn transactions(
        &mut self,
        ledger: &Ledger,
        reads: &ReadTransaction,
        stored: &StoredBlock,
        ids: &[Hash],
    ) -> Result<(), LedgerError> {
        let height = stored.block.header.height;
        let places = reads.open_table(TRANSACTIONS)?;
        let roll = reads.open_table(ROLL)?;
        let mut cast = Vec::new();
        let decoded: Vec<_> = stored
            .block
            .transactions
            .iter()
            .map(|bytes| Transaction::from_bytes(bytes))
            .collect();
        if self.signatures == Signatures::All {
            self.unsigned(ledger, height, ids, &decoded);
        }
        for ((index, id), transaction) in (0_u32..).zip(ids).zip(decoded) {
            if places.get(id.0)?.map(|place| place.value()) != Some((height, index)) {
                let what = format!("it does not name place {index} of block {height}");
                self.found(ledger, Damage::new("transactions", id, what));
            }
            let Ok(transaction) = transaction else {
                self.problem(format!("height {height}: transaction {id} does not decode"));
                continue;
            };
            if self.signatures == Signatures::All {
                self.entitled(ledger, &roll, height, id, &transaction)?;
            }
            let sequence = transaction.body.sequence;
            match transaction.body.payload {
                Payload::CastBallot {
                    election_id,
                    voter,
                    ballots,
                } => cast.push(Cast {
                    election_id,
                    index,
                    transaction_id: *id,
                    voter,
                    sequence,
                    ballots,
                }),
                Payload::ExtendRoll {
                    election_id,
                    entries,
                } => {
                    for entry in entries {
                        let weight = roll.get((election_id, entry.voter.0))?;
                        if weight.map(|weight| weight.value()) != Some(entry.weight) {
                            let at = format!("election {election_id}, voter {}", entry.voter);
                            let what = format!("it is not the weight that block {height} gives");
                            self.found(ledger, Damage::new("roll", at, what));
                        }
                    }
                }
                Payload::PublishPlugin { wasm } => {
                    let hash = Hash::of(&wasm);
                    let plugins = reads.open_table(PLUGINS)?;
                    let stored = plugins.get(hash.0)?;
                    if stored.is_none_or(|stored| stored.value() != wasm) {
                        let what = "its bytes are not those of this hash";
                        self.found(ledger, Damage::new("plugins", hash, what));
                    }
                }
                _ => {}
            }
        }
        self.checked.ballots += cast.len() as u64;
        self.boards(ledger, reads, &stored.block.header, &cast)
    }

    /// Whether a ballot is of a voter on the roll, and signed by the party entitled to cast it.
    fn entitled(
        &mut self,
        ledger: &Ledger,
        roll: &ReadOnlyTable<(u64, [u8; 32]), u32>,
        height: u64,
        id: &Hash,
        transaction: &Transaction,
    ) -> Result<(), LedgerError> {
        let Payload::CastBallot {
            election_id, voter, ..
        } = &transaction.body.payload
        else {
            return Ok(());
        };
        let Some(election) = ledger.election(*election_id) else {
            self.problem(format!("height {height}: ballot {id} is of no election"));
            return Ok(());
        };
        let eligibility = &election.spec().eligibility;
        let signer = transaction.signer;
        let entitled = match eligibility.registrar() {
            Some(registrar) => *registrar == signer,
            None => voter.0 == signer.0,
        };
        if !entitled {
            self.problem(format!(
                "height {height}: ballot {id} is not signed by the party entitled to cast it"
            ));
        }
        if eligibility.roll().is_some() && roll.get((*election_id, voter.0))?.is_none() {
            self.problem(format!(
                "height {height}: ballot {id} is of a voter who is not on the roll"
            ));
        }
        Ok(())
    }

    fn unsigned<E: Sync>(
        &mut self,
        ledger: &Ledger,
        height: u64,
        ids: &[Hash],
        transactions: &[Result<Transaction, E>],
    ) {
        let chain_id = ledger.genesis().chain_id;
        self.checked.signatures += transactions.len() as u64;
        let unsigned: Vec<Hash> = ids
            .par_iter()
            .zip(transactions)
            .filter(|(_, transaction)| {
                let mut transaction = transaction.iter();
                transaction.any(|t| t.body.chain_id != chain_id || !ledger.batches.verify(t))
            })
            .map(|(id, _)| *id)
            .collect();
        for id in unsigned {
            self.problem(format!("height {height}: transaction {id} is not signed"));
        }
    }
}
