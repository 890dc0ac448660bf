//! What the chain holds, in the shapes of JSON-RPC: a validator answers with them, and a follower
//! reads the same from its own copy.

use tabella_protocol::{
    ElectionProof, Hash, HexBytes, Transaction, codec, merkle,
    rpc::{AttestationProof, BoardItem, ElectionView, PluginView, ResultCertificate, ResultsView},
};

use crate::{BallotRecord, Damage, Election, Ledger, LedgerError};

impl Election {
    /// Returns the election as JSON-RPC shows it.
    pub fn view(&self) -> ElectionView {
        let contests = self.contests().iter();
        ElectionView {
            election_id: self.id(),
            spec: self.spec().clone(),
            status: self.status(),
            roll_size: self.roll_size(),
            turnout: self.turnout(),
            board: self.board(),
            transaction_id: self.transaction_id(),
            ballot_schemas: contests.map(|c| c.ballot_schema()).collect(),
        }
    }

    /// Returns a ballot of this election's board as JSON-RPC shows it: without its content while
    /// the election does not show ballots.
    pub fn board_item(&self, record: BallotRecord) -> BoardItem {
        let BallotRecord {
            entry,
            height,
            ballots,
        } = record;
        if !self.shows_ballots() {
            return BoardItem {
                entry,
                height,
                ballots: Vec::new(),
                plain: Vec::new(),
            };
        }
        let plain = self.contests().iter().zip(&ballots);
        BoardItem {
            entry,
            height,
            plain: plain
                .map(|(c, ballot)| c.decode_ballot(ballot).unwrap_or_default())
                .collect(),
            ballots: ballots.iter().cloned().map(HexBytes).collect(),
        }
    }
}

impl Ledger {
    /// Returns a published plugin as JSON-RPC shows it.
    pub fn plugin_view(
        &self,
        hash: &Hash,
        with_wasm: bool,
    ) -> Result<Option<PluginView>, LedgerError> {
        let Some((plugin, wasm)) = self.plugin(hash)? else {
            return Ok(None);
        };
        Ok(Some(PluginView {
            sha256: *hash,
            bytes: wasm.len() as u64,
            manifest: plugin.manifest().to_json(),
            wasm: with_wasm.then_some(HexBytes(wasm)),
        }))
    }

    /// Returns an election's results as JSON-RPC shows them, with this ledger's own count once it
    /// is [stored](Self::store_tally).
    pub fn results_view(&self, election: &Election) -> Result<ResultsView, LedgerError> {
        let tally = self.stored_tally(election.id())?;
        let outcomes = tally.map(|tally| tally.outcomes).unwrap_or_default();
        let mut plain = Vec::with_capacity(outcomes.len());
        for (contest, outcome) in election.contests().iter().zip(&outcomes) {
            let shown = contest.outcome_json(outcome);
            plain.push(shown.map_err(|error| {
                Damage::new(
                    "outcomes",
                    format_args!("election {}", election.id()),
                    error,
                )
            })?);
        }
        Ok(ResultsView {
            election_id: election.id(),
            status: election.status(),
            board: election.board(),
            turnout: election.turnout(),
            outcomes: outcomes.into_iter().map(HexBytes).collect(),
            plain,
            attested_by: election.attestations().map(|(key, _, _)| *key).collect(),
            certificate: self.result_certificate(election)?,
        })
    }

    /// Returns what a quorum of validators attested, with their transactions, once it has.
    pub fn result_certificate(
        &self,
        election: &Election,
    ) -> Result<Option<ResultCertificate>, LedgerError> {
        let Some(agreed) = election.result() else {
            return Ok(None);
        };
        let height = election.result_height().unwrap_or_default();
        let history = self.validators();
        let validators = history.at(height);
        let mut proofs = Vec::new();
        for (validator, attestation, id) in election.attestations() {
            if attestation != agreed || !validators.contains(validator) {
                continue;
            }
            let Some((stored, index)) = self.block_with(id)? else {
                continue;
            };
            let Some(bytes) = stored.block.transactions.get(index as usize) else {
                continue;
            };
            let Ok(transaction) = Transaction::from_bytes(bytes) else {
                continue;
            };
            proofs.push(AttestationProof {
                validator: *validator,
                transaction: HexBytes(bytes.clone()),
                signature: transaction.signature,
            });
        }
        Ok(Some(ResultCertificate {
            attestation: agreed.clone(),
            height,
            proofs,
        }))
    }

    /// Returns a proof of an election's statement under the newest block.
    pub fn election_proof(&self, id: u64) -> Result<Option<ElectionProof>, LedgerError> {
        let state = self.state();
        let Some(election) = state.elections.get(&id) else {
            return Ok(None);
        };
        let height = state.tip.height;
        let missing = || Damage::of_block("blocks", height, "it is missing");
        let (header, certificate) = self.head(height)?.ok_or_else(missing)?;
        let leaves: Vec<Hash> = state.elections.values().map(|e| e.leaf).collect();
        let index = state.elections.range(..id).count() as u64;
        let count = leaves.len() as u64;
        let Ok(path) = merkle::inclusion_proof(leaves.as_slice(), index, count);
        let mut validator_sets = self.validator_sets()?;
        validator_sets.retain(|proof| proof.header.height <= height);
        Ok(Some(ElectionProof {
            version: ElectionProof::VERSION,
            genesis: self.genesis_hash,
            record: HexBytes(codec::encode(&election.record)),
            index,
            count,
            path,
            logs: HexBytes(state.logs()),
            header,
            certificate,
            validator_sets,
        }))
    }

    /// Returns how many validators stand behind the block at a height: signers of its certificate
    /// and of acks.
    pub fn signers(&self, height: u64) -> Result<usize, LedgerError> {
        let Some((_, certificate)) = self.head(height)? else {
            return Ok(0);
        };
        let signatures = certificate.signatures.iter();
        let mut signers: Vec<_> = signatures.map(|signature| signature.validator).collect();
        signers.extend(self.acks(height)?.iter().map(|ack| ack.validator));
        signers.sort_unstable();
        signers.dedup();
        Ok(signers.len())
    }
}
