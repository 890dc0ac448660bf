"""Sealed ballots as docs/sealed.md describes them: what is computed from seeds, and what anybody checks."""

import hashlib
from math import isqrt

from ristretto import BASE, IDENTITY, ORDER, Point, scalar


def u16(number):
    return number.to_bytes(2, "little")


def u32(number):
    return number.to_bytes(4, "little")


def u64(number):
    return number.to_bytes(8, "little")


def wide(tag, *fields):
    return hashlib.sha512(tag.encode() + b"".join(fields)).digest()


def challenge(tag, *fields):
    return int.from_bytes(wide(tag, *fields), "little") % ORDER


def short(tag, *fields):
    return hashlib.sha256(tag.encode() + b"".join(fields)).digest()


def secret(k, label, number, message=b""):
    name = u32(len(label)) + label.encode()
    return challenge("tabella/seal/nonce/v1", k, name, u32(number), message)


def encode(number):
    return (number % ORDER).to_bytes(32, "little")


def total(points):
    return sum(points, IDENTITY)


# Forms


def digits(most):
    return [(most + 2**k) >> (k + 1) for k in range(most.bit_length())]


def digits_of(value, coefficients):
    bits = []
    for coefficient in coefficients:
        bits.append(int(value >= coefficient))
        value -= bits[-1] * coefficient
    if value != 0:
        raise ValueError("a value is out of bounds")
    return bits


class Form:
    """Counters, slots as (counter or None, coefficient), ranges as (terms, total)."""

    def __init__(self, options, shape):
        self.options, self.shape, self.slots, self.ranges = options, shape, [], []
        self.counters = options
        bounds = getattr(self, shape["as"])()
        for terms, low, high in bounds:
            for coefficient in digits(high - low):
                terms.append((len(self.slots), coefficient))
                self.slots.append((None, 0))
            self.ranges.append((terms, high))

    def add(self, counter, coefficient):
        self.slots.append((counter, coefficient))
        return len(self.slots) - 1

    def weighed(self, coefficients):
        slots = [(option, k) for option in range(self.options) for k in coefficients]
        terms = [(self.add(option, k), k) for option, k in slots]
        declared = self.shape["sum"]
        if declared is None:
            return []
        low, reach = declared["min"], sum(k for _, k in terms)
        high = min(declared["max"], reach)
        if declared["blank"] == "Counted":
            terms.append((self.add(self.options, 1), high))
            self.counters += 1
            low = 1
        elif low == 0 and declared["max"] >= reach:
            return []
        return [(terms, low, high)]

    def marks(self):
        return self.weighed([1])

    def values(self):
        return self.weighed(digits(self.shape["max"]))

    def squares(self):
        credits = self.shape["credits"]
        votes = [(option, vote) for option in range(self.options) for vote in range(1, isqrt(credits) + 1)]
        return [([(self.add(option, 1), 2 * vote - 1) for option, vote in votes], 0, credits)]

    def grades(self):
        row, bounds = self.shape["grades"] - 1, []
        self.counters = self.options * row
        for option in range(self.options):
            terms = [(self.add(option * row + grade, 1), 1) for grade in range(row)]
            if row > 1:
                bounds.append((terms, 0, 1))
        return bounds

    def encode(self):
        data = u32(self.counters) + u16(len(self.slots))
        for counter, coefficient in self.slots:
            data += u32(2**32 - 1 if counter is None else counter) + u64(coefficient)
        data += u16(len(self.ranges))
        for terms, high in self.ranges:
            data += u16(len(terms)) + b"".join(u32(slot) + u64(k) for slot, k in terms) + u64(high)
        return data

    def bits(self, ballot):
        """The slots of a plain ballot, whose numbers are below 128 in the vectors: a byte each."""
        kind, numbers = self.shape["as"], list(ballot)
        if kind == "marks":
            bits = [int(option in numbers) for option in range(self.options)]
        else:
            pairs = dict(zip(numbers[::2], numbers[1::2]))
            given = [pairs.get(option, 0) for option in range(self.options)]
            if kind == "values":
                bits = [bit for value in given for bit in digits_of(value, digits(self.shape["max"]))]
            elif kind == "squares":
                most = isqrt(self.shape["credits"])
                bits = [int(vote < value) for value in given for vote in range(most)]
            else:
                row = self.shape["grades"] - 1
                bits = [int(grade + 1 == value) for value in given for grade in range(row)]
        if self.shape.get("sum") and self.shape["sum"]["blank"] == "Counted":
            bits.append(int(not any(bits)))
        for terms, high in self.ranges:
            known = [(slot, k) for slot, k in terms if slot < len(bits)]
            left = high - sum(k * bits[slot] for slot, k in known)
            bits += digits_of(left, [k for _, k in terms[len(known):]])
        return bits


# Contests


def slots_challenge(context, key, count, statement):
    return challenge("tabella/seal/slots/v1", context, key, u32(count), statement)


def seal(form, key, context, bits, seed):
    y, count = Point.decode(key), len(bits)
    k = wide("tabella/seal/seed/v1", seed, context, key, short("tabella/seal/form/v1", form.encode()), bytes(bits))[:32]
    r = [secret(k, "r", slot) for slot in range(count)]
    for terms, _ in form.ranges:
        r[terms[-1][0]] = -sum(coefficient * r[slot] for slot, coefficient in terms[:-1]) % ORDER
    nonces = [[secret(k, label, slot) for label in ("b", "w", "t")] for slot in range(count)]
    pairs, commitments, answers = b"", b"", b""
    for slot, bit in enumerate(bits):
        alpha, beta = r[slot] * BASE, r[slot] * y + bit * BASE
        wb, wr, wt = nonces[slot]
        points = [wr * BASE, wr * y + wb * BASE, wb * alpha + wt * BASE, wb * beta + wt * y]
        pairs += alpha.encode() + beta.encode()
        commitments += b"".join(point.encode() for point in points)
    c = slots_challenge(context, key, count, pairs + commitments)
    for slot, bit in enumerate(bits):
        wb, wr, wt = nonces[slot]
        answers += encode(wb + c * bit) + encode(wr + c * r[slot]) + encode(wt + c * r[slot] * (1 - bit))
    return pairs + commitments + answers


def chunks(data, size):
    return [data[at:at + size] for at in range(0, len(data), size)]


def pairs_of(form, data):
    return [[Point.decode(half) for half in chunks(pair, 32)] for pair in chunks(data[:64 * len(form.slots)], 64)]


def verify(form, key, context, data):
    """Whether a sealed contest holds; an error where it cannot be read."""
    count = len(form.slots)
    if len(data) != 288 * count:
        raise ValueError("a contest has not the bytes of its form")
    y, pairs = Point.decode(key), pairs_of(form, data)
    c = slots_challenge(context, key, count, data[:192 * count])
    commitments = chunks(data[64 * count:192 * count], 128)
    for (alpha, beta), points, answers in zip(pairs, commitments, chunks(data[192 * count:], 96)):
        t1, t2, t3, t4 = [Point.decode(point) for point in chunks(points, 32)]
        zb, zr, zt = [scalar(answer) for answer in chunks(answers, 32)]
        holds = (
            alpha != IDENTITY
            and zr * BASE == t1 + c * alpha
            and zr * y + zb * BASE == t2 + c * beta
            and (zb - c) * alpha + zt * BASE == t3
            and (zb - c) * beta + zt * y == t4
        )
        if not holds:
            return False
    return all(
        total(k * pairs[slot][0] for slot, k in terms) == IDENTITY
        and total(k * pairs[slot][1] for slot, k in terms) == high * BASE
        for terms, high in form.ranges
    )


# Ceremony and opening


def prove_knowledge(tag, context, index, x, nonce):
    public, commitment = (x * BASE).encode(), (nonce * BASE).encode()
    return commitment + encode(nonce + challenge(tag, context, u32(index), public, commitment) * x)


def knows(tag, context, index, public, proof):
    c = challenge(tag, context, u32(index), public, proof[:32])
    return (scalar(proof[32:]) * BASE - c * Point.decode(public)).encode() == proof[:32]


def equality_challenge(tag, context, points):
    return challenge(tag, context, *(point.encode() for point in points))


def prove_equality(tag, context, x, base, nonce):
    points = [x * BASE, base, x * base, nonce * BASE, nonce * base]
    c = equality_challenge(tag, context, points)
    return encode(c) + encode(nonce + c * x)


def equal(tag, context, public, base, image, proof):
    c, z = scalar(proof[:32]), scalar(proof[32:])
    points = [public, base, image, z * BASE - c * public, z * base - c * image]
    return equality_challenge(tag, context, points) == c


class Trustee:
    """A trustee of a ceremony, from its seed."""

    def __init__(self, seed, context, index, threshold, trustees):
        self.context, self.index = context, index
        numbers = u32(index) + u32(threshold) + u32(trustees)
        self.k = wide("tabella/seal/trustee/v1", seed, context, numbers)[:32]
        self.decryption = secret(self.k, "encryption", 0)
        self.polynomial = [secret(self.k, "coefficient", m) for m in range(threshold)]
        self.coefficients = [(a * BASE).encode() for a in self.polynomial]

    def commit(self):
        nonce = secret(self.k, "encryption-proof", 0)
        of_coefficients = self.context + u32(self.index) + b"".join(self.coefficients)
        return (
            (self.decryption * BASE).encode(),
            prove_knowledge("tabella/seal/pok-encryption/v1", self.context, self.index, self.decryption, nonce),
            short("tabella/seal/coefficients/v1", of_coefficients),
        )

    def value(self, at):
        return sum(a * at**m for m, a in enumerate(self.polynomial)) % ORDER

    def deal(self, encryption_keys):
        shares = []
        for at, key in enumerate(encryption_keys, 1):
            e = secret(self.k, "ephemeral", at)
            point = (e * BASE).encode()
            shares.append(point + masked(self.context, self.index, at, point, e * Point.decode(key), encode(self.value(at))))
        nonce = secret(self.k, "key-proof", 0)
        proof = prove_knowledge("tabella/seal/pok/v1", self.context, self.index, self.polynomial[0], nonce)
        return self.coefficients, proof, shares

    def dispute(self, dealer, share):
        base = Point.decode(share[:32])
        shared = self.decryption * base
        context = self.context + u32(dealer) + u32(self.index)
        message = hashlib.sha512(context + share + shared.encode()).digest()
        nonce = secret(self.k, "dispute", dealer, message)
        proof = prove_equality("tabella/seal/dispute/v1", context, self.decryption, base, nonce)
        return shared.encode(), proof


def masked(context, dealer, index, point, shared, share):
    pad = wide("tabella/seal/pad/v1", context, u32(dealer), u32(index), point, shared.encode())[:32]
    return bytes(a ^ b for a, b in zip(pad, share))


def value_at(coefficients, index):
    return total(index**m * Point.decode(point) for m, point in enumerate(coefficients))


def on_polynomial(context, dealer, index, share, shared, coefficients):
    """Whether what `shared` unmasks is the dealer's share for this trustee."""
    value = masked(context, dealer, index, share[:32], shared, share[32:])
    try:
        return scalar(value) * BASE == value_at(coefficients, index)
    except ValueError:
        return False


def ceremony_hash(context, commits, deals):
    data = context + u32(len(commits)) + b"".join(b"".join(commit) for commit in commits) + u32(len(deals))
    for coefficients, proof, shares in deals:
        data += u32(len(coefficients)) + b"".join(coefficients) + proof + u32(len(shares)) + b"".join(shares)
    return short("tabella/seal/key/v1", data)


def composite(context, public, alphas, factors):
    encoded = [point.encode() for point in [*alphas, *factors]]
    u = wide("tabella/seal/composite/v1", context, public.encode(), u32(len(alphas)), *encoded)
    d = [challenge("tabella/seal/composite/v1", u, u32(number)) for number in range(len(alphas))]
    base = total(of * alpha for of, alpha in zip(d, alphas))
    return u, base, total(of * factor for of, factor in zip(d, factors))


def open_totals(x, index, context, alphas):
    factors = [x * alpha for alpha in alphas]
    u, base, _ = composite(context, x * BASE, alphas, factors)
    nonce = secret(encode(x), "opening", index, u)
    return factors, prove_equality("tabella/seal/factors/v1", context, x, base, nonce)


def opening_holds(public, context, alphas, factors, proof):
    _, base, image = composite(context, public, alphas, factors)
    return equal("tabella/seal/factors/v1", context, public, base, image, proof)


def lagrange(indices):
    weights = []
    for j in indices:
        weight = 1
        for i in indices:
            if i != j:
                weight = weight * i * pow(i - j, -1, ORDER) % ORDER
        weights.append(weight)
    return weights
