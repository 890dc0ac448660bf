use arc_malachitebft_core_types::{CommitSignature as EngineSignature, Round};
use proptest::prelude::*;

use super::*;

fn hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey)
}

fn signature() -> impl Strategy<Value = Signature> {
    any::<[u8; 64]>().prop_map(Signature)
}

fn rounds() -> impl Strategy<Value = u32> {
    0..=ROUND_MAX
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn kind() -> impl Strategy<Value = ConsensusVoteKind> {
    prop_oneof![
        Just(ConsensusVoteKind::Prevote),
        Just(ConsensusVoteKind::Precommit)
    ]
}

prop_compose! {
    fn vote()(
        kind in kind(),
        height in any::<u64>(),
        round in rounds(),
        value in prop::option::of(hash()),
        validator in key(),
        signature in signature(),
    ) -> SignedMessage<Tabella, Vote> {
        let vote = ConsensusVote { kind, height, round, value, validator };
        SignedMessage::new(Vote::from_protocol(vote), signature)
    }
}

prop_compose! {
    fn proposal()(
        height in any::<u64>(),
        round in rounds(),
        value in hash(),
        valid_round in prop::option::of(rounds()),
        proposer in key(),
        signature in signature(),
    ) -> SignedMessage<Tabella, Proposal> {
        let proposal = ConsensusProposal { height, round, value, valid_round, proposer };
        SignedMessage::new(Proposal::from_protocol(proposal), signature)
    }
}

prop_compose! {
    fn polka()(
        height in any::<u64>(),
        round in rounds(),
        value in hash(),
        signatures in prop::collection::vec((key(), signature()), 0..5),
    ) -> PolkaCertificate<Tabella> {
        PolkaCertificate {
            height: Height(height),
            round: Round::new(round),
            value_id: BlockId(value),
            polka_signatures: signatures
                .into_iter()
                .map(|(key, signature)| PolkaSignature::new(Address(key), signature))
                .collect(),
        }
    }
}

prop_compose! {
    fn round_certificate()(
        height in any::<u64>(),
        round in rounds(),
        skip in any::<bool>(),
        votes in prop::collection::vec(vote(), 0..5),
    ) -> RoundCertificate<Tabella> {
        RoundCertificate {
            height: Height(height),
            round: Round::new(round),
            cert_type: if skip { RoundCertificateType::Skip } else { RoundCertificateType::Precommit },
            round_signatures: votes
                .into_iter()
                .map(|vote| RoundSignature {
                    vote_type: vote.message.kind,
                    value_id: vote.message.value,
                    address: vote.message.validator,
                    signature: vote.signature,
                })
                .collect(),
        }
    }
}

prop_compose! {
    fn commit_certificate()(
        height in any::<u64>(),
        round in rounds(),
        value in hash(),
        signatures in prop::collection::btree_map(key(), signature(), 0..5),
    ) -> CommitCertificate<Tabella> {
        CommitCertificate {
            height: Height(height),
            round: Round::new(round),
            value_id: BlockId(value),
            commit_signatures: signatures
                .into_iter()
                .map(|(key, signature)| EngineSignature::new(Address(key), signature))
                .collect(),
        }
    }
}

prop_compose! {
    fn announcement()(
        height in any::<u64>(),
        round in rounds(),
        block_hash in hash(),
        body_hash in hash(),
        body_bytes in any::<u32>(),
        proposer in key(),
        signature in signature(),
    ) -> Announcement {
        Announcement { height, round, block_hash, body_hash, body_bytes, proposer, signature }
    }
}

fn part() -> impl Strategy<Value = ProposalPart> {
    prop_oneof![
        (announcement(), bytes()).prop_map(|(a, bytes)| ProposalPart::Init(a, bytes)),
        bytes().prop_map(ProposalPart::Data),
        bytes().prop_map(ProposalPart::Message),
    ]
}

fn liveness() -> impl Strategy<Value = LivenessMsg<Tabella>> {
    prop_oneof![
        vote().prop_map(LivenessMsg::Vote),
        polka().prop_map(LivenessMsg::PolkaCertificate),
        round_certificate().prop_map(LivenessMsg::SkipRoundCertificate),
    ]
}

fn check<T: PartialEq + std::fmt::Debug>(value: &T) -> Result<(), TestCaseError>
where
    WireCodec: Codec<T, Error = CodecError>,
{
    let bytes = WireCodec.encode(value).unwrap();
    let decoded: T = WireCodec.decode(bytes.clone()).unwrap();
    prop_assert_eq!(&decoded, value);
    let mut longer = bytes.to_vec();
    longer.push(0);
    prop_assert!(Codec::<T>::decode(&WireCodec, longer.into()).is_err());
    let shorter = bytes.slice(..bytes.len() - 1);
    prop_assert!(Codec::<T>::decode(&WireCodec, shorter).is_err());
    Ok(())
}

proptest! {
    #[test]
    fn messages_come_back_as_they_were_sent(
        vote in vote(),
        proposal in proposal(),
        liveness in liveness(),
        polka in polka(),
        part in part(),
        stream_id in any::<[u8; STREAM_ID_BYTES]>(),
        sequence in any::<u64>(),
        (tip, min) in any::<(u64, u64)>(),
        proof in (any::<[u8; 32]>(), bytes(), signature()),
    ) {
        check(&SignedConsensusMsg::Vote(vote))?;
        check(&SignedConsensusMsg::Proposal(proposal))?;
        check(&liveness)?;
        check(&polka)?;
        check(&part)?;
        let stream_id = StreamId::new(Bytes::copy_from_slice(&stream_id));
        check(&StreamMessage::new(stream_id.clone(), sequence, StreamContent::Data(part)))?;
        check(&StreamMessage::<ProposalPart>::new(stream_id, sequence, StreamContent::Fin))?;
        check(&sync::Status::<Tabella> {
            peer_id: crate::peers::peer_id(&PublicKey(proof.0)),
            tip_height: Height(tip),
            history_min_height: Height(min),
        })?;
        check(&ValidatorProof::<Tabella>::new(proof.0.to_vec(), proof.1.to_vec(), proof.2))?;
        let range = Height(tip.min(min))..=Height(tip.max(min));
        check(&sync::Request::<Tabella>::ValueRequest(sync::ValueRequest::new(range)))?;
    }

    #[test]
    fn stored_values_come_back(
        certificate in commit_certificate(),
        valid in any::<bool>(),
        valid_round in prop::option::of(rounds()),
        proposer in key(),
        body in bytes(),
    ) {
        check(&ProposedValue::<Tabella> {
            height: certificate.height,
            round: certificate.round,
            valid_round: Round::from(valid_round),
            proposer: Address(proposer),
            value: certificate.value_id,
            validity: Validity::from_bool(valid),
        })?;
        let stored = certificate_to_protocol(&certificate).unwrap();
        let sent = certificate_from_protocol(stored.clone());
        prop_assert_eq!(sent.trim_vote_extensions(), certificate.clone());

        let value = sync::RawDecidedValue::new(body, sent);
        let response = sync::ValueResponse::new(certificate.height, vec![value.clone(), value]);
        let response = sync::Response::ValueResponse(response);
        check(&response)?;
        let length = WireCodec.encoded_len(&response).unwrap();
        prop_assert_eq!(length, WireCodec.encode(&response).unwrap().len());
    }

    #[test]
    fn garbage_is_refused_without_a_panic(garbage in prop::collection::vec(any::<u8>(), 0..400)) {
        let garbage = Bytes::from(garbage);
        let _ = Codec::<SignedConsensusMsg<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<LivenessMsg<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<StreamMessage<ProposalPart>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<ValidatorProof<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<sync::Status<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<sync::Request<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<sync::Response<Tabella>>::decode(&WireCodec, garbage.clone());
        let _ = Codec::<ProposedValue<Tabella>>::decode(&WireCodec, garbage);
    }
}

#[test]
fn rounds_that_no_network_reaches_are_refused() {
    let vote = |round| {
        let vote = ConsensusVote {
            kind: ConsensusVoteKind::Prevote,
            height: 1,
            round,
            value: None,
            validator: PublicKey([1; 32]),
        };
        canonical::encode(&WireConsensus::Vote(vote, Signature([2; 64])))
    };
    let decode = |bytes: Vec<u8>| -> Result<SignedConsensusMsg<Tabella>, _> {
        WireCodec.decode(bytes.into())
    };
    assert!(decode(vote(ROUND_MAX)).is_ok());
    assert!(matches!(
        decode(vote(ROUND_MAX + 1)),
        Err(CodecError::Round(_))
    ));
    assert!(matches!(decode(vote(u32::MAX)), Err(CodecError::Round(_))));
}
