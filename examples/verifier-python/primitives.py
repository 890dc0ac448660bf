"""Hashes, ed25519 signatures as Tabella judges them, and RFC 6962 Merkle logs."""

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


# --- ed25519: RFC 8032, without the cofactor, and no point of small order ("verify_strict") ---

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER_8 = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")


def y_of(encoded):
    """The y coordinate that 32 bytes say; its top bit is the sign of x. A y of P or more is reduced."""
    return (int.from_bytes(encoded, "little") & (2**255 - 1)) % P


# The points whose order divides 8 are those with one of these y, and no others.
SMALL_ORDER_Y = {0, 1, P - 1, y_of(ORDER_8), P - y_of(ORDER_8)}


def is_canonical(encoded):
    """Whether the y of 32 bytes is below P, so that the point has no second spelling."""
    return len(encoded) == 32 and int.from_bytes(encoded, "little") & (2**255 - 1) < P


def is_point(encoded):
    """Whether these 32 bytes say a point of the curve: x^2 = (y^2 - 1) / (d y^2 + 1) has a root."""
    y2 = pow(y_of(encoded), 2, P)
    x2 = (y2 - 1) * pow(D * y2 + 1, P - 2, P) % P
    return x2 == 0 or pow(x2, (P - 1) // 2, P) == 1


@lru_cache(maxsize=4096)
def is_key(key):
    """Whether these 32 bytes are a usable key: a point of the curve that is not of small order."""
    return is_canonical(key) and y_of(key) not in SMALL_ORDER_Y and is_point(key)


@lru_cache(maxsize=1 << 16)
def signed(key, message, signature):
    """Whether `signature` is `key`'s of `message`.

    OpenSSL refuses an s that is not below the group's order, and compares R byte by byte with the point that it computes,
    so that a second spelling of R or s is refused. It takes keys and R of small order and second spellings of keys, which
    are refused here.
    """
    if not is_canonical(key) or y_of(key) in SMALL_ORDER_Y or y_of(signature[:32]) in SMALL_ORDER_Y:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# --- Merkle logs: RFC 6962 ---


def leaf_hash(data):
    return sha256(b"\x00", data)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


class Log:
    """A log that only grows: its size, and the roots of its perfect subtrees, largest first (the peaks)."""

    def __init__(self):
        self.size = 0
        self.peaks = []

    def push(self, leaf):
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.peaks.pop(), node)
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha256(b"")
        root = self.peaks[-1]
        for left in reversed(self.peaks[:-1]):
            root = node_hash(left, root)
        return root


def merkle_root(leaves):
    log = Log()
    for leaf in leaves:
        log.push(leaf)
    return log.root()


def inclusion_root(leaf, position, size, path):
    """The root that `path` leads to from `leaf` at `position` of `size` leaves; None where no such tree has this path
    (RFC 9162, section 2.1.3.2)."""
    if position >= size:
        return None
    node, last, found = position, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            found = node_hash(sibling, found)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            found = node_hash(found, sibling)
        node >>= 1
        last >>= 1
    return found if last == 0 else None


def is_consistent(old, new, path, old_root, new_root):
    """Whether `path` proves that the log of `new` leaves begins with that of `old` (RFC 9162, section 2.1.4.2)."""
    if old == 0 or old > new:
        return False
    if old == new:
        return not path and old_root == new_root
    hashes = ([old_root] if old & (old - 1) == 0 else []) + list(path)
    if not hashes:
        return False
    node, last = old - 1, new - 1
    while node & 1:
        node >>= 1
        last >>= 1
    from_old = from_new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            from_old, from_new = node_hash(sibling, from_old), node_hash(sibling, from_new)
            while not node & 1 and node:
                node >>= 1
                last >>= 1
        else:
            from_new = node_hash(from_new, sibling)
        node >>= 1
        last >>= 1
    return last == 0 and from_old == old_root and from_new == new_root
