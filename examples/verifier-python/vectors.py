"""The test vectors of docs/vectors, which Tabella's own code writes and compares with."""

import json

import documents
import formats
from codec import BLOB, HASH, KEY, SIGNATURE, Malformed, Sequence, decode, encode
from primitives import inclusion_root, is_consistent, is_key, leaf_hash, merkle_root, sha256, signed
from validators import History, Refused, check_certificate, check_evidence, evidence_height, evidence_subject


class Differs(Refused):
    """A value that is not as a vector says."""


def equal(about, found, expected):
    if found != expected:
        raise Differs(f"{about}: expected {show(expected)}, got {show(found)}")


def show(value):
    return "0x" + value.hex() if isinstance(value, bytes) else repr(value)


def check(directory):
    """Compares every vector; answers how many there are in each file."""
    counts = {}
    for name, check_one in CHECKS.items():
        path = directory / f"{name}.json"
        counts[path.name] = check_one(json.loads(path.read_text()), path.name)
    return counts


def raw(text):
    return BLOB.from_json(text)


def accepts(run, *arguments):
    """What a check answers; None where it refuses."""
    try:
        return run(*arguments)
    except (Refused, Malformed, documents.NotThat, UnicodeDecodeError):
        return None


def holds(run, *arguments):
    """Whether a check raises nothing."""
    try:
        run(*arguments)
        return True
    except (Refused, Malformed):
        return False


# --- keys.json ---


def keys(vectors, name):
    for vector in vectors["keys"]:
        equal(f"{name}: {vector['about']}", is_key(raw(vector["key"])), vector["valid"])
    for vector in vectors["signatures"]:
        found = signed(raw(vector["key"]), raw(vector["message"]), raw(vector["signature"]))
        equal(f"{name}: {vector['about']}", found, vector["valid"])
    for vector in vectors["seeded"]:
        key = raw(vector["key"])
        equal(f"{name}: address", sha256(key)[12:], raw(vector["address"]))
        equal(f"{name}: signature", signed(key, raw(vector["message"]), raw(vector["signature"])), True)
    return sum(map(len, vectors.values()))


# --- merkle.json ---


def merkle(vectors, name):
    leaves = [leaf_hash(raw(data)) for data in vectors["data"]]
    equal(f"{name}: leaves", leaves, [HASH.from_json(leaf) for leaf in vectors["leaves"]])
    for size, root in enumerate(vectors["roots"]):
        equal(f"{name}: root of {size}", merkle_root(leaves[:size]), HASH.from_json(root))
    for place, vector in enumerate(vectors["inclusion"]):
        path, root = formats.HASHES.from_json(vector["path"]), HASH.from_json(vector["root"])
        found = inclusion_root(HASH.from_json(vector["leaf"]), vector["position"], vector["size"], path)
        equal(f"{name}: inclusion {place}", found == root, vector["valid"])
    for place, vector in enumerate(vectors["consistency"]):
        path = formats.HASHES.from_json(vector["path"])
        roots = [HASH.from_json(vector[which]) for which in ("old_root", "new_root")]
        found = is_consistent(vector["old"], vector["new"], path, *roots)
        equal(f"{name}: consistency {place}", found, vector["valid"])
    return sum(map(len, vectors.values()))


# --- values.json ---

TYPES = {
    "genesis": formats.GENESIS, "attestation": formats.ATTESTATION, "roll entry": formats.ROLL_ENTRY,
    "election": formats.ELECTION, "header": formats.HEADER, "certificate": formats.CERTIFICATE,
    "board entry": formats.BOARD_ENTRY, "board head": formats.BOARD_HEAD, "ballots": formats.BALLOTS,
    "validator set": formats.VALIDATOR_SET, "ack": formats.ACK, "vote": formats.VOTE, "evidence": formats.EVIDENCE,
}  # fmt: skip


def values(vectors, name):
    genesis = next(formats.GENESIS.from_json(v["value"]) for v in vectors if v["type"] == "genesis")
    for place, vector in enumerate(vectors):
        about = f"{name}: value {place} ({vector['type']})"
        value, data = None, raw(vector["bytes"]) if "bytes" in vector else None
        type_ = TYPES.get(vector["type"])
        if type_ is not None:
            value = type_.from_json(vector["value"])
            equal(about, encode(type_, value), data)
            equal(about, decode(type_, data), value)
        for member, expected in vector.items():
            run = DERIVED.get((vector["type"], member))
            if run:
                equal(f"{about}, {member}", run(value, vector, genesis), raw(expected))
    return len(vectors)


def pseudonym(_value, vector, _genesis):
    import hmac

    return hmac.digest(raw(vector["secret"]), vector["voter_id"].encode(), "sha256")


def link(value, vector, genesis):
    if "before" not in vector:
        return formats.validators_link(None, value)
    history = History(genesis)
    equal("the set of genesis", history.hash(), raw(vector["before"]))
    history.decide(vector["decided_at"], decode(Sequence(formats.CHANGE), raw(vector["changes"])))
    equal("the set that changes make", history.sets[-1], value)
    return history.hash()


def subject(value, vector, genesis):
    check_evidence(value, History(genesis))
    equal("the evidence's height", evidence_height(value), vector["height"])
    return evidence_subject(value)


def head_leaf(value, vector, _genesis):
    equal("the board's root", merkle_root(map(HASH.from_json, vector["entries"])), value["root"])
    return formats.head_leaf(value)


def ack_network(value, vector, _genesis):
    message = formats.ack_message(raw(vector["network"]), value)
    equal("the ack's signature", signed(value["validator"], message, value["signature"]), True)
    return raw(vector["network"])


DERIVED = {
    ("genesis", "hash"): lambda value, _vector, _genesis: formats.genesis_hash(value),
    ("header", "hash"): lambda value, _vector, _genesis: formats.block_hash(value),
    ("ballots", "hash"): lambda value, _vector, _genesis: formats.ballot_hash(value),
    ("board entry", "leaf"): lambda value, _vector, _genesis: formats.entry_leaf(value),
    ("board head", "leaf"): head_leaf,
    ("validator set", "link"): link,
    ("vote", "message"): lambda value, vector, _genesis: formats.vote_message(raw(vector["network"]), value),
    ("ack", "network"): ack_network,
    ("evidence", "subject"): subject,
    ("pseudonym", "hash"): pseudonym,
    ("state root", "hash"): lambda _value, vector, _genesis: formats.state_root(
        raw(vector["bytes"]), raw(vector["elections_root"])
    ),
}

# --- transactions.json ---


def transactions(vectors, name):
    for place, vector in enumerate(vectors["transactions"]):
        about, data = f"{name}: transaction {place} ({vector['kind']})", raw(vector["bytes"])
        found = formats.read_transaction(data)
        equal(about, encode(formats.TRANSACTION, found), data)
        equal(about, sha256(data), raw(vector["id"]))
        for member in ("chain_id", "expiry_height", "nonce", "sequence"):
            equal(f"{about}, {member}", found[member], vector[member])
        equal(f"{about}, version", data[0], vector["version"])
        equal(f"{about}, kind", formats.kind_name(found), vector["kind"])
        equal(f"{about}, payload", encode(formats.PAYLOAD, found["payload"]), raw(vector["payload"]))
        equal(f"{about}, signer", found["signer"], KEY.from_json(vector["signer"]))
        equal(f"{about}, signature", found["signature"], SIGNATURE.from_json(vector["signature"]))
        batch = vector["batch"] and formats.PLACE.from_json(vector["batch"])
        equal(f"{about}, batch", found["batch"], batch)
        equal(f"{about}, valid", formats.is_signed(found), vector["valid"])
    for vector in vectors["badly_signed"]:
        found = formats.read_transaction(raw(vector["bytes"]))
        equal(f"{name}: {vector['about']}", formats.is_signed(found), False)
    for vector in vectors["unreadable"]:
        equal(f"{name}: {vector['about']}", accepts(formats.read_transaction, raw(vector["bytes"])), None)
    return sum(map(len, vectors.values()))


# --- documents.json ---


def handed_out(vectors, name):
    genesis = {key: formats.GENESIS.from_json(value) for key, value in vectors["genesis"].items()}
    for place, vector in enumerate(vectors["blocks"]):
        block = decode(formats.BLOCK, raw(vector["bytes"]))
        ids = [sha256(data) for data in block["transactions"]]
        equal(f"{name}: block {place}, ids", ids, formats.HASHES.from_json(vector["transactions"]))
        root = merkle_root(leaf_hash(one) for one in ids)
        equal(f"{name}: block {place}, transactions_root", block["header"]["transactions_root"], root)
        equal(f"{name}: block {place}, hash", formats.block_hash(block["header"]), raw(vector["hash"]))
    for vector in vectors["certificates"]:
        history = History(genesis[vector["genesis"]])
        certificate = formats.CERTIFICATE.from_json(vector["certificate"])
        found = holds(check_certificate, certificate, history.genesis, history.sets[0])
        equal(f"{name}: certificate {vector['about']}", found, vector["valid"])
    for vector in vectors["receipts"]:
        found = accepts(documents.check_receipt, vector["text"].encode(), genesis[vector["genesis"]])
        equal(f"{name}: receipt {vector['about']}", found, vector["summary"])
    for vector in vectors["results"]:
        found = accepts(documents.check_result, json.dumps(vector["result"]).encode(), genesis[vector["genesis"]])
        equal(f"{name}: result {vector['about']}", found is not None, vector["valid"])
    for vector in vectors["election_proofs"]:
        data = json.dumps(vector["proof"]).encode()
        found = accepts(documents.check_election_proof, data, genesis[vector["genesis"]])
        shown = found and {
            "election_id": found["election_id"],
            "title": found["election"]["title"],
            "height": found["height"],
        }
        equal(f"{name}: proof of {vector['about']}", shown, vector["proven"])
    return sum(map(len, vectors.values()))


CHECKS = {
    "keys": keys,
    "merkle": merkle,
    "values": values,
    "transactions": transactions,
    "documents": handed_out,
}
