"""A chain, executed again from genesis: every signature, right, roll, ballot, board and state root."""

from codec import Malformed, decode, encode, parse_json
from formats import BLOCK, ELECTION_RECORD, REST_OF_STATE, ROLL_ENTRY
from formats import ballot_hash, block_hash, entry_leaf, head_leaf, is_signed, kind_name, read_transaction, state_root
from formats import threshold
from primitives import Log, is_key, leaf_hash, merkle_root, sha256
from rules import Contest, Rule
from validators import History, Refused, check_certificate, check_evidence, evidence_height, evidence_subject, text

YEAR_MS = 366 * 24 * 60 * 60 * 1000
DEMOTION_HEIGHTS_MAX = 256
EXPIRES_ELSEWHERE = (1 << 64) - 1
TEXT_BYTES_MAX, CONTESTS_MAX, OPTIONS_MAX, PARAMS_BYTES_MAX = 512, 64, 1_024, 64 << 10


class Election:
    """An election's record, and what execution needs beside it."""

    def __init__(self, election_id, transaction_id, spec, contests):
        self.id, self.transaction_id, self.spec, self.contests = election_id, transaction_id, spec, contests
        self.phase, self.turnout = "upcoming", 0
        self.board, self.roll = Log(), Log()
        self.entries, self.ballots = [], []
        self.weights, self.counting, self.sequences = {}, {}, {}
        self.attestations, self.result, self.result_height = {}, None, None

    def log(self, log):
        return {"size": log.size, "peaks": log.peaks}

    def leaf(self):
        record = {
            "election_id": self.id, "transaction_id": self.transaction_id, "election": self.spec, "phase": self.phase,
            "board": self.log(self.board), "roll": self.log(self.roll), "turnout": self.turnout,
            "attestations": self.attestations, "result": self.result, "result_height": self.result_height,
        }  # fmt: skip
        return leaf_hash(encode(ELECTION_RECORD, record))

    def head(self):
        return {"election_id": self.id, "size": self.board.size, "root": self.board.root()}

    @property
    def eligibility(self):
        return self.spec["eligibility"]

    def status(self):
        return "final" if self.phase == "closed" and self.result else self.phase


class Chain:
    def __init__(self, genesis):
        self.genesis, self.history = genesis, History(genesis)
        self.genesis_hash = self.history.genesis
        self.height, self.tip, self.timestamp_ms = 0, self.genesis_hash, genesis["timestamp_ms"]
        self.elections, self.plugins, self.plugin_log = {}, {}, Log()
        self.included, self.transaction_log = set(), Log()
        self.absent, self.evidence, self.signatures = {}, set(), 0

    def apply(self, data, certificate):
        """Checks and executes the next block."""
        height = self.height + 1
        validator_set = self.history.at(height)
        check_certificate(certificate, self.genesis_hash, validator_set)
        header, transactions = self.read_block(data)
        self.check_header(header, validator_set)
        before = set(self.elections)
        known_plugins = dict(self.plugins)
        for place, (_, transaction) in enumerate(transactions):
            self.vet(transaction, place, known_plugins)
        touched = set()
        for place, (transaction_id, transaction) in enumerate(transactions):
            try:
                self.execute(transaction_id, transaction, height, before, touched)
            except Refused as error:
                raise Refused(f"transaction {place} ({kind_name(transaction)}): {error}") from None
        self.note_turn(height, header["proposer"], validator_set)
        self.compare(header, touched)
        self.history.check_header(header, certificate)
        self.height, self.tip, self.timestamp_ms = height, block_hash(header), header["timestamp_ms"]
        self.signatures += len(transactions) + len(certificate["signatures"])

    def read_block(self, data):
        block = decode(BLOCK, data, self.genesis["block_bytes_max"])
        header, blobs = block["header"], block["transactions"]
        if header["version"] != 2:
            raise Refused(f"expected header version 2, got {header['version']}")
        ids = [sha256(blob) for blob in blobs]
        root = merkle_root(leaf_hash(transaction_id) for transaction_id in ids)
        if header["transaction_count"] != len(ids) or header["transactions_root"] != root:
            raise Refused("the header does not commit to the transactions that came with it")
        transactions = []
        for place, (transaction_id, blob) in enumerate(zip(ids, blobs)):
            try:
                transactions.append((transaction_id, read_transaction(blob)))
            except Malformed as error:
                raise Refused(f"transaction {place} cannot be read: {error}") from None
        return header, transactions

    def check_header(self, header, validator_set):
        expected = [("genesis", self.genesis_hash), ("height", self.height + 1), ("parent", self.tip)]
        for name, value in expected:
            if header[name] != value:
                raise Refused(f"header: {name} does not follow the block before")
        if not self.timestamp_ms < header["timestamp_ms"] <= self.timestamp_ms + YEAR_MS:
            raise Refused("header: timestamp_ms is not later than the parent's, by a year at most")
        if all(v["public_key"] != header["proposer"] for v in validator_set["validators"]):
            raise Refused("header: the proposer is not a validator")

    # --- what can be judged of a transaction before the block's others ---

    def vet(self, transaction, place, plugins):
        kind, payload = kind_name(transaction), transaction["payload"]
        try:
            if transaction["chain_id"] != self.genesis["chain_id"]:
                raise Refused(f"it is for chain {transaction['chain_id']}")
            if not is_signed(transaction):
                raise Refused(f"the signature is not one of signer {text(transaction['signer'])}")
            if kind == "cast-ballot":
                self.vet_ballot(self.election(payload["election_id"]), transaction, payload)
            elif kind == "extend-roll":
                election = self.election(payload["election_id"])
                vet_roll(election, payload["entries"])
                if election.eligibility.get("registrar") != transaction["signer"]:
                    self.require_authority(transaction)
            elif kind != "attest-result":
                self.require_authority(transaction)
            if kind == "publish-plugin":
                payload["rule"] = Rule(payload["wasm"], self.genesis["plugin_limits"])
            elif kind == "create-election":
                check_election(payload["election"])
                payload["contests"] = [configured(contest, plugins) for contest in payload["election"]["contests"]]
        except (Refused, Malformed) as error:
            raise Refused(f"transaction {place} ({kind}): {error}") from None

    def election(self, election_id):
        if election_id not in self.elections:
            raise Refused(f"no election has the id {election_id}")
        return self.elections[election_id]

    def require_authority(self, transaction):
        if transaction["signer"] not in self.genesis["authorities"]:
            raise Refused(f"signer {text(transaction['signer'])} is no authority named in genesis")

    def vet_ballot(self, election, transaction, payload):
        registrar = election.eligibility.get("registrar")
        if transaction["signer"] != (registrar or payload["voter"]):
            who = "the election's registrar" if registrar else "the credential key that is the voter"
            raise Refused(f"it must be signed by {who}")
        if len(payload["ballots"]) != len(election.contests):
            raise Refused(f"expected {len(election.contests)} ballots, got {len(payload['ballots'])}")
        for contest, ballot in zip(election.contests, payload["ballots"]):
            contest.check(ballot)

    # --- execution ---

    def execute(self, transaction_id, transaction, height, before, touched):
        expiry, most = transaction["expiry_height"], self.genesis["expiry_heights_max"]
        if most != EXPIRES_ELSEWHERE and not height <= expiry <= height + most:
            raise Refused(f"its expiry height {expiry} is not from {height} to {height + most}")
        if transaction_id in self.included:
            raise Refused("it is on the chain already")
        payload = transaction["payload"]
        election = None
        if "election_id" in payload or payload["kind"] == "attest_result":
            election_id = payload.get("election_id", payload.get("attestation", {}).get("election_id"))
            election = self.election(election_id)
            # An election's life starts in the block after the one that creates it.
            if election_id not in before:
                raise Refused(f"no election has the id {election_id}")
        getattr(self, payload["kind"])(election, payload, transaction, transaction_id, height)
        if payload["kind"] == "cast_ballot":
            touched.add(election.id)
        self.included.add(transaction_id)
        self.transaction_log.push(leaf_hash(transaction_id))

    def publish_plugin(self, _election, payload, _transaction, _id, _height):
        rule = payload["rule"]
        if rule.sha256 in self.plugins:
            raise Refused(f"plugin {text(rule.sha256)} is published already")
        self.plugins[rule.sha256] = rule
        self.plugin_log.push(leaf_hash(rule.sha256))

    def create_election(self, _election, payload, _transaction, transaction_id, _height):
        election_id = max(self.elections, default=0) + 1
        self.elections[election_id] = Election(election_id, transaction_id, payload["election"], payload["contests"])

    def extend_roll(self, election, payload, _transaction, _id, _height):
        grows = election.eligibility.get("roll") == "grows"
        if not (election.phase == "upcoming" or (election.phase == "open" and grows)):
            raise Refused(f"the roll of election {election.id} takes no voters any more")
        for entry in payload["entries"]:
            if entry["voter"] in election.weights:
                raise Refused(f"a voter is on the roll of election {election.id} already")
            election.weights[entry["voter"]] = entry["weight"]
            election.roll.push(leaf_hash(encode(ROLL_ENTRY, entry)))

    def open_election(self, election, _payload, _transaction, _id, _height):
        if election.phase != "upcoming":
            raise Refused(f"election {election.id} is not upcoming")
        election.phase = "open"

    def close_election(self, election, _payload, _transaction, _id, _height):
        if election.phase != "open":
            raise Refused(f"election {election.id} is not open")
        election.phase = "closed"

    def cast_ballot(self, election, payload, transaction, transaction_id, _height):
        voter, sequence = payload["voter"], transaction["sequence"]
        if election.phase != "open":
            raise Refused(f"election {election.id} is not open")
        has_roll = "roll" in election.eligibility
        if has_roll and voter not in election.weights:
            raise Refused(f"the voter is not on the roll of election {election.id}")
        if voter in election.counting and election.spec["revote"] == "refuse":
            raise Refused(f"the voter has cast a ballot in election {election.id} already")
        if voter in election.sequences and (sequence is None or sequence <= election.sequences[voter]):
            raise Refused("a ballot that its voter ordered after this one is on the chain")
        entry = {
            "election_id": election.id, "position": election.board.size, "transaction_id": transaction_id,
            "voter": voter, "weight": election.weights[voter] if has_roll else 1,
            "ballot_hash": ballot_hash(payload["ballots"]),
        }  # fmt: skip
        election.board.push(entry_leaf(entry))
        election.entries.append(entry)
        election.ballots.append(payload["ballots"])
        election.turnout += voter not in election.counting
        election.counting[voter] = entry["position"]
        if sequence is not None:
            election.sequences[voter] = sequence

    def attest_result(self, election, payload, transaction, transaction_id, height):
        attestation, signer = payload["attestation"], transaction["signer"]
        validator_set = self.history.at(height)
        known = {validator["public_key"] for validator in validator_set["validators"]}
        if signer not in known:
            raise Refused(f"{text(signer)} is not a validator")
        if election.phase != "closed":
            raise Refused(f"election {election.id} is not closed")
        if signer in election.attestations:
            raise Refused(f"{text(signer)} has attested election {election.id} already")
        plugins = [contest["plugin"] for contest in election.spec["contests"]]
        if (attestation["board_size"], attestation["board_root"]) != (election.board.size, election.board.root()):
            raise Refused("the attestation is of another board")
        if attestation["plugins"] != plugins or len(attestation["outcomes"]) != len(plugins):
            raise Refused("the attestation does not name the election's plugins, in order")
        election.attestations[signer] = {"attestation": attestation, "transaction_id": transaction_id}
        if election.result is None:
            equal = [a for key, a in election.attestations.items() if key in known and a["attestation"] == attestation]
            if len(equal) >= threshold(validator_set["quorum"], len(known)):
                election.result, election.result_height = attestation, height

    def change_validators(self, _election, payload, _transaction, _id, height):
        self.history.decide(height, payload["changes"])

    def submit_evidence(self, _election, payload, _transaction, _id, height):
        evidence = payload["evidence"]
        if evidence_height(evidence) > height:
            raise Refused(f"the evidence is about height {evidence_height(evidence)}, which is to come")
        check_evidence(evidence, self.history)
        subject = evidence_subject(evidence)
        if subject in self.evidence:
            raise Refused("this evidence is on the chain already")
        self.evidence.add(subject)

    # --- what the header commits to ---

    def note_turn(self, height, proposer, validator_set):
        """Who was asked before the proposer, and did not propose, is asked last for a while."""
        keys = [validator["public_key"] for validator in validator_set["validators"]]
        rotated = [keys[(height + i) % len(keys)] for i in range(len(keys))]
        last = {key for key in rotated if key in self.absent and height < self.absent[key]["until_height"]}
        order = [key for key in rotated if key not in last] + [key for key in rotated if key in last]
        for missed in order[: order.index(proposer)]:
            before = self.absent[missed]["demotion_heights"] if missed in self.absent else 1
            heights = min(2 * before, DEMOTION_HEIGHTS_MAX)
            self.absent[missed] = {"demotion_heights": heights, "until_height": height + 1 + heights}
        self.absent.pop(proposer, None)
        following = {validator["public_key"] for validator in self.history.at(height + 1)["validators"]}
        self.absent = {key: absence for key, absence in self.absent.items() if key in following}

    def rest(self):
        """The bytes of everything but the elections that the state root commits to."""
        return encode(REST_OF_STATE, {
            "plugins_size": self.plugin_log.size, "plugins_root": self.plugin_log.root(),
            "transactions_size": self.transaction_log.size, "transactions_root": self.transaction_log.root(),
            "absent": self.absent, "validators": self.history.hash(), "evidence": sorted(self.evidence),
        })  # fmt: skip

    def compare(self, header, touched):
        leaves = [head_leaf(self.elections[election_id].head()) for election_id in sorted(touched)]
        elections = [self.elections[election_id].leaf() for election_id in sorted(self.elections)]
        found = {
            "boards_root": merkle_root(leaves), "state_root": state_root(self.rest(), merkle_root(elections)),
            "validators": self.history.hash(),
        }  # fmt: skip
        for name, value in found.items():
            if header[name] != value:
                raise Refused(f"header: {name} is not what execution gives: {text(value)}")

    # --- the count ---

    def count(self, election):
        """The outcome's bytes of each contest, of the ballots that count, in the order of the board."""
        last = election.spec["revote"] == "last"
        counting = [e for e in election.entries if not last or election.counting[e["voter"]] == e["position"]]
        outcomes = []
        for place, contest in enumerate(election.contests):
            ballots = ((e["weight"], election.ballots[e["position"]][place]) for e in counting)
            outcomes.append(contest.tally(ballots, election.board.root()))
        return outcomes


def configured(contest, plugins):
    if contest["plugin"] not in plugins:
        raise Refused(f"no plugin {text(contest['plugin'])} has been published")
    return Contest(plugins[contest["plugin"]], contest)


def vet_roll(election, entries):
    if "roll" not in election.eligibility:
        raise Refused(f"election {election.id} has no roll")
    if not entries or any(entry["weight"] == 0 for entry in entries):
        raise Refused("expected at least one roll entry, each with a weight of at least 1")
    if len({entry["voter"] for entry in entries}) != len(entries):
        raise Refused("a voter stands twice in this part of the roll")


def check_text(what, value):
    if not 1 <= len(value.encode()) <= TEXT_BYTES_MAX:
        raise Refused(f"expected 1 to {TEXT_BYTES_MAX} bytes of {what}")


def check_election(spec):
    """Requires an election's statement to be sound in itself."""
    check_text("title", spec["title"])
    contests = spec["contests"]
    if not 1 <= len(contests) <= CONTESTS_MAX or len({contest["id"] for contest in contests}) != len(contests):
        raise Refused(f"expected 1 to {CONTESTS_MAX} contests, each with an id of its own")
    for contest in contests:
        check_text("contest id", contest["id"])
        check_text("contest title", contest["title"])
        options = contest["options"]
        if not 1 <= len(options) <= OPTIONS_MAX or len({option["id"] for option in options}) != len(options):
            raise Refused(f"expected 1 to {OPTIONS_MAX} options, each with an id of its own")
        for option in options:
            check_text("option id", option["id"])
            check_text("option title", option["title"])
        if len(contest["params"].encode()) > PARAMS_BYTES_MAX or type(parse_json(contest["params"])) is not dict:
            raise Refused(f"params of contest {contest['id']!r} are not a JSON object of {PARAMS_BYTES_MAX} bytes")
    if "registrar" in spec["eligibility"] and not is_key(spec["eligibility"]["registrar"]):
        raise Refused("the registrar is not an ed25519 public key")
