//! What the chain refuses, with which code and words, and that nothing changes by it.

use expect_test::expect;
use tabella_ledger::BuildLimits;
use tabella_protocol::{
    Block, ContestSpec, Hash, Payload, Revote, RollEntry, Transaction, TransactionBody, codec,
};

use crate::support::{
    Chain, authority, by_registrar, certify, election, key, plurality, refusal_text, registrar,
    voter,
};

#[test]
#[expect(clippy::too_many_lines, reason = "one line for each refusal")]
fn every_refusal_has_a_code_and_helps() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let first = chain.cast(voter(1), "a");
    let bytes = chain.sign(&registrar(), first);
    let vetted = chain.judge(&bytes).unwrap();
    chain.commit(&[vetted]);
    let before = chain.builder.tip();

    let mut table = String::new();
    let mut row = |name: &str, text: String| table += &format!("{name}\n    {text}\n");
    row("the same transaction", refusal_text(chain.judge(&bytes)));
    let again = chain.cast(voter(1), "b");
    row("the same voter", chain.refusal(&registrar(), again.clone()));
    row(
        "another signer",
        chain
            .refusal(&key(9), again)
            .replace(&key(9).public().to_string(), "KEY"),
    );
    let Payload::CastBallot {
        voter: v, ballots, ..
    } = chain.cast(voter(2), "b")
    else {
        panic!()
    };
    let cast = |election_id, ballots| Payload::CastBallot {
        election_id,
        voter: v,
        ballots,
    };
    row(
        "unknown election",
        chain.refusal(&registrar(), cast(99, ballots.clone())),
    );
    row("no ballot", chain.refusal(&registrar(), cast(1, vec![])));
    row(
        "two ballots",
        chain.refusal(&registrar(), cast(1, vec![ballots[0].clone(); 2])),
    );
    row(
        "garbage ballot",
        chain.refusal(&registrar(), cast(1, vec![vec![255; 40]])),
    );
    row("empty bytes", refusal_text(chain.judge(&[])));
    row(
        "truncated",
        refusal_text(chain.judge(&bytes[..bytes.len() - 1])),
    );
    let body = |chain_id, expiry_height, payload| TransactionBody {
        chain_id,
        expiry_height,
        nonce: 1,
        sequence: None,
        payload,
    };
    let open = || Payload::OpenElection { election_id: 1 };
    let signed = |body| Transaction::sign(body, &authority()).to_bytes();
    row(
        "another chain",
        refusal_text(chain.judge(&signed(body(8, 100, open())))),
    );
    row(
        "expired",
        refusal_text(chain.judge(&signed(body(7, 4, open())))),
    );
    row(
        "expiry too far",
        refusal_text(chain.judge(&signed(body(7, 9_999, open())))),
    );
    let mut forged = Transaction::sign(body(7, 100, open()), &authority());
    forged.signer = key(9).public();
    row(
        "bad signature",
        refusal_text(chain.judge(&forged.to_bytes())).replace(&key(9).public().to_string(), "KEY"),
    );
    row("open twice", chain.refusal(&authority(), open()));
    row(
        "not an authority",
        chain
            .refusal(&key(9), open())
            .replace(&key(9).public().to_string(), "KEY"),
    );
    let publish = Payload::PublishPlugin {
        wasm: plurality().to_vec(),
    };
    row(
        "publish twice",
        chain
            .refusal(&authority(), publish)
            .replace(&Hash::of(plurality()).to_string(), "HASH"),
    );
    row(
        "not a module",
        chain.refusal(
            &authority(),
            Payload::PublishPlugin {
                wasm: b"hello".to_vec(),
            },
        ),
    );
    let entries = vec![RollEntry {
        voter: voter(1),
        weight: 1,
    }];
    row(
        "roll of a registrar's election",
        chain.refusal(
            &authority(),
            Payload::ExtendRoll {
                election_id: 1,
                entries,
            },
        ),
    );
    let with = |change: &dyn Fn(&mut ContestSpec)| {
        let mut spec = election(Revote::Refuse, by_registrar());
        change(&mut spec.contests[0]);
        Payload::CreateElection(spec)
    };
    row(
        "unknown plugin",
        chain.refusal(&authority(), with(&|c| c.plugin = Hash::ZERO)),
    );
    row(
        "no options",
        chain.refusal(&authority(), with(&|c| c.options.clear())),
    );
    row(
        "params are no object",
        chain.refusal(&authority(), with(&|c| c.params = "[]".into())),
    );
    row(
        "unknown param",
        chain.refusal(&authority(), with(&|c| c.params = r#"{"seats":2}"#.into())),
    );
    chain.accept(&authority(), Payload::CloseElection { election_id: 1 });
    let late = chain.cast(voter(3), "a");
    row("closed", chain.refusal(&registrar(), late));
    expect![[r#"
        the same transaction
            already-included: transaction 0x995bb6c7ecf96f0a468cc743f18709211bcc32311704ec9dea3d7c8efedbe5c3 is on the chain already
        the same voter
            already-voted: this voter has cast a ballot in election 1 already
        another signer
            not-authorised: cast-ballot must be signed by the election's registrar, got signer KEY
        unknown election
            unknown-election: no election has the id 99
        no ballot
            ballot-refused: expected 1 ballots, one per contest, got 0
        two ballots
            ballot-refused: expected 1 ballots, one per contest, got 2
        garbage ballot
            ballot-refused: the ballot's bytes are cut off or not canonical
        empty bytes
            malformed-transaction: transaction is not canonical bytes: Unexpected length of input
        truncated
            malformed-transaction: transaction is not canonical bytes: Unexpected length of input
        another chain
            other-chain: expected a transaction for chain 7, got one for 8
        expired
            expired: the transaction expired at height 4, the next block is 5; sign it again
        expiry too far
            expiry-too-far: expected an expiry height of at most 1005, got 9999
        bad signature
            bad-signature: the signature is not one of signer KEY
        open twice
            wrong-election-status: cannot open election 1: it must be upcoming
        not an authority
            not-authorised: open-election must be signed by an authority named in genesis, got signer KEY
        publish twice
            already-published: plugin HASH is published already; use it by this hash
        not a module
            plugin-refused: the module is refused: the bytes are no WebAssembly module: expected them to start with 0061736d, found 68656c6c
        roll of a registrar's election
            invalid-roll: election 1 has no roll: its registrar admits voters
        unknown plugin
            unknown-plugin: no plugin 0x0000000000000000000000000000000000000000000000000000000000000000 has been published; publish it first
        no options
            invalid-election: election cannot be created: expected 1 to 1024 options in contest "main", got 0
        params are no object
            invalid-election: election cannot be created: params of contest "main" are not a JSON object
        unknown param
            invalid-election: contest "main": /params/seats: plurality has no such parameter; it has: max_choices
        closed
            election-closed: election 1 is closed
    "#]].assert_eq(&table);
    assert_eq!(
        chain.builder.tip().height,
        before.height + 1,
        "nothing but the close was recorded"
    );
}

#[test]
fn a_block_is_refused_whole() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let payload = chain.cast(voter(1), "a");
    let bytes = chain.sign(&registrar(), payload);
    let vetted = chain.judge(&bytes).unwrap();
    let proposer = chain.builder.proposers()[0];
    let limits = BuildLimits {
        bytes_max: 1 << 20,
        transactions_max: 10,
    };
    let built = chain
        .builder
        .build(proposer, 9_000, [&vetted], limits)
        .unwrap();
    let block: Block = codec::decode(built.block.bytes(), 1 << 20).unwrap();
    let verdict = |change: &dyn Fn(&mut Block)| {
        let mut changed = block.clone();
        change(&mut changed);
        match chain
            .checker
            .check(&codec::encode(&changed), |_| None)
            .unwrap()
        {
            Ok(_) => "valid".to_owned(),
            Err(invalid) => invalid.to_string(),
        }
    };
    let twice = |block: &mut Block| {
        block.transactions.push(block.transactions[0].clone());
        block.header.transaction_count = 2;
        let ids = block
            .transactions
            .iter()
            .map(|bytes| Hash::of(bytes))
            .collect::<Vec<_>>();
        block.header.transactions_root = tabella_protocol::transactions_root(&ids);
    };
    let table = [
        verdict(&|_| {}),
        verdict(&|b| b.header.height += 1),
        verdict(&|b| b.header.parent = Hash::ZERO),
        verdict(&|b| b.header.genesis = Hash::ZERO),
        verdict(&|b| b.header.timestamp_ms = 0),
        verdict(&|b| b.header.timestamp_ms = u64::MAX),
        verdict(&|b| b.header.proposer = key(9).public()),
        verdict(&|b| b.header.state_root = Hash::ZERO),
        verdict(&|b| b.header.boards_root = Hash::ZERO),
        verdict(&|b| b.transactions.clear()),
        verdict(&twice).replace(&vetted.id().to_string(), "ID"),
    ];
    expect![[r#"
        valid
        header: height does not follow the tip
        header: parent is not the tip
        header: genesis is another network's
        header: timestamp_ms is not later than the parent's
        header: timestamp_ms is more than a year later than the parent's
        header: proposer is not a validator
        header: state_root is not what execution gives
        header: boards_root is not what execution gives
        the header does not commit to the transactions that came with it
        transaction: transaction ID is on the chain already"#]]
    .assert_eq(&table.join("\n"));
    assert!(chain.checker.check(b"garbage", |_| None).unwrap().is_err());
    let certificate = certify(built.block.header().height, Hash::of(b"other"));
    assert!(
        chain.builder.commit(built.block, &certificate).is_err(),
        "a foreign certificate"
    );
}

/// The tip moves while a block is looked at, as where one of its rules is compiled meanwhile: the block may be an
/// honest one.
#[test]
fn a_block_whose_height_is_decided_meanwhile_is_no_lie() {
    let mut chain = Chain::with_election(Revote::Refuse, by_registrar());
    let proposer = chain.builder.proposers()[0];
    let limits = BuildLimits {
        bytes_max: 1 << 20,
        transactions_max: 10,
    };
    let mut block = |n: u32| {
        let payload = chain.cast(voter(n), "a");
        let bytes = chain.sign(&registrar(), payload);
        let vetted = chain.judge(&bytes).unwrap();
        let built = chain.builder.build(proposer, 9_000, [&vetted], limits);
        built.unwrap().block.bytes().clone()
    };
    let (decided, other) = (block(1), block(2));
    let checker = &chain.checker;
    let checked = checker.check(&other, |_| {
        let executed = checker.check(&decided, |_| None).unwrap().unwrap();
        let certificate = certify(executed.header().height, executed.hash());
        checker.commit(executed, &certificate).unwrap();
        None
    });
    let Err(invalid) = checked.unwrap() else {
        panic!("it is executed on a state that is not the tip's");
    };
    assert_eq!(invalid.to_string(), "it comes late: its height is decided");
    assert_eq!(
        checker.tip().block_hash,
        Block::decode(&decided, 1 << 20).unwrap().0.header.hash()
    );
}
