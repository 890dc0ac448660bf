"""Computes docs/vectors/seal-v1.json again, and verifies every proof in it: `python3 check.py VECTORS`."""

import json
import sys
from itertools import combinations

import sealed
from ristretto import BASE, IDENTITY, ORDER, Point, scalar

CHANGES = 40


def require(holds, what):
    if not holds:
        sys.exit(f"{what}: expected what docs/sealed.md says, got something else")


def refused(check):
    try:
        return not check()
    except ValueError:
        return True


def of_hex(items):
    return [bytes.fromhex(item) for item in items]


def check_points(points):
    for number, data in enumerate(of_hex(points["multiples"])):
        require((number * BASE).encode() == data, f"{number} times the generator")
        require(number * BASE == Point.decode(data), f"{number} times the generator, read")
    for data in of_hex(points["bad"]):
        require(refused(lambda: Point.decode(data)), f"bad encoding {data.hex()}")


def check_forms(vectors):
    for of in vectors["digits"]:
        require(sealed.digits(of["max"]) == of["digits"], f"digits of {of['max']}")
    forms = []
    for number, of in enumerate(vectors["forms"]):
        form = sealed.Form(of["options"], of["shape"])
        require(form.encode().hex() == of["bytes"], f"form {number}")
        bits = form.bits(bytes.fromhex(of["ballot"]))
        require("".join(map(str, bits)) == of["bits"], f"slots of the ballot of form {number}")
        forms.append(form)
    return forms


def check_ceremony(of):
    context, threshold, seeds = bytes.fromhex(of["context"]), of["threshold"], of_hex(of["seeds"])
    count = len(seeds)
    trustees = [sealed.Trustee(seed, context, index, threshold, count) for index, seed in enumerate(seeds, 1)]
    fields = ("encryption_key", "pok", "coefficients")
    commits = [tuple(bytes.fromhex(commit[field]) for field in fields) for commit in of["commits"]]
    deals = [(of_hex(deal["coefficients"]), bytes.fromhex(deal["pok"]), of_hex(deal["shares"])) for deal in of["deals"]]
    for trustee, commit, deal in zip(trustees, commits, deals):
        i = trustee.index
        require(trustee.commit() == commit, f"commit of trustee {i}")
        require(trustee.deal([key for key, _, _ in commits]) == deal, f"deal of trustee {i}")
        require(sealed.knows("tabella/seal/pok-encryption/v1", context, i, commit[0], commit[1]), f"encryption key {i}")
        require(sealed.knows("tabella/seal/pok/v1", context, i, deal[0][0], deal[1]), f"part of the key {i}")
        for other in trustees:
            share = deal[2][other.index - 1]
            shared = other.decryption * Point.decode(share[:32])
            holds = sealed.on_polynomial(context, i, other.index, share, shared, deal[0])
            require(holds, f"share from {i} for {other.index}")
    key = sealed.total(Point.decode(deal[0][0]) for deal in deals)
    require(key.encode().hex() == of["key"], "key")
    require(sealed.ceremony_hash(context, commits, deals).hex() == of["hash"], "hash of the ceremony")
    secrets = []
    for index in range(1, count + 1):
        secrets.append(sum(trustee.value(index) for trustee in trustees) % ORDER)
        public = sealed.total(sealed.value_at(deal[0], index) for deal in deals)
        require(public.encode().hex() == of["share_keys"][index - 1], f"share key {index}")
        require(secrets[-1] * BASE == public, f"share {index}")
    check_dispute(of["dispute"], context, trustees, commits, deals)
    return key.encode(), secrets


def check_dispute(of, context, trustees, commits, deals):
    dealer, index = of["dealer"], of["trustee"]
    share, shared, proof = (bytes.fromhex(of[field]) for field in ("share", "shared", "proof"))
    require(trustees[index - 1].dispute(dealer, share) == (shared, proof), "dispute")
    public, base, image = (Point.decode(data) for data in (commits[index - 1][0], share[:32], shared))
    about = context + sealed.u32(dealer) + sealed.u32(index)
    require(sealed.equal("tabella/seal/dispute/v1", about, public, base, image, proof), "proof of the dispute")
    coefficients, _, shares = deals[dealer - 1]
    require(not sealed.on_polynomial(context, dealer, index, share, image, coefficients), "disputed share")
    require(sealed.on_polynomial(context, dealer, index, shares[index - 1], image, coefficients), "undisputed share")


def check_contests(contests, forms, key):
    for number, of in enumerate(contests):
        form, data = forms[of["form"]], bytes.fromhex(of["bytes"])
        context, seed = bytes.fromhex(of["context"]), bytes.fromhex(of["seed"])
        bits = form.bits(bytes.fromhex(of["ballot"]))
        require(sealed.seal(form, key, context, bits, seed) == data, f"bytes of contest {number}")
        require(sealed.verify(form, key, context, data), f"proofs of contest {number}")
    form, data = forms[contests[0]["form"]], bytes.fromhex(contests[0]["bytes"])
    context = bytes.fromhex(contests[0]["context"])
    require(not sealed.verify(form, key, bytes(32), data), "a foreign context")
    for change in range(CHANGES):
        at = change * len(data) // CHANGES
        changed = data[:at] + bytes([data[at] ^ (1 << change % 8)]) + data[at + 1:]
        require(refused(lambda: sealed.verify(form, key, context, changed)), f"contest with byte {at} changed")


def check_opening(of, contests, forms, vectors, secrets):
    form = forms[contests[of["contests"][0]]["form"]]
    sums = [(IDENTITY, IDENTITY) for _ in form.slots]
    for number in of["contests"]:
        pairs = sealed.pairs_of(form, bytes.fromhex(contests[number]["bytes"]))
        weight = contests[number]["weight"]
        sums = [(a + weight * alpha, b + weight * beta) for (a, b), (alpha, beta) in zip(sums, pairs)]
    summed = [(counter, k, pair) for (counter, k), pair in zip(form.slots, sums) if counter is not None]
    require([(a.encode() + b.encode()).hex() for _, _, (a, b) in summed] == of["sums"], "sums")
    counters = [
        [sealed.total(k * pair[half] for at, k, pair in summed if at == counter) for half in (0, 1)]
        for counter in range(form.counters)
    ]
    require([(a.encode() + b.encode()).hex() for a, b in counters] == of["counters"], "counters")
    alphas, factors = [alpha for alpha, _ in counters], []
    for index, opening in enumerate(of["openings"], 1):
        context, proof = bytes.fromhex(opening["context"]), bytes.fromhex(opening["proof"])
        points = [Point.decode(data) for data in of_hex(opening["factors"])]
        own, own_proof = sealed.open_totals(secrets[index - 1], index, context, alphas)
        require([point.encode() for point in own] == of_hex(opening["factors"]), f"factors of trustee {index}")
        require(own_proof == proof, f"proof of trustee {index}")
        public = Point.decode(bytes.fromhex(vectors["ceremony"]["share_keys"][index - 1]))
        require(sealed.opening_holds(public, context, alphas, points, proof), f"opening of trustee {index}")
        moved = [points[0] + BASE, *points[1:]]
        require(not sealed.opening_holds(public, context, alphas, moved, proof), f"moved factor of trustee {index}")
        factors.append(points)
    for indices in combinations(range(1, len(factors) + 1), vectors["ceremony"]["threshold"]):
        weights = sealed.lagrange(indices)
        for number, (value, (_, beta)) in enumerate(zip(of["totals"], counters)):
            factor = sealed.total(weight * factors[j - 1][number] for weight, j in zip(weights, indices))
            require(beta - factor == value * BASE, f"total {number} by trustees {indices}")


def main():
    if len(sys.argv) != 2:
        sys.exit("expected one argument, the path of seal-v1.json")
    with open(sys.argv[1], encoding="utf-8") as file:
        vectors = json.load(file)
    require(refused(lambda: scalar(ORDER.to_bytes(32, "little"))), "a scalar that is the order")
    check_points(vectors["points"])
    forms = check_forms(vectors)
    key, secrets = check_ceremony(vectors["ceremony"])
    check_contests(vectors["contests"], forms, key)
    check_opening(vectors["opening"], vectors["contests"], forms, vectors, secrets)
    print(f"all holds: {len(forms)} forms, {len(vectors['contests'])} contests, {CHANGES} changed contests refused")


if __name__ == "__main__":
    main()
