//! Signs and verifies consensus messages as the protocol crate defines their bytes, so that a commit
//! certificate checks offline, without the engine.

use arc_malachitebft_core_types::{SignedMessage, ValidatorProof, VoteExtensionScope};
use arc_malachitebft_signing::{Error, Signer, VerificationResult, Verifier};
use async_trait::async_trait;
use tabella_protocol::{Hash, PublicKey, Signature, SigningKey};
use tokio_util::sync::CancellationToken;

use crate::context::{Proposal, Tabella, Vote};

/// Verifies messages of one network.
#[derive(Debug, Clone)]
pub(crate) struct MessageVerifier {
    pub(crate) genesis_hash: Hash,
}

/// Signs messages of one network.
#[derive(Debug, Clone)]
pub(crate) struct MessageSigner {
    pub(crate) genesis_hash: Hash,
    pub(crate) signing_key: SigningKey,
    /// Once cancelled, whoever wants something signed waits forever.
    pub(crate) halt: CancellationToken,
}

impl MessageSigner {
    async fn sign(&self, bytes: &[u8]) -> Signature {
        if self.halt.is_cancelled() {
            std::future::pending::<()>().await;
        }
        self.signing_key.sign(bytes)
    }
}

fn verified(valid: bool) -> Result<VerificationResult, Error> {
    Ok(VerificationResult::from_bool(valid))
}

#[async_trait]
impl Verifier<Tabella> for MessageVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        verified(vote.to_protocol().is_some_and(|vote| {
            public_key.verify(&vote.signing_bytes(&self.genesis_hash), signature)
        }))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        public_key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        verified(proposal.to_protocol().is_some_and(|proposal| {
            public_key.verify(&proposal.signing_bytes(&self.genesis_hash), signature)
        }))
    }

    async fn verify_signed_vote_extension(
        &self,
        _scope: &VoteExtensionScope<Tabella>,
        _extension: &(),
        _signature: &Signature,
        _public_key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        // There are none, so none is valid.
        verified(false)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Tabella>,
    ) -> Result<VerificationResult, Error> {
        verified(
            proof
                .decoded_public_key()
                .is_ok_and(|public_key| public_key.verify(&proof.preimage(), &proof.signature)),
        )
    }
}

const UNDEFINED_ROUND: &str = "a message without a round cannot be signed";

#[async_trait]
impl Signer<Tabella> for MessageSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Tabella, Vote>, Error> {
        let message = vote
            .to_protocol()
            .ok_or_else(|| Error::from_source(UNDEFINED_ROUND))?;
        let signature = self.sign(&message.signing_bytes(&self.genesis_hash)).await;
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(
        &self,
        proposal: Proposal,
    ) -> Result<SignedMessage<Tabella, Proposal>, Error> {
        let message = proposal
            .to_protocol()
            .ok_or_else(|| Error::from_source(UNDEFINED_ROUND))?;
        let signature = self.sign(&message.signing_bytes(&self.genesis_hash)).await;
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _scope: VoteExtensionScope<Tabella>,
        _extension: (),
    ) -> Result<SignedMessage<Tabella, ()>, Error> {
        Err(Error::from_source("vote extensions are not used"))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Tabella>, Error> {
        // The engine fixes these bytes ("PoV", key, peer id): no prefix of a protocol message.
        let preimage = ValidatorProof::<Tabella>::signing_bytes(&public_key, &peer_id);
        Ok(ValidatorProof::new(
            public_key,
            peer_id,
            self.signing_key.sign(&preimage),
        ))
    }
}
