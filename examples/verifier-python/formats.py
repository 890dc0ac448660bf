"""Every structure that is hashed or signed, in the order of docs/verifying.md, with its hash or signing message."""

from codec import BLOB, HASH, KEY, SIGNATURE, TEXT, U8, U32, U64
from codec import Malformed, Mapping, Optional, Sequence, Struct, Variants, Words, decode, encode
from primitives import inclusion_root, leaf_hash, sha256, signed

HASHES = Sequence(HASH)
NO_HASH = bytes(32)

# --- genesis and validators ---

QUORUM = Words("majority", "bft")
VALIDATOR = Struct(node_id=TEXT, public_key=KEY)
ADDRESS = Struct(p2p_address=TEXT, rpc_url=TEXT)

LIMITS_MOST = {
    "validate_fuel": 1_000_000, "validate_memory_bytes": 4 << 20, "message_bytes": 256, "fold_fuel": 100_000_000,
    "finish_fuel": 2_000_000_000, "tally_memory_bytes": 64 << 20, "outcome_bytes": 1 << 20,
    "configure_fuel": 10_000_000, "manifest_bytes": 16 << 10, "config_bytes": 256 << 10, "options": 4_096,
    "ballot_bytes": 16 << 10, "batch_ballots": 1_024, "batch_bytes": 128 << 10, "chunk_batches": 64,
    "module_bytes": 256 << 10, "functions": 2_000, "operators": 200_000, "signature_values": 64,
    "function_locals": 256, "function_operators": 20_000, "block_depth": 256, "loop_depth": 16,
    "loops_times_locals": 10_000, "table_elements": 4_096, "globals": 64, "stack_slots": 12_288,
}  # fmt: skip
FUEL_CLASSES = (
    "simple", "multiply", "divide", "branch", "load", "store", "call", "call_indirect", "bulk", "grow_page",
    "copy_byte", "fill_byte",
)  # fmt: skip
FUEL_COSTS = Struct(version=U32, **{name: U8 for name in FUEL_CLASSES})
LIMITS = Struct(**{name: U64 for name in LIMITS_MOST}, fuel_costs=FUEL_COSTS)
GENESIS = Struct(
    version=U32, chain_id=U64, network=TEXT, timestamp_ms=U64, quorum=QUORUM, validators=Sequence(VALIDATOR),
    authorities=Sequence(KEY), plugin_limits=LIMITS, block_bytes_max=U32, expiry_heights_max=U64,
)  # fmt: skip


def genesis_hash(genesis):
    return sha256(b"tabella/genesis/v1", encode(GENESIS, genesis))


def threshold(quorum, count):
    """How many of `count` validators are a quorum."""
    return count // 2 + 1 if quorum == "majority" else 2 * count // 3 + 1


VALIDATOR_SET = Struct(from_height=U64, quorum=QUORUM, validators=Sequence(VALIDATOR), addresses=Mapping(KEY, ADDRESS))


def validators_link(before, validator_set):
    """The commitment to a set and to all before it."""
    return sha256(b"tabella/validators/v1", before or NO_HASH, encode(VALIDATOR_SET, validator_set))


# --- headers, votes, certificates, acks ---


class HeaderType(Struct):
    """Version 1 ends before `validators`."""

    def write(self, out, value):
        for name, type_ in self.members.items():
            if name != "validators" or value[name] is not None:
                type_.write(out, value[name])

    def read(self, reader):
        found = {}
        for name, type_ in self.members.items():
            lacks = name == "validators" and found["version"] < 2
            found[name] = None if lacks else type_.read(reader)
        return found


HEADER = HeaderType(
    may_lack={"validators": None}, version=U8, genesis=HASH, height=U64, parent=HASH, timestamp_ms=U64, proposer=KEY,
    transaction_count=U32, transactions_root=HASH, boards_root=HASH, state_root=HASH, validators=HASH,
)  # fmt: skip
BLOCK = Struct(header=HEADER, transactions=Sequence(BLOB))


def block_hash(header):
    return sha256(b"tabella/header/v1", encode(HEADER, header))


def is_well_formed(header):
    return (header["version"], header["validators"] is not None) in [(1, False), (2, True)]


VOTE = Struct(kind=Words("prevote", "precommit"), height=U64, round=U32, value=Optional(HASH), validator=KEY)
PROPOSAL = Struct(height=U64, round=U32, value=HASH, valid_round=Optional(U32), proposer=KEY)
SIGNED_VOTE = Struct(vote=VOTE, signature=SIGNATURE)
SIGNED_PROPOSAL = Struct(proposal=PROPOSAL, signature=SIGNATURE)
COMMIT_SIGNATURE = Struct(validator=KEY, signature=SIGNATURE)
CERTIFICATE = Struct(height=U64, round=U32, block_hash=HASH, signatures=Sequence(COMMIT_SIGNATURE))
ACK = Struct(height=U64, block_hash=HASH, state_root=HASH, validator=KEY, signature=SIGNATURE)
ACK_SIGNED = Struct(height=U64, block_hash=HASH, state_root=HASH)


def vote_message(genesis, vote):
    return b"tabella/consensus-vote/v1" + genesis + encode(VOTE, vote)


def proposal_message(genesis, proposal):
    return b"tabella/consensus-proposal/v1" + genesis + encode(PROPOSAL, proposal)


def precommit_message(genesis, certificate, validator):
    """What `validator` signed for this certificate."""
    vote = {
        "kind": "precommit", "height": certificate["height"], "round": certificate["round"],
        "value": certificate["block_hash"], "validator": validator,
    }  # fmt: skip
    return vote_message(genesis, vote)


def ack_message(genesis, ack):
    return b"tabella/ack/v1" + genesis + encode(ACK_SIGNED, ack)


VALIDATOR_SET_PROOF = Struct(header=HEADER, certificate=CERTIFICATE, set=VALIDATOR_SET)

# --- elections ---


class EligibilityType:
    """One byte, the form, then the registrar's key where there is one."""

    FORMS = [
        {"kind": "registrar", "open_to": "named"},
        {"kind": "registrar_roll", "roll": "grows"},
        {"kind": "credentials", "roll": "grows"},
        {"kind": "registrar", "open_to": "accounts"},
        {"kind": "registrar_roll", "roll": "fixed"},
        {"kind": "credentials", "roll": "fixed"},
    ]

    def write(self, out, value):
        form = {name: value[name] for name in ("kind", "open_to", "roll") if name in value}
        U8.write(out, self.FORMS.index(form))
        if "registrar" in value:
            KEY.write(out, value["registrar"])

    def read(self, reader):
        form = U8.read(reader)
        if form >= len(self.FORMS):
            raise Malformed(f"expected an eligibility of form 0 to 5, got {form}")
        value = dict(self.FORMS[form])
        if value["kind"] != "credentials":
            value["registrar"] = KEY.read(reader)
        return value

    def from_json(self, value):
        """What is left out: `open_to` is `named`, `roll` is `grows`."""
        if type(value) is not dict or "kind" not in value:
            raise Malformed("expected an eligibility")
        defaults = {"open_to": "named"} if value["kind"] == "registrar" else {"roll": "grows"}
        found = {**defaults, **value}
        if "registrar" in found:
            found["registrar"] = KEY.from_json(found["registrar"])
        form = {name: item for name, item in found.items() if name != "registrar"}
        if form not in self.FORMS or ("registrar" in found) != (found["kind"] != "credentials"):
            raise Malformed("expected an eligibility of one of six forms")
        return found


OPTION = Struct(id=TEXT, title=TEXT)
CONTEST = Struct(id=TEXT, title=TEXT, plugin=HASH, options=Sequence(OPTION), params=TEXT)
ELECTION = Struct(
    title=TEXT, contests=Sequence(CONTEST), eligibility=EligibilityType(), revote=Words("refuse", "last"),
    disclosure=Words("at_close", "live"),
)  # fmt: skip
ROLL_ENTRY = Struct(voter=HASH, weight=U32)
BOARD_ENTRY = Struct(election_id=U64, position=U64, transaction_id=HASH, voter=HASH, weight=U32, ballot_hash=HASH)
BOARD_HEAD = Struct(election_id=U64, size=U64, root=HASH)
BALLOTS = Sequence(BLOB)
ATTESTATION = Struct(election_id=U64, board_root=HASH, board_size=U64, plugins=HASHES, outcomes=HASHES)


def ballot_hash(ballots):
    return sha256(encode(BALLOTS, ballots))


def entry_leaf(entry):
    return leaf_hash(encode(BOARD_ENTRY, entry))


def head_leaf(head):
    return leaf_hash(encode(BOARD_HEAD, head))


# --- evidence ---

EVIDENCE = Variants(
    votes=Struct(first=SIGNED_VOTE, second=SIGNED_VOTE),
    proposals=Struct(first=SIGNED_PROPOSAL, second=SIGNED_PROPOSAL),
    acks=Struct(first=ACK, second=ACK),
    fork=Struct(first=CERTIFICATE, second=CERTIFICATE),
)

# --- transactions ---

CHANGE = Variants(
    add=Struct(validator=VALIDATOR, address=ADDRESS),
    remove=Struct(public_key=KEY),
    readdress=Struct(public_key=KEY, address=ADDRESS),
    set_quorum=Struct(quorum=QUORUM),
)


class Alone:
    """A variant that holds one value, which stands under its own name."""

    def __init__(self, name, type_):
        self.name, self.type = name, type_

    def write(self, out, value):
        self.type.write(out, value[self.name])

    def read(self, reader):
        return {self.name: self.type.read(reader)}


PAYLOAD = Variants(
    publish_plugin=Struct(wasm=BLOB),
    create_election=Alone("election", ELECTION),
    extend_roll=Struct(election_id=U64, entries=Sequence(ROLL_ENTRY)),
    open_election=Struct(election_id=U64),
    close_election=Struct(election_id=U64),
    cast_ballot=Struct(election_id=U64, voter=HASH, ballots=BALLOTS),
    attest_result=Alone("attestation", ATTESTATION),
    change_validators=Struct(changes=Sequence(CHANGE)),
    submit_evidence=Alone("evidence", EVIDENCE),
)
TRANSACTION_BYTES_MAX = 512 << 10
BATCH_LEAVES_MAX = 64
PLACE = Struct(index=U8, size=U8, path=HASHES)


class TransactionType:
    """Version 2 and 4 have a sequence behind the nonce, version 3 and 4 a place in a batch behind the signature."""

    def write_body(self, out, value, batched):
        ordered = value["sequence"] is not None
        U8.write(out, 1 + ordered + 2 * batched)
        for name in ("chain_id", "expiry_height", "nonce") + (("sequence",) if ordered else ()):
            U64.write(out, value[name])
        PAYLOAD.write(out, value["payload"])

    def write(self, out, value):
        self.write_body(out, value, value["batch"] is not None)
        KEY.write(out, value["signer"])
        SIGNATURE.write(out, value["signature"])
        if value["batch"] is not None:
            PLACE.write(out, value["batch"])

    def read(self, reader):
        version = U8.read(reader)
        if not 1 <= version <= 4:
            raise Malformed(f"expected transaction version 1 to 4, got {version}")
        found = {name: U64.read(reader) for name in ("chain_id", "expiry_height", "nonce")}
        found["sequence"] = U64.read(reader) if version in (2, 4) else None
        found["payload"] = PAYLOAD.read(reader)
        found["signer"], found["signature"] = KEY.read(reader), SIGNATURE.read(reader)
        found["batch"] = PLACE.read(reader) if version > 2 else None
        if version > 1 and found["payload"]["kind"] != "cast_ballot":
            raise Malformed(f"expected a cast-ballot in transaction version {version}, got {kind_name(found)}")
        return found


TRANSACTION = TransactionType()


def kind_name(transaction):
    return transaction["payload"]["kind"].replace("_", "-")


def read_transaction(data):
    return decode(TRANSACTION, data, TRANSACTION_BYTES_MAX)


def transaction_message(transaction):
    """What is signed of a transaction that stands in no batch."""
    out = bytearray(b"tabella/transaction/v1")
    TRANSACTION.write_body(out, transaction, batched=False)
    return bytes(out)


def batch_message(size, root):
    """What is signed of a batch."""
    return b"tabella/batch/v1" + bytes([size]) + root


def is_signed(transaction):
    """Whether the signature is the signer's: of the transaction, or of the batch that its path leads to."""
    message, place = transaction_message(transaction), transaction["batch"]
    if place is not None:
        if not 2 <= place["size"] <= BATCH_LEAVES_MAX:
            return False
        root = inclusion_root(leaf_hash(message), place["index"], place["size"], place["path"])
        if root is None:
            return False
        message = batch_message(place["size"], root)
    return signed(transaction["signer"], message, transaction["signature"])


# --- state ---

LOG = Struct(size=U64, peaks=HASHES)
ATTESTED = Struct(attestation=ATTESTATION, transaction_id=HASH)
ELECTION_RECORD = Struct(
    election_id=U64, transaction_id=HASH, election=ELECTION, phase=Words("upcoming", "open", "closed"), board=LOG,
    roll=LOG, turnout=U64, attestations=Mapping(KEY, ATTESTED), result=Optional(ATTESTATION),
    result_height=Optional(U64),
)  # fmt: skip
STATEMENT = Struct(election_id=U64, transaction_id=HASH, election=ELECTION)
ABSENCE = Struct(demotion_heights=U64, until_height=U64)
REST_OF_STATE = Struct(
    plugins_size=U64, plugins_root=HASH, transactions_size=U64, transactions_root=HASH, absent=Mapping(KEY, ABSENCE),
    validators=HASH, evidence=HASHES,
)  # fmt: skip


def state_root(rest, elections_root):
    """The commitment to the whole state: the bytes of everything but the elections, and the root over these."""
    return sha256(b"tabella/state/v2", rest, elections_root)


# --- documents ---

ATTESTATION_PROOF = Struct(validator=KEY, transaction=BLOB, signature=SIGNATURE)
RESULT_CERTIFICATE = Struct(attestation=ATTESTATION, height=U64, proofs=Sequence(ATTESTATION_PROOF))

RECEIPT = Struct(
    may_lack={"validator_sets": []}, version=U32, genesis=HASH, entry=BOARD_ENTRY, board_path=HASHES, board=BOARD_HEAD,
    board_index=U64, board_count=U64, boards_path=HASHES, header=HEADER, certificate=CERTIFICATE, acks=Sequence(ACK),
    validator_sets=Sequence(VALIDATOR_SET_PROOF),
)  # fmt: skip
ELECTION_PROOF = Struct(
    version=U32, genesis=HASH, record=BLOB, index=U64, count=U64, path=HASHES, logs=BLOB, header=HEADER,
    certificate=CERTIFICATE, validator_sets=Sequence(VALIDATOR_SET_PROOF),
)  # fmt: skip
