//! What each event does to a validator, in the words of the node's own actors: the host of consensus,
//! sync, and the intake.

use bytes::Bytes;
use tabella_consensus::{
    BuiltBlock, Checked, HeightStart,
    machine::{Act, Machine, Outside, Received, Stopped, Wire},
};
use tabella_ledger::BuildLimits;
use tabella_protocol::{CommitCertificate, ConsensusVoteKind, Hash, rpc::RefusalCode};

use super::{
    disk::SimFile,
    node::End,
    plan::Sabotage,
    world::{CLIENT_RETRY, Event, IDLE_BLOCK, LEAVING, MS, SYNC_BATCH, TICK, World},
};
use crate::{
    peer_message::PeerMessage,
    relay::{OVERDUE_MAX, OVERDUE_MS},
};

impl World {
    #[expect(clippy::too_many_lines, reason = "one arm for each event")]
    pub(super) fn happen(&mut self, node: usize, event: Event) -> Result<(), End> {
        match event {
            Event::Wire { from, wire } => {
                let key = self.nodes[from].key.public();
                self.note_height(node, &wire);
                self.hear(node, from, &wire);
                self.drive(node, |machine, outside| {
                    machine.receive(&key, &wire, outside)
                })
            }
            Event::Message { bytes } => self.message(node, &bytes),
            Event::Status { from, height } => {
                let tip = self.tip(node);
                if height > tip && self.live(node).machine.is_some() {
                    let height = tip + 1;
                    self.send(node, from, &Event::Ask { from: node, height });
                }
                Ok(())
            }
            Event::Ask { from, height } => {
                let mut blocks = Vec::new();
                for height in height..height + SYNC_BATCH {
                    match self.live(node).replica.decided(height)? {
                        Some(block) => blocks.push(block),
                        None => break,
                    }
                }
                self.send(node, from, &Event::Blocks { from: node, blocks });
                Ok(())
            }
            Event::Blocks { from, blocks } => {
                for (certificate, body) in blocks {
                    let height = certificate.height;
                    self.live(node)
                        .ahead
                        .insert(height, (from, certificate, body));
                }
                self.take_synced(node)
            }
            Event::Timer(timer) => {
                self.drive(node, |machine, outside| machine.elapsed(timer, outside))
            }
            Event::Build { height, round } => self.build(node, height, round),
            Event::Check(received) => self.check(node, &received),
            Event::FindBody {
                height,
                round,
                block_hash,
            } => {
                let body = self
                    .live(node)
                    .replica
                    .undecided_body(height, &block_hash)?;
                let Some(body) = body else { return Ok(()) };
                self.drive(node, |machine, outside| {
                    machine.publish(height, round, block_hash, &body, outside)
                })
            }
            Event::Commit(certificate) => self.commit(node, &certificate),
            Event::MayStart => Ok(()),
            Event::Tick => self.tick(node),
            Event::Client { voter } => self.client(node, voter),
            Event::Crash(crash) => {
                self.nodes[node].crash = crash;
                match self.chance.below(3) {
                    0 => return Err(End::Died),
                    1 => {
                        let effects = 1 + self.chance.below(60);
                        self.nodes[node].effects_left = u32::try_from(effects).ok();
                    }
                    _ => {
                        let operations = 1 + self.chance.below(60);
                        self.nodes[node].disk.die_after(operations);
                    }
                }
                Ok(())
            }
            Event::Boot => self.boot(node),
            Event::Heal => {
                for node in &mut self.nodes {
                    node.effects_left = None;
                    node.disk.live_on();
                }
                Ok(())
            }
        }
    }

    fn live(&mut self, node: usize) -> &mut super::node::Live {
        let live = self.nodes[node].live.as_mut();
        live.expect("only running nodes are asked")
    }

    fn tip(&mut self, node: usize) -> u64 {
        self.live(node).ledger.tip().height
    }

    fn boot(&mut self, node: usize) -> Result<(), End> {
        if self.nodes[node].live.is_some() {
            return Ok(());
        }
        if self.is_faulty() && self.chance.happens(200) {
            let operations = 1 + self.chance.below(40);
            self.nodes[node].disk.die_after(operations);
        }
        let now_ms = self.clock_ms(node);
        let live = self.nodes[node].open(&self.genesis, &self.runtime, now_ms)?;
        self.nodes[node].live = Some(live);
        self.start(node)
    }

    /// Starts consensus at the height after the tip.
    pub(super) fn start(&mut self, node: usize) -> Result<(), End> {
        self.at(self.now + TICK, node, Event::Tick);
        let start = self.live(node).replica.height_start();
        self.start_height(node, &start)
    }

    fn start_height(&mut self, node: usize, start: &HeightStart) -> Result<(), End> {
        self.drive(node, |machine, outside| machine.start(start, outside))?;
        self.take_synced(node)
    }

    /// What the node does between events: starts the next height when there is reason to, and leaves
    /// consensus when it met evidence.
    pub(super) fn look_around(&mut self, node: usize) {
        let now = self.now;
        let Some(live) = &mut self.nodes[node].live else {
            return;
        };
        match live.leaves_at {
            Some(leaves_at) if now >= leaves_at => live.machine = None,
            None if !live.replica.evidence.is_signing() => {
                live.leaves_at = Some(now + LEAVING);
                self.at(now + LEAVING, node, Event::MayStart);
            }
            _ => {}
        }
        let Some(live) = &mut self.nodes[node].live else {
            return;
        };
        let due = live.committed.as_ref().is_some_and(|start| {
            let over = live.finalized + 1 == start.height;
            let paced = live.synced == live.finalized
                || live.pool.len() > 0
                || live.heard >= start.height
                || now >= live.idle_until;
            over && paced
        });
        if due
            && let Some(start) = live.committed.take()
            && let Err(end) = self.start_height(node, &start)
        {
            self.ended(node, end);
        }
    }

    fn drive(
        &mut self,
        node: usize,
        work: impl FnOnce(&mut Machine<SimFile>, &mut dyn Outside) -> Result<(), Stopped>,
    ) -> Result<(), End> {
        // Consensus stands still where nothing is signed any more.
        if !self.live(node).replica.evidence.is_signing() {
            return Ok(());
        }
        let (acts, result) = self.nodes[node].drive(work);
        for act in acts {
            self.act(node, act);
        }
        result
    }

    fn act(&mut self, node: usize, act: Act) {
        match act {
            Act::Send(wire) => self.publish(node, wire),
            Act::StartTimer(timer, after) => {
                let after = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
                self.at(self.now.saturating_add(after), node, Event::Timer(timer));
            }
            Act::Build { height, round } => self.soon(node, Event::Build { height, round }),
            Act::Check(received) => self.soon(node, Event::Check(received)),
            Act::FindBody {
                height,
                round,
                block_hash,
            } => {
                let event = Event::FindBody {
                    height,
                    round,
                    block_hash,
                };
                self.soon(node, event);
            }
            Act::Commit(certificate) => self.soon(node, Event::Commit(certificate)),
            Act::Finalized { height, evidence } => {
                let attacker = self.plan.attack.map(|attack| attack.attacker);
                let attacker = attacker.map(|attacker| self.nodes[attacker].key.public());
                for evidence in evidence {
                    let accused = match evidence.verify(&self.live(node).ledger.validators()) {
                        Ok(summary) => summary.liars,
                        Err(_) => Vec::new(),
                    };
                    if accused.is_empty()
                        || accused.iter().any(|liar| Some(liar.public_key) != attacker)
                    {
                        let reason = format!("validator {node} accuses an honest one");
                        self.violations.push(reason);
                    }
                    let tell = self.live(node).replica.take_evidence(evidence);
                    self.tell(node, tell);
                }
                self.live(node).finalized = height;
            }
        }
    }

    /// Sends a message of consensus, and listens whether an honest validator contradicts itself.
    fn publish(&mut self, node: usize, wire: Wire) {
        let attack = self.plan.attack.filter(|attack| attack.attacker == node);
        let statement = wire.statement();
        if let Some(statement) = &statement
            && attack.is_none()
        {
            let (step, value) = (statement.step(), statement.value());
            let before = *self.said.entry((node, step)).or_insert(value);
            if before != value {
                self.violations.push(format!(
                    "validator {node} signed {before:?} and then {value:?} as {step:?}"
                ));
            }
        }
        let event = Event::Wire { from: node, wire };
        let Some(attack) = attack else {
            return self.send_all(node, &event);
        };
        // At the places where it lies, the deceived hear the other story only.
        let step = statement.map(|statement| statement.step());
        let lies = step.is_some_and(|step| self.forged.contains_key(&(step.height, step.round)));
        for to in (0..self.nodes.len()).filter(|to| *to != node) {
            if !(lies && attack.deceives(to)) {
                self.send(node, to, &event);
            }
        }
    }

    fn build(&mut self, node: usize, height: u64, round: u32) -> Result<(), End> {
        let now_ms = self.clock_ms(node);
        let live = self.live(node);
        if !live.replica.evidence.is_signing() {
            return Ok(());
        }
        let proposed = live.replica.build(height, round, now_ms)?;
        live.forget(proposed.forget)?;
        let block = proposed.block;
        if self
            .plan
            .attack
            .is_some_and(|attack| attack.attacker == node)
        {
            self.deceive(node, height, round)?;
        }
        self.drive(node, |machine, outside| {
            machine.built(height, round, &block, outside)
        })
    }

    /// Builds a second block for the same round, and makes the deceived believe that it is the one.
    fn deceive(&mut self, node: usize, height: u64, round: u32) -> Result<(), End> {
        let Some(attack) = self.plan.attack else {
            return Ok(());
        };
        let own = self.nodes[node].key.public();
        // Another block than the honest one, also where the chain's time is ahead of this clock.
        let after_the_tip = self.live(node).ledger.tip().timestamp_ms + 1;
        let now_ms = self.clock_ms(node).max(after_the_tip) + 7;
        let limits = BuildLimits {
            bytes_max: 1 << 20,
            transactions_max: 1,
        };
        let live = self.live(node);
        if live.ledger.tip().height + 1 != height {
            return Ok(());
        }
        let candidates = live.pool.candidates(1);
        let built = live
            .ledger
            .build(own, now_ms, &candidates, limits)
            .map_err(|error| End::Failed(error.to_string()))?;
        let block = BuiltBlock {
            block_hash: built.block.hash(),
            body: Bytes::copy_from_slice(built.block.bytes()),
        };
        let Some(forger) = &mut self.forger else {
            return Ok(());
        };
        let mut wires = forger.proposal(height, round, &block);
        for kind in [ConsensusVoteKind::Prevote, ConsensusVoteKind::Precommit] {
            wires.extend(forger.vote(kind, height, round, Some(block.block_hash)));
        }
        self.forged.insert((height, round), block.block_hash);
        self.attacks += 1;
        for wire in wires {
            for to in (0..self.nodes.len()).filter(|to| *to != node && attack.deceives(*to)) {
                let wire = wire.clone();
                self.send(node, to, &Event::Wire { from: node, wire });
            }
        }
        Ok(())
    }

    fn check(&mut self, node: usize, received: &Received) -> Result<(), End> {
        let Received {
            height,
            round,
            proposer,
            ..
        } = *received;
        let now_ms = self.clock_ms(node);
        let live = self.live(node);
        if !live.replica.evidence.is_signing() {
            return Ok(());
        }
        let (replica, body) = (&live.replica, &received.body);
        let checked = match received.is_synced() {
            true => replica.check(height, round, proposer, body)?,
            false => replica.check_proposed(height, round, proposer, body, now_ms)?,
        };
        // As the node does, where the network decided what is invalid here.
        let decided = received.is_synced() && live.ledger.tip().height < height;
        if let Checked::Invalid(block) = checked
            && decided
        {
            let reason = format!("block {block} was decided at height {height}");
            return Err(End::Failed(reason));
        }
        self.drive(node, |machine, outside| {
            machine.checked(received, checked, outside)
        })
    }

    fn commit(&mut self, node: usize, certificate: &CommitCertificate) -> Result<(), End> {
        let idle_until = self.now + IDLE_BLOCK;
        let live = self.live(node);
        let committed = live.replica.commit(certificate)?;
        live.forget(committed.forget)?;
        live.committed = Some(committed.next);
        live.idle_until = idle_until;
        self.tell(node, committed.tell);
        self.at(idle_until, node, Event::MayStart);
        self.note_commit(
            node,
            committed.tip.height,
            committed.tip.block_hash,
            committed.tip.state_root,
        );
        Ok(())
    }

    fn note_commit(&mut self, node: usize, height: u64, block: Hash, state: Hash) {
        self.decided += 1;
        if !self.honest().any(|honest| honest == node) {
            return;
        }
        let known = *self.committed.entry(height).or_insert((block, state));
        if known == (block, state) {
            return;
        }
        self.forks.insert(height);
        if !self.may_fork() {
            self.violations.push(format!(
                "height {height} is {known:?}, and {:?} at validator {node}",
                (block, state)
            ));
        }
    }

    /// Three validators detect a liar, they do not mask it.
    pub(super) fn may_fork(&self) -> bool {
        self.plan.attack.is_some() && self.plan.quorum == tabella_protocol::Quorum::Majority
    }

    fn message(&mut self, node: usize, bytes: &Bytes) -> Result<(), End> {
        let now_ms = self.clock_ms(node);
        let live = self.live(node);
        match PeerMessage::from_bytes(bytes) {
            Ok(PeerMessage::Transactions(transactions)) => {
                let unknown = live.pool.unknown(transactions);
                let judged = live.pool.judge(unknown);
                let judged = judged.map_err(|error| End::Failed(error.to_string()))?;
                live.pool.take_relayed(judged, now_ms);
            }
            Ok(PeerMessage::Ack(ack)) => {
                let tell = live.replica.take_ack(ack).unwrap_or_default();
                self.tell(node, tell);
            }
            Ok(PeerMessage::Evidence(evidence)) => {
                let tell = live.replica.take_evidence(*evidence);
                self.tell(node, tell);
            }
            Ok(PeerMessage::Certificate(certificate)) => {
                let tell = live.replica.take_certificate(certificate);
                self.tell(node, tell);
            }
            Ok(PeerMessage::Statements(statements)) => {
                let tell = live.replica.take_statements(statements);
                self.tell(node, tell.unwrap_or_default());
            }
            Err(error) => panic!("nobody sends garbage here: {error}"),
        }
        Ok(())
    }

    fn tell(&mut self, node: usize, messages: Vec<Bytes>) {
        for bytes in messages {
            self.send_all(node, &Event::Message { bytes });
        }
    }

    fn tick(&mut self, node: usize) -> Result<(), End> {
        self.at(self.now + TICK, node, Event::Tick);
        let before = self.clock_ms(node).saturating_sub(OVERDUE_MS);
        let live = self.live(node);
        let height = live.ledger.tip().height;
        let overdue = PeerMessage::pack(&live.pool.overdue(before, OVERDUE_MAX));
        let repeated = live.replica.repeated();
        self.tell(node, overdue);
        self.tell(node, repeated);
        self.inquire(node);
        self.send_all(node, &Event::Status { from: node, height });
        Ok(())
    }

    /// Learns what validators that left consensus found, as the node does by JSON-RPC.
    fn inquire(&mut self, node: usize) {
        for other in 0..self.nodes.len() {
            let cut = self.is_faulty() && self.plan.is_cut(self.now, node, other);
            let live = self.nodes[other].live.as_ref();
            let left = live.filter(|live| live.machine.is_none() && !cut);
            let found = left.map(|live| live.replica.evidence.found());
            for evidence in found.unwrap_or_default() {
                let bytes = PeerMessage::Evidence(Box::new(evidence)).to_bytes();
                self.at(self.now + MS, node, Event::Message { bytes });
            }
        }
    }

    /// Gives consensus the next block of those that a peer sent.
    fn take_synced(&mut self, node: usize) -> Result<(), End> {
        let live = self.live(node);
        let next = live.ledger.tip().height + 1;
        live.ahead = live.ahead.split_off(&next);
        let at = live.machine.as_ref().map(Machine::height);
        if at != Some(next) {
            return Ok(());
        }
        let Some((from, certificate, body)) = live.ahead.remove(&next) else {
            return Ok(());
        };
        live.synced = next;
        let from = self.nodes[from].key.public();
        self.drive(node, |machine, outside| {
            machine.synced(&from, certificate, body, outside)
        })
    }

    /// Peers that work on the next height cut the pause before it short.
    fn note_height(&mut self, node: usize, wire: &Wire) {
        let Some(statement) = wire.statement() else {
            return;
        };
        let live = self.live(node);
        live.heard = live.heard.max(statement.step().height);
    }

    /// Hears what a validator says in its own name.
    fn hear(&mut self, node: usize, from: usize, wire: &Wire) {
        let signer = self.nodes[from].key.public();
        if let Some(statement) = wire.statement()
            && statement.signer() == signer
        {
            let replica = &self.live(node).replica;
            let tell = replica.acted_on(replica.witness.hear(statement));
            self.tell(node, tell);
        }
    }

    /// A client asks a validator, and another one when it hears nothing.
    fn client(&mut self, node: usize, voter: usize) -> Result<(), End> {
        if self.clients[voter].answered.is_some() {
            return Ok(());
        }
        let mut next = (node + 1) % self.nodes.len();
        if self
            .plan
            .attack
            .is_some_and(|attack| attack.attacker == next)
        {
            next = (next + 1) % self.nodes.len();
        }
        self.at(self.now + CLIENT_RETRY, next, Event::Client { voter });
        if self.nodes[node].live.is_none() {
            return Ok(());
        }
        let transaction = self.clients[voter].transaction.clone();
        let now_ms = self.clock_ms(node);
        let early = self.plan.sabotage == Some(Sabotage::AckBeforeDurable);
        if early {
            self.clients[voter].answered = Some(true);
        }
        let (mut relayed, answer) = self.nodes[node].submit(&transaction, now_ms);
        if early && answer.is_err() {
            relayed.clear();
        }
        for bytes in relayed {
            self.send_all(node, &Event::Message { bytes });
        }
        let answer = answer?;
        // The answer may get lost on its way.
        if self.is_faulty() && self.chance.happens(self.plan.weather.loss_per_mille) {
            return Ok(());
        }
        match answer {
            Ok(_) => self.clients[voter].answered = Some(true),
            Err(refusal) if refusal.code == RefusalCode::AlreadyVoted => {
                self.clients[voter].answered = Some(false);
            }
            Err(refusal) => self
                .violations
                .push(format!("refused: {}", refusal.message)),
        }
        Ok(())
    }
}
