"""Who the validators are at which height, what they certify, and how one who lied is shown."""

from codec import encode
from formats import ACK, CERTIFICATE, SIGNED_PROPOSAL, SIGNED_VOTE, U8, U32, U64, KEY
from formats import ack_message, block_hash, genesis_hash, is_well_formed, precommit_message, proposal_message
from formats import threshold, validators_link, vote_message
from primitives import is_key, sha256, signed

CHANGE_DELAY = 5
VALIDATORS_MAX = 64


class Refused(Exception):
    """Something that does not hold, and why."""


def text(data):
    return "0x" + data.hex()


def check_certificate(certificate, genesis, validator_set):
    """Requires a quorum of the set to have signed: each once, in ascending order of keys, nobody else."""
    keys = [signature["validator"] for signature in certificate["signatures"]]
    if any(a >= b for a, b in zip(keys, keys[1:])):
        raise Refused("certificate: expected signatures in ascending order of validator key, each validator once")
    known = {validator["public_key"] for validator in validator_set["validators"]}
    for signature in certificate["signatures"]:
        key = signature["validator"]
        if key not in known:
            raise Refused(f"certificate: {text(key)} signed, but is not a validator at this height")
        if not signed(key, precommit_message(genesis, certificate, key), signature["signature"]):
            raise Refused(f"certificate: the signature of {text(key)} does not verify")
    expected, of = threshold(validator_set["quorum"], len(known)), len(known)
    if len(keys) < expected:
        raise Refused(f"certificate: expected signatures of at least {expected} of {of} validators, got {len(keys)}")


class History:
    """Every validator set decided so far, from genesis on, with the commitment to each and those before it."""

    def __init__(self, genesis):
        self.genesis = genesis_hash(genesis)
        first = {
            "from_height": 0, "quorum": genesis["quorum"], "validators": genesis["validators"], "addresses": {},
        }  # fmt: skip
        self.sets, self.links = [first], [validators_link(None, first)]

    def at(self, height):
        """The set that decides `height`."""
        return [s for s in self.sets if s["from_height"] <= height][-1]

    def hash(self):
        return self.links[-1]

    def hash_at(self, height):
        """The commitment that the header of `height` has."""
        return [link for s, link in zip(self.sets, self.links) if s["from_height"] <= height + CHANGE_DELAY][-1]

    def push(self, validator_set):
        self.links.append(validators_link(self.links[-1], validator_set))
        self.sets.append(validator_set)

    def decide(self, height, changes):
        """Takes up the changes of a transaction in the block at `height`; several of one block add up."""
        from_height, latest = height + CHANGE_DELAY, self.sets[-1]
        validator_set = changed(latest, changes, from_height)
        if latest["from_height"] == from_height:
            self.sets.pop()
            self.links.pop()
        self.push(validator_set)

    def extend(self, proof):
        """Takes up the change that a proof shows: its header commits to the set, and the set before certified it."""
        header, validator_set = proof["header"], proof["set"]
        height, from_height = header["height"], validator_set["from_height"]
        if from_height != height + CHANGE_DELAY or from_height <= self.sets[-1]["from_height"]:
            raise Refused(f"the change of validators decided at height {height} does not follow the one before")
        keys = [validator["public_key"] for validator in validator_set["validators"]]
        self.push(validator_set)
        if not 1 <= len(keys) <= VALIDATORS_MAX or len(set(keys)) != len(keys) or header["validators"] != self.hash():
            raise Refused(f"the header at height {height} commits to another validator set")
        try:
            self.check_header(header, proof["certificate"])
        except Refused as error:
            raise Refused(f"the change of validators decided at height {height}: {error}") from None

    def check_header(self, header, certificate):
        """Requires a quorum of the validators of its height to have committed the header; answers its hash."""
        if header["genesis"] != self.genesis or not is_well_formed(header):
            raise Refused("the header is of another network or version")
        found = block_hash(header)
        if certificate["height"] != header["height"] or certificate["block_hash"] != found:
            raise Refused("the certificate is of another block")
        committed = header["validators"] or self.links[0]
        if committed != self.hash_at(header["height"]):
            raise Refused("the header commits to other validator sets than those known")
        check_certificate(certificate, self.genesis, self.at(header["height"]))
        return found


def changed(before, changes, from_height):
    """The set that `changes` make of one, one after the other."""
    if not 1 <= len(changes) <= VALIDATORS_MAX:
        raise Refused(f"expected 1 to {VALIDATORS_MAX} changes, got {len(changes)}")
    after = {**before, "validators": list(before["validators"]), "addresses": dict(before["addresses"])}
    for change in changes:
        apply_change(after, change)
    if after == before:
        raise Refused("the validator set would stay as it is")
    was, now = len(before["validators"]), len(after["validators"])
    if now > VALIDATORS_MAX:
        raise Refused(f"expected at most {VALIDATORS_MAX} validators, got {now}")
    if now < was and now < 3:
        raise Refused(f"{now} validators would remain; fewer than three survive no crash")
    if after["quorum"] == "bft" and now < 4 and (now < was or before["quorum"] != "bft"):
        raise Refused(f"quorum bft needs at least four validators, there would be {now}")
    after["from_height"] = from_height
    return after


def apply_change(after, change):
    validators, addresses = after["validators"], after["addresses"]
    if change["kind"] == "set_quorum":
        after["quorum"] = change["quorum"]
        return
    if change["kind"] == "add":
        new = change["validator"]
        name = new["node_id"]
        if not 1 <= len(name) <= 64 or not all("!" <= c <= "~" for c in name):
            raise Refused("expected a node id of 1 to 64 visible ASCII characters")
        if not is_key(new["public_key"]):
            raise Refused(f"the key of {name} is not an ed25519 public key")
        check_address(change["address"])
        if any(v["public_key"] == new["public_key"] or v["node_id"] == name for v in validators):
            raise Refused(f"{name} is a validator already")
        addresses[new["public_key"]] = change["address"]
        validators.append(new)
        return
    key = change["public_key"]
    if all(v["public_key"] != key for v in validators):
        raise Refused(f"{text(key)} is not a validator")
    if change["kind"] == "remove":
        validators[:] = [v for v in validators if v["public_key"] != key]
        addresses.pop(key, None)
    else:
        check_address(change["address"])
        addresses[key] = change["address"]


def check_address(address):
    """A `host:port` and a URL, of at most 300 bytes each."""
    host, colon, port = address["p2p_address"].rpartition(":")
    digits = port[1:] if port.startswith("+") else port
    is_port = digits.isascii() and digits.isdigit() and int(digits) < 1 << 16
    if len(address["p2p_address"].encode()) > 300 or not host or not is_port:
        raise Refused("expected a p2p address host:port")
    url = address["rpc_url"]
    if len(url.encode()) > 300 or not url.startswith(("http://", "https://")):
        raise Refused("expected an rpc_url that starts with http:// or https://")


# --- evidence ---


def evidence_height(evidence):
    first = evidence["first"]
    inner = {"votes": "vote", "proposals": "proposal"}.get(evidence["kind"])
    return (first[inner] if inner else first)["height"]


def evidence_subject(evidence):
    """The name of the fault: evidence of one fault is on the chain once."""
    kind, first, second = evidence["kind"], evidence["first"], evidence["second"]
    out = bytearray()
    if kind == "votes":
        vote = first["vote"]
        parts = [
            (U8, 0),
            (U64, vote["height"]),
            (U32, vote["round"]),
            (U8, ("prevote", "precommit").index(vote["kind"])),
        ]
        parts.append((KEY, vote["validator"]))
    elif kind == "proposals":
        proposal = first["proposal"]
        parts = [(U8, 1), (U64, proposal["height"]), (U32, proposal["round"]), (KEY, proposal["proposer"])]
    elif kind == "acks":
        parts = [(U8, 2), (U64, first["height"]), (KEY, first["validator"]), (KEY, second["validator"])]
    else:
        parts = [(U8, 3), (U64, first["height"])]
    for type_, value in parts:
        type_.write(out, value)
    return sha256(b"tabella/evidence/v1", out)


def check_evidence(evidence, history):
    """Requires two statements of validators of one height that contradict each other, in the order of their bytes."""
    genesis, validator_set = history.genesis, history.at(evidence_height(evidence))
    known = {validator["public_key"] for validator in validator_set["validators"]}
    kind, both = evidence["kind"], (evidence["first"], evidence["second"])
    first, second = both

    def require(holds, key):
        if key not in known:
            raise Refused(f"evidence: {text(key)} was not a validator at that height")
        if not holds:
            raise Refused(f"evidence: the signature of {text(key)} does not verify")

    if kind == "votes":
        type_, (a, b) = SIGNED_VOTE, (first["vote"], second["vote"])
        require(True, a["validator"])
        for one in both:
            if not signed(one["vote"]["validator"], vote_message(genesis, one["vote"]), one["signature"]):
                raise Refused("evidence: a vote's signature does not verify")
        contradicts = {**a, "value": None} == {**b, "value": None} and a["value"] != b["value"]
    elif kind == "proposals":
        type_, (a, b) = SIGNED_PROPOSAL, (first["proposal"], second["proposal"])
        require(True, a["proposer"])
        for one in both:
            message = proposal_message(genesis, one["proposal"])
            if not signed(one["proposal"]["proposer"], message, one["signature"]):
                raise Refused("evidence: a proposal's signature does not verify")
        same = all(a[name] == b[name] for name in ("height", "round", "proposer"))
        contradicts = same and (a["value"], a["valid_round"]) != (b["value"], b["valid_round"])
    elif kind == "acks":
        type_ = ACK
        for ack in both:
            require(signed(ack["validator"], ack_message(genesis, ack), ack["signature"]), ack["validator"])
        said = [(ack["block_hash"], ack["state_root"]) for ack in both]
        contradicts = first["height"] == second["height"] and said[0] != said[1]
    else:
        type_ = CERTIFICATE
        for certificate in both:
            check_certificate(certificate, genesis, validator_set)
        contradicts = first["height"] == second["height"] and first["block_hash"] != second["block_hash"]
    if not contradicts:
        raise Refused("evidence: the statements do not contradict each other")
    if encode(type_, first) > encode(type_, second):
        raise Refused("evidence: the statements are not in canonical order")
