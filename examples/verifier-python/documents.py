"""What the network hands out: genesis, receipts, proofs of elections, results, exports.

Each check answers a summary, or raises what does not hold.
"""

from chain import Chain
from codec import Malformed, Reader, Struct, parse_json, pretty_json
from codec import BLOB, U64
from formats import (
    CERTIFICATE,
    ELECTION_PROOF,
    GENESIS,
    LIMITS_MOST,
    FUEL_CLASSES,
    RECEIPT,
    RESULT_CERTIFICATE,
    STATEMENT,
)
from formats import ack_message, entry_leaf, genesis_hash, head_leaf, is_signed, is_well_formed, read_transaction
from formats import state_root, threshold
from primitives import inclusion_root, is_key, leaf_hash, sha256, signed
from rules import Missing, Outcome
from validators import History, Refused, text


class NotThat(Exception):
    """A file that is something else, and what."""


# --- genesis ---


def read_genesis(data):
    """A genesis document on which a network can run."""
    genesis = GENESIS.from_json(parse_json(data.decode()))
    keys = [validator["public_key"] for validator in genesis["validators"]]
    names = [validator["node_id"] for validator in genesis["validators"]]
    limits = genesis["plugin_limits"]
    costs = limits["fuel_costs"]
    good = {
        "version": genesis["version"] == 1,
        "chain_id": 1 <= genesis["chain_id"] < 1 << 53,
        "validators": 1 <= len(keys) <= 64
        and len(set(keys)) == len(set(names)) == len(keys)
        and all(map(is_key, keys)),
        "authorities": bool(genesis["authorities"]) and all(map(is_key, genesis["authorities"])),
        "plugin_limits": all(1 <= limits[name] <= most for name, most in LIMITS_MOST.items()),
        "fuel_costs": costs["version"] == 1 and all(costs[name] for name in FUEL_CLASSES),
        "block_bytes_max": 64 << 10 <= genesis["block_bytes_max"] <= 64 << 20,
    }
    for name, holds in good.items():
        if not holds:
            raise Malformed(f"no network can run on its {name}")
    return genesis


# --- receipts ---


def read_receipt(data):
    """A receipt, which has one text."""
    try:
        document = parse_json(data.decode())
    except (Malformed, UnicodeDecodeError) as error:
        known = sum(f'"{name}"'.encode() in data for name in RECEIPT.members)
        if 2 * known >= len(RECEIPT.members):
            raise Refused(f"the receipt was changed: {error}") from None
        raise NotThat(other_file(data)) from None
    if type(document) is not dict or 2 * len(document.keys() & RECEIPT.members.keys()) < len(RECEIPT.members):
        raise NotThat(other_document(document))
    try:
        receipt = RECEIPT.from_json(document)
    except Malformed as error:
        raise Refused(f"the receipt was changed: {error}") from None
    if pretty_json(RECEIPT.to_json(receipt)).encode() != data:
        raise Refused("the file is not byte for byte as it was issued; fetch the receipt again")
    return receipt


def other_file(data):
    try:
        return other_document(parse_json(data.decode()))
    except (Malformed, UnicodeDecodeError):
        return "it is not JSON" if data.strip() else "the file is empty"


def other_document(document):
    if type(document) is dict and "status" in document and ("code" in document or "title" in document):
        return f"it is the answer of a backend that refused: {document.get('detail', document.get('title'))}"
    if type(document) is dict and "plugin_limits" in document:
        return "it is a genesis document"
    return "it is some other JSON"


def check_receipt(data, genesis):
    """Requires every hash, proof and signature of a receipt to hold."""
    receipt = read_receipt(data)
    header, entry, board = receipt["header"], receipt["entry"], receipt["board"]
    history = History(genesis)
    if receipt["version"] != (2 if receipt["validator_sets"] else 1):
        raise Refused("the receipt is of an unknown version")
    if receipt["genesis"] != history.genesis or header["genesis"] != history.genesis:
        raise Refused(f"the receipt is for network {text(receipt['genesis'])}, this genesis is {text(history.genesis)}")
    if not is_well_formed(header):
        raise Refused("the header is of an unknown version")
    if entry["election_id"] != board["election_id"]:
        raise Refused("the entry and the board are of different elections")
    root = inclusion_root(entry_leaf(entry), entry["position"], board["size"], receipt["board_path"])
    if root != board["root"]:
        raise Refused(f"the entry is not on the board at position {entry['position']}")
    place, count = receipt["board_index"], receipt["board_count"]
    if inclusion_root(head_leaf(board), place, count, receipt["boards_path"]) != header["boards_root"]:
        raise Refused(f"the board is not in block {header['height']}")
    for proof in receipt["validator_sets"]:
        if proof["header"]["height"] > header["height"]:
            raise Refused("a change of the validators comes after the block")
        history.extend(proof)
    try:
        found = history.check_header(header, receipt["certificate"])
    except Refused as error:
        raise Refused(f"block {header['height']}: {error}") from None
    validator_set = history.at(header["height"])
    check_acks(receipt, found, history.genesis, validator_set)
    acks, of = len(receipt["acks"]), len(validator_set["validators"])
    return {
        "election_id": entry["election_id"], "position": entry["position"], "voter": text(entry["voter"]),
        "ballot_hash": text(entry["ballot_hash"]), "transaction_id": text(entry["transaction_id"]),
        "height": header["height"], "block_hash": text(found), "acks": acks, "of": of,
        "strength": strength(validator_set["quorum"], acks, of),
    }  # fmt: skip


def check_acks(receipt, found, genesis, validator_set):
    header = receipt["header"]
    keys = [ack["validator"] for ack in receipt["acks"]]
    if any(a >= b for a, b in zip(keys, keys[1:])):
        raise Refused("the acks are out of order")
    known = {validator["public_key"] for validator in validator_set["validators"]}
    for ack in receipt["acks"]:
        about = (ack["height"], ack["block_hash"], ack["state_root"])
        of_this_block = about == (header["height"], found, header["state_root"])
        key = ack["validator"]
        if not (of_this_block and key in known and signed(key, ack_message(genesis, ack), ack["signature"])):
            raise Refused(f"the ack of {text(key)} does not hold")


def strength(quorum, acks, of):
    if quorum == "bft":
        return "holds against Byzantine validators up to a third"
    if acks == of and of >= 3:
        return "holds against one Byzantine validator"
    return "holds against crashed validators only"


def check_nonce(summary, data, nonce):
    """Requires the receipt's ballot to carry the voter's own number."""
    try:
        blob = bytes.fromhex(data.decode().strip().strip('"').removeprefix("0x"))
    except ValueError:
        raise Refused("expected the transaction's bytes as hex, such as `input` of eth_getTransactionByHash") from None
    if text(sha256(blob)) != summary["transaction_id"]:
        raise Refused(f"the file holds transaction {text(sha256(blob))}, the receipt is of {summary['transaction_id']}")
    found = read_transaction(blob)["nonce"]
    if found != nonce:
        raise Refused(f"the receipt's ballot carries the nonce {found}, not {nonce}: it is another voter's ballot")


# --- proofs of elections ---


def check_election_proof(data, genesis, history=None):
    """Requires an election's statement to be a leaf below the state root of a certified block; answers it. A history
    that is given takes up the changes of the validators."""
    proof = ELECTION_PROOF.from_json(parse_json(data.decode()))
    history = history or History(genesis)
    if proof["version"] != 1 or proof["genesis"] != history.genesis:
        raise Refused("the proof is of another version or network")
    root = inclusion_root(leaf_hash(proof["record"]), proof["index"], proof["count"], proof["path"])
    if root is None or state_root(proof["logs"], root) != proof["header"]["state_root"]:
        raise Refused("the election's record is not what the block's state commits to")
    known = 0
    for validator_set in proof["validator_sets"]:
        if validator_set["set"]["from_height"] > known:
            history.extend(validator_set)
            known = max(known, validator_set["set"]["from_height"])
    history.check_header(proof["header"], proof["certificate"])
    statement = STATEMENT.read(Reader(proof["record"]))
    return {"height": proof["header"]["height"], **statement}


# --- results ---


def check_result(data, genesis, proof=None):
    """Requires the attestations of a result to be equal, and those of a quorum of the validators of the block that made
    them one. Where the validators have changed, the proof of an election brings the changes."""
    document = parse_json(data.decode())
    if type(document) is dict and "certificate" in document:
        document = document["certificate"]
    if document is None:
        raise Missing("no quorum of validators has attested a result yet")
    if type(document) is not dict or "proofs" not in document:
        raise NotThat(other_document(document))
    certificate = RESULT_CERTIFICATE.from_json(document)
    attestation, history = certificate["attestation"], History(genesis)
    if proof is not None:
        check_election_proof(proof, genesis, history)
    validator_set = history.at(certificate["height"])
    known = {validator["public_key"] for validator in validator_set["validators"]}
    attesters = set()
    for one in certificate["proofs"]:
        transaction, key = read_transaction(one["transaction"]), one["validator"]
        if (transaction["signer"], transaction["signature"]) != (key, one["signature"]) or key not in known:
            raise Refused(f"{text(key)} is not the validator that signed this attestation")
        if transaction["chain_id"] != genesis["chain_id"] or transaction["payload"].get("attestation") != attestation:
            raise Refused(f"{text(key)} attested something else")
        if not is_signed(transaction):
            raise Refused(f"the attestation of {text(key)} is not signed by it")
        attesters.add(key)
    expected, of = threshold(validator_set["quorum"], len(known)), len(known)
    if len(attesters) < expected:
        raise Refused(f"expected attestations of at least {expected} of {of} validators, got {len(attesters)}")
    return {
        "election_id": attestation["election_id"], "board_root": text(attestation["board_root"]),
        "board_size": attestation["board_size"], "plugins": [text(plugin) for plugin in attestation["plugins"]],
        "outcomes": [text(outcome) for outcome in attestation["outcomes"]], "height": certificate["height"],
        "attested_by": len(attesters), "of": of,
    }  # fmt: skip


# --- exports ---

BLOCK_LINE = Struct(block=BLOB, certificate=CERTIFICATE)
LINES = {
    "genesis": Struct(election_id=U64, genesis=GENESIS),
    "block": BLOCK_LINE,
    "end": Struct(blocks=U64),
}


def read_line(line, number):
    try:
        document = parse_json(line.decode())
        if type(document) is not dict or document.get("line") not in LINES:
            raise Malformed("it is of no known kind")
        kind = document.pop("line")
        return kind, LINES[kind].from_json(document)
    except (Malformed, UnicodeDecodeError) as error:
        raise Refused(f"line {number} is not of an export: {error}") from None


def read_lines(file, first=1):
    for number, line in enumerate(file, first):
        yield read_line(line.removesuffix(b"\n").removesuffix(b"\r"), number)


def check_export(file, genesis, on_block=lambda height: None):
    """Executes an export again from genesis, counts the election, and compares with what validators attested."""
    start = file.readline()
    if b'"line"' not in start and b'"block_bytes_max"' not in start:
        raise NotThat(other_file(start + file.read(1 << 20)))
    kind, first = read_line(start.removesuffix(b"\n").removesuffix(b"\r"), 1)
    lines = read_lines(file, 2)
    if kind != "genesis":
        raise Refused("expected the genesis of a network on the first line")
    if genesis_hash(first["genesis"]) != genesis_hash(genesis):
        raise Refused(f"the export is of network {text(genesis_hash(first['genesis']))}")
    chain = Chain(genesis)
    for kind, line in lines:
        height = chain.height + 1
        if kind == "block":
            try:
                chain.apply(line["block"], line["certificate"])
            except (Refused, Malformed) as error:
                raise Refused(f"block {height} does not hold: {error}") from None
            on_block(height)
        elif kind == "genesis":
            raise Refused("unexpected second genesis line")
        elif line["blocks"] != chain.height:
            raise Refused(f"expected {line['blocks']} blocks, got {chain.height}")
        else:
            break
    else:
        raise Refused(f"the export breaks off before its end, after block {chain.height}; fetch it again")
    if next(lines, None) is not None:
        raise Refused("expected nothing after the end")
    return count(chain, chain.election(first["election_id"]))


def count(chain, election):
    try:
        outcomes = chain.count(election)
    except Malformed as error:
        raise Refused(f"the rule cannot count this board: {error}") from None
    plugins = [contest["plugin"] for contest in election.spec["contests"]]
    counted = {
        "election_id": election.id, "board_root": election.board.root(), "board_size": election.board.size,
        "plugins": plugins, "outcomes": [sha256(outcome) for outcome in outcomes],
    }  # fmt: skip
    certified = None
    if election.result is not None:
        if election.result != counted:
            raise Refused(
                f"the validators certified another result than the ballots and rules give: {difference(election, counted)}"
            )
        validator_set = chain.history.at(election.result_height)
        known = {validator["public_key"] for validator in validator_set["validators"]}
        by = [key for key, a in election.attestations.items() if key in known and a["attestation"] == election.result]
        certified = {"by": len(by), "of": len(known), "height": election.result_height}
    contests = []
    for contest, data in zip(election.spec["contests"], outcomes):
        options = contest["options"]
        outcome = Outcome(data, len(options))
        contests.append({
            "id": contest["id"], "title": contest["title"], "plugin": text(contest["plugin"]),
            "outcome_sha256": text(sha256(data)), "winners": [options[w]["id"] for w in outcome.winners],
            "votes": {o["id"]: votes for o, (votes, _, _) in zip(options, outcome.options)},
            "explanation": outcome.explanation,
        })  # fmt: skip
    return {
        "election_id": election.id, "title": election.spec["title"], "status": election.status(),
        "blocks": chain.height, "signatures": chain.signatures, "ballots": election.board.size,
        "turnout": election.turnout, "board_root": text(election.board.root()), "contests": contests,
        "certified": certified, "dissent": dissent(chain, election),
    }  # fmt: skip


def difference(election, counted):
    for place, (certified, found) in enumerate(zip(election.result["outcomes"], counted["outcomes"])):
        if certified != found:
            return f"outcome {text(certified)} of contest {place + 1}, expected {text(found)}, in block {election.result_height}"
    return "they speak of another board"


def dissent(chain, election):
    """Who attested another outcome than a quorum."""
    if election.result is None:
        return []
    return [text(key) for key, a in sorted(election.attestations.items()) if a["attestation"] != election.result]
