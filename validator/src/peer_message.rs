//! What validators tell each other beside consensus. Everything in it proves itself by signature.

use borsh::{BorshDeserialize, BorshSerialize};
use bytes::Bytes;
use tabella_consensus::MESSAGE_BYTES_MAX;
use tabella_ledger::Vetted;
use tabella_protocol::{Ack, CommitCertificate, Evidence, Statement, codec};

/// A message between validators.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum PeerMessage {
    /// Transactions that the sender took from clients.
    Transactions(Vec<Vec<u8>>),
    /// An ack of a block that the sender committed.
    Ack(Ack),
    /// Proof that validators contradicted themselves or each other.
    Evidence(Box<Evidence>),
    /// The sender's certificate of a height at which histories differ.
    Certificate(CommitCertificate),
    /// What the sender heard validators say in consensus and others may have heard differently.
    Statements(Vec<Statement>),
}

/// Statements in one message.
const STATEMENTS_MAX: usize = 128;

impl PeerMessage {
    pub(crate) fn to_bytes(&self) -> Bytes {
        codec::encode(self).into()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, codec::DecodeError> {
        codec::decode(bytes, MESSAGE_BYTES_MAX)
    }

    /// Messages of what was heard.
    pub(crate) fn heard(statements: &[Statement]) -> Vec<Bytes> {
        let messages = statements.chunks(STATEMENTS_MAX);
        messages
            .map(|statements| Self::Statements(statements.to_vec()).to_bytes())
            .collect()
    }

    /// Packs transactions into as few messages as their sizes allow. A transaction too long for any
    /// message is left to its own validator's turn.
    pub(crate) fn pack(transactions: &[Vetted]) -> Vec<Bytes> {
        const ENVELOPE_BYTES: usize = 16;
        let (mut messages, mut batch, mut size) = (Vec::new(), Vec::new(), ENVELOPE_BYTES);
        for vetted in transactions {
            let bytes = vetted.bytes().to_vec();
            let added = bytes.len() + 4;
            if ENVELOPE_BYTES + added > MESSAGE_BYTES_MAX {
                continue;
            }
            if size + added > MESSAGE_BYTES_MAX {
                messages.push(Self::Transactions(std::mem::take(&mut batch)).to_bytes());
                size = ENVELOPE_BYTES;
            }
            size += added;
            batch.push(bytes);
        }
        if !batch.is_empty() {
            messages.push(Self::Transactions(batch).to_bytes());
        }
        messages
    }
}

#[cfg(test)]
mod tests {
    use tabella_protocol::Revote;

    use super::*;
    use crate::testing::Fixture;

    #[test]
    fn packed_messages_fit_and_hold_everything_in_order() {
        let fixture = Fixture::new(Revote::Refuse);
        let one = fixture.vet(&fixture.ballot(1, 0));
        let count = 2 * MESSAGE_BYTES_MAX / one.bytes().len();
        let messages = PeerMessage::pack(&vec![one.clone(); count]);
        assert_eq!(messages.len(), 3);
        let mut unpacked = Vec::new();
        for message in messages {
            assert!(message.len() <= MESSAGE_BYTES_MAX);
            match PeerMessage::from_bytes(&message).unwrap() {
                PeerMessage::Transactions(transactions) => unpacked.extend(transactions),
                other => panic!("{other:?} was not packed"),
            }
        }
        assert_eq!(unpacked, vec![one.bytes().to_vec(); count]);
        assert!(PeerMessage::from_bytes(b"garbage").is_err());
    }
}
