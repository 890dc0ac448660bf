//! Validators that lie to keep the others busy, without sending more messages than one may.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_malachitebft_core_types::{PolkaCertificate, Round, SignedVote};
use arc_malachitebft_engine::{
    network::Status,
    util::output_port::{OutputPort, OutputPortSubscriberTrait},
};
use arc_malachitebft_sync::{RawDecidedValue, Request, Response, ValueRequest, ValueResponse};
use tabella_protocol::{CommitCertificate, SigningKey};
use tracing::Span;

use super::*;
use crate::{
    codec::certificate_from_protocol,
    context::{BlockId, Height, Vote},
    peers::peer_id,
    said::tests::vote,
    testing::Listener,
};

/// The height being decided.
const HEIGHT: u64 = 7;
/// Votes of a flood, below the limit of messages.
const FLOOD: u64 = 1_900;
/// Different votes of one step that are heard.
const DIFFERENT: usize = 4;

/// Takes what is said to it and answers nothing.
struct Silent;

#[async_trait]
impl Actor for Silent {
    type Msg = NetworkMsg<Tabella>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: NetworkRef<Tabella>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }
}

/// Counts what passes.
struct Engine(Arc<AtomicUsize>);

impl Subscriber<NetworkEvent<Tabella>> for Engine {
    fn send(&self, _: NetworkEvent<Tabella>) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl OutputPortSubscriberTrait<NetworkEvent<Tabella>> for Engine {
    fn subscribe_to_port(&self, _: &OutputPort<NetworkEvent<Tabella>>) {}
}

struct Fixture {
    gate: Gate,
    listener: Arc<Listener>,
    state: State,
    passed: Arc<AtomicUsize>,
    now: Instant,
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed([n; 32])
}

/// The same vote for another block, with the signature of the first.
fn forged(n: u8, round: u32, value: u64) -> Statement {
    let sound = vote(&key(n), HEIGHT, round, value);
    let mut other = vote(&key(n), HEIGHT, round, value + 1);
    if let (Statement::Vote(sound), Statement::Vote(other)) = (sound, &mut other) {
        other.signature = sound.signature;
    }
    other
}

impl Fixture {
    /// A gate of four validators, of which this node has key 1.
    async fn new() -> Self {
        let keys: Vec<_> = (1..=4).map(|n| key(n).public()).collect();
        let (shared, _) = Shared::new(([127, 0, 0, 1], 0).into(), Span::none());
        let shared = Arc::new(shared);
        let address_book = AddressBook::new(keys[0], &keys, &[]);
        shared.set_allowed(address_book.allowed());
        shared.set_validators(tabella_protocol::Quorum::Bft, &keys);
        shared.started_round(HEIGHT, 0);
        let listener = Arc::new(Listener::new(None));
        let gate = Gate {
            shared,
            application: listener.clone(),
            network: Actor::spawn(None, Silent, ()).await.unwrap().0,
            address_book: Arc::new(tokio::sync::Mutex::new(address_book)),
            genesis_hash: Hash::ZERO,
            limits: PeerLimits::default(),
        };
        let passed = Arc::new(AtomicUsize::new(0));
        let mut state = State::default();
        state.subscribers.push(Box::new(Engine(passed.clone())));
        Self {
            gate,
            listener,
            state,
            passed,
            now: Instant::now(),
        }
    }

    /// A peer sends this vote.
    fn send(&mut self, from: u8, statement: Statement) {
        let Statement::Vote(signed) = statement else {
            panic!("it is a vote")
        };
        let vote = SignedVote::<Tabella>::new(Vote::from_protocol(signed.vote), signed.signature);
        let event = NetworkEvent::Vote(peer_id(&key(from).public()), vote);
        self.gate.event(&mut self.state, event, self.now);
    }

    /// How many votes reached the engine, and how many the application.
    fn counts(&self) -> (usize, usize) {
        let heard = self.listener.heard.lock().unwrap().len();
        (self.passed.load(Relaxed), heard)
    }

    fn is_cut_off(&mut self) -> bool {
        self.gate.cut_garblers();
        self.gate.shared.times_cut_off() > 0
    }
}

#[tokio::test]
async fn forged_votes_reach_nobody_and_few_are_verified() {
    let mut fixture = Fixture::new().await;
    for value in 0..FLOOD {
        fixture.send(4, forged(4, 0, value));
    }
    assert_eq!(fixture.counts(), (0, 0));
    let said = &fixture.state.said[&peer_id(&key(4).public())];
    assert_eq!(said.len(), DIFFERENT, "were verified");
    fixture.send(2, vote(&key(2), HEIGHT, 0, 1));
    assert_eq!(fixture.counts(), (1, 1), "an honest one is heard");
    assert!(fixture.is_cut_off());
}

#[tokio::test]
async fn of_votes_that_contradict_each_other_few_are_heard() {
    let mut fixture = Fixture::new().await;
    for value in 0..FLOOD {
        fixture.send(4, vote(&key(4), HEIGHT, 0, value));
    }
    assert_eq!(fixture.counts(), (DIFFERENT, DIFFERENT));
    assert!(fixture.is_cut_off());
}

#[tokio::test]
async fn votes_of_very_many_rounds_are_not_all_verified() {
    let mut fixture = Fixture::new().await;
    for round in 0..FLOOD as u32 {
        fixture.send(4, vote(&key(4), HEIGHT, round, 0));
    }
    let share = fixture.gate.limits.messages_per_second_max / STATEMENTS_SHARE;
    let (passed, heard) = fixture.counts();
    assert_eq!(passed, share as usize);
    assert_eq!(heard, 1 + ROUNDS_AHEAD_MAX as usize);
    assert!(fixture.is_cut_off());
}

#[tokio::test]
async fn of_certificates_few_are_looked_at() {
    let mut fixture = Fixture::new().await;
    let peer = peer_id(&key(4).public());
    for _ in 0..FLOOD {
        let certificate = PolkaCertificate {
            height: Height(HEIGHT),
            round: Round::new(0),
            value_id: BlockId(Hash::ZERO),
            polka_signatures: Vec::new(),
        };
        let event = NetworkEvent::PolkaCertificate(peer, certificate);
        fixture.gate.event(&mut fixture.state, event, fixture.now);
    }
    assert_eq!(fixture.counts(), (CERTIFICATES_MAX as usize, 0));
    assert!(fixture.is_cut_off());
}

#[tokio::test]
async fn a_vote_that_is_said_without_end_is_not_looked_at_each_time() {
    let mut fixture = Fixture::new().await;
    for _ in 0..FLOOD {
        fixture.send(4, vote(&key(4), HEIGHT, 0, 1));
    }
    let share = fixture.gate.limits.messages_per_second_max / STATEMENTS_SHARE;
    assert_eq!(fixture.counts().0, share as usize);
    assert!(fixture.is_cut_off());
}

#[tokio::test]
async fn what_an_honest_validator_says_passes_and_passes_again() {
    let mut fixture = Fixture::new().await;
    for height in [HEIGHT - 1, HEIGHT, HEIGHT + HEIGHTS_AHEAD_MAX] {
        fixture.send(2, vote(&key(2), height, 0, 1));
        fixture.send(2, vote(&key(2), height, 0, 1));
    }
    assert_eq!(fixture.counts(), (6, 6));
    fixture.send(2, vote(&key(2), HEIGHT + HEIGHTS_AHEAD_MAX + 1, 0, 1));
    assert_eq!(fixture.counts(), (6, 6), "it is far ahead");
    assert!(!fixture.is_cut_off());
}

#[tokio::test]
async fn nobody_votes_in_anothers_name() {
    let mut fixture = Fixture::new().await;
    fixture.send(4, vote(&key(2), HEIGHT, 0, 1));
    assert_eq!(fixture.counts(), (0, 0));
    assert_eq!(fixture.gate.shared.refused(), 1);
    fixture.send(2, vote(&key(2), HEIGHT, 0, 1));
    assert_eq!(fixture.counts(), (1, 1));
}

#[tokio::test]
async fn a_second_is_one_of_arrival_however_late_its_messages_are_looked_at() {
    let mut fixture = Fixture::new().await;
    let most = fixture.gate.limits.messages_per_second_max as usize;
    let say = |fixture: &mut Fixture, times: usize| {
        for _ in 0..times {
            let status = Status::new(Height(HEIGHT), Height(1));
            let event = NetworkEvent::Status(peer_id(&key(4).public()), status);
            fixture.gate.event(&mut fixture.state, event, fixture.now);
        }
    };
    say(&mut fixture, most);
    fixture.now += SECOND;
    say(&mut fixture, most);
    assert_eq!(fixture.gate.shared.times_cut_off(), 0, "as many as it may");
    say(&mut fixture, 2);
    assert_eq!(fixture.gate.shared.times_cut_off(), 1, "at once, and once");
    assert_eq!(fixture.counts().0, 2 * most);
}

/// A peer asks for blocks.
fn ask(fixture: &mut Fixture, from: u8, n: u64) -> InboundRequestId {
    let id = InboundRequestId::new(n);
    let request = ValueRequest::new(Height(1)..=Height(64));
    let peer = peer_id(&key(from).public());
    let event = NetworkEvent::SyncRequest(id.clone(), peer, Request::ValueRequest(request));
    fixture.gate.event(&mut fixture.state, event, fixture.now);
    id
}

#[tokio::test]
async fn a_peer_that_asks_for_blocks_without_end_is_sent_so_many_bytes_in_a_second() {
    const ANSWER: u64 = 8 << 20;
    let most = usize::try_from(served::SYNC_BYTES_PER_SECOND_MAX / ANSWER).unwrap() + 1;
    let mut fixture = Fixture::new().await;
    let flood = |fixture: &mut Fixture, from: u8| {
        let before = fixture.counts().0;
        for n in 0..100 {
            let id = ask(fixture, from, n);
            let now = fixture.now;
            fixture.state.served.answered(&id, ANSWER, now);
        }
        fixture.counts().0 - before
    };
    assert_eq!(flood(&mut fixture, 4), most);
    assert_eq!(flood(&mut fixture, 2), most, "each for itself");
    assert_eq!(flood(&mut fixture, 4), 0);
    fixture.now += SECOND;
    let again = flood(&mut fixture, 4);
    assert!((1..most).contains(&again), "{again} a second later");
    // Small answers, and requests that are given up, cost little.
    let before = fixture.counts().0;
    for n in 0..1_000 {
        let id = ask(&mut fixture, 3, n);
        let now = fixture.now;
        fixture.state.served.answered(&id, n % 2, now);
    }
    assert_eq!(fixture.counts().0 - before, 1_000);
}

#[tokio::test]
async fn every_answer_with_blocks_is_counted_by_its_bytes() {
    let id = InboundRequestId::new(7);
    let certificate = certificate_from_protocol(CommitCertificate {
        height: 1,
        round: 0,
        block_hash: Hash::ZERO,
        signatures: Vec::new(),
    });
    let value = |bytes: usize| RawDecidedValue::new(vec![0; bytes].into(), certificate.clone());
    let values = vec![value(1_000), value(234)];
    let response = Response::ValueResponse(ValueResponse::new(Height(1), values));
    let sent = NetworkMsg::OutgoingResponse(id.clone(), response);
    assert_eq!(served::answer(&sent), Some((id.clone(), 1_234)));
    let given_up = NetworkMsg::CancelInboundRequest(id.clone());
    assert_eq!(served::answer(&given_up), Some((id, 0)));
}
