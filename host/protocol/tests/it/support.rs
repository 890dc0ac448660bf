//! A small network to test with: keys from fixed seeds, nothing random.

use tabella_protocol::{
    Ack, BoardEntry, BoardHead, CommitCertificate, Genesis, Hash, Header, PluginLimits, Quorum,
    Receipt, SigningKey, ValidatorHistory, ValidatorInfo, VoterId, merkle, transactions_root,
};

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed([seed; 32])
}

pub(crate) fn genesis(validators: u8, quorum: Quorum) -> Genesis {
    Genesis {
        version: Genesis::VERSION,
        chain_id: 7,
        network: "test".into(),
        timestamp_ms: 1_000,
        quorum,
        validators: (1..=validators)
            .map(|n| ValidatorInfo {
                node_id: format!("validator-{n}"),
                public_key: key(n).public(),
            })
            .collect(),
        authorities: vec![key(100).public()],
        plugin_limits: PluginLimits::default(),
        block_bytes_max: 1 << 20,
        expiry_heights_max: 1_000,
    }
}

pub(crate) fn certificate(
    genesis: &Genesis,
    height: u64,
    block_hash: Hash,
    signers: &[u8],
) -> CommitCertificate {
    let keys: Vec<_> = signers.iter().map(|seed| key(*seed)).collect();
    CommitCertificate::sign(&genesis.hash(), &keys, height, block_hash)
}

/// A receipt for ballot `position` of a board of `size`, acknowledged by `ackers`.
pub(crate) fn receipt(genesis: &Genesis, position: u64, size: u64, ackers: &[u8]) -> Receipt {
    let entry = |position: u64| BoardEntry {
        election_id: 1,
        position,
        transaction_id: Hash::of(&position.to_be_bytes()),
        voter: VoterId([position as u8; 32]),
        weight: 1,
        ballot_hash: BoardEntry::ballot_hash(&[vec![1, 2, 3]]),
    };
    let leaves: Vec<Hash> = (0..size).map(|p| entry(p).leaf()).collect();
    let board = BoardHead {
        election_id: 1,
        size,
        root: merkle::root(&leaves),
    };
    let other = BoardHead {
        election_id: 2,
        size: 1,
        root: Hash::of(b"other"),
    };
    let heads = [board.leaf(), other.leaf()];
    let header = Header {
        version: Header::VERSION,
        genesis: genesis.hash(),
        height: 9,
        parent: Hash::of(b"parent"),
        timestamp_ms: 2_000,
        proposer: key(1).public(),
        transaction_count: 0,
        transactions_root: transactions_root([]),
        boards_root: merkle::root(&heads),
        state_root: Hash::of(b"state"),
        validators: Some(ValidatorHistory::new(genesis).hash()),
    };
    let ack = |seed: &u8| {
        Ack::sign(
            &genesis.hash(),
            9,
            header.hash(),
            header.state_root,
            &key(*seed),
        )
    };
    let mut acks: Vec<Ack> = ackers.iter().map(ack).collect();
    acks.sort_by_key(|ack| ack.validator);
    let Ok(board_path) = merkle::inclusion_proof(leaves.as_slice(), position, size);
    let Ok(boards_path) = merkle::inclusion_proof(heads.as_slice(), 0, 2);
    Receipt {
        version: Receipt::version(0),
        genesis: genesis.hash(),
        entry: entry(position),
        board_path,
        board,
        board_index: 0,
        board_count: 2,
        boards_path,
        certificate: certificate(genesis, 9, header.hash(), &[1, 2]),
        header,
        acks,
        validator_sets: Vec::new(),
    }
}
