"""A ballot as JSON, in the bytes that its rule is given, and whether a receipt is of it."""

from codec import encode, parse_json
from formats import BALLOTS
from primitives import sha256
from rules import Contest, Missing, Rule, unsigned
from validators import Refused, text


def check(summary, election, ballot, plugins, genesis):
    """Requires the receipt to be of this choice, by the options that the chain commits to."""
    if summary["election_id"] != election["election_id"]:
        raise Refused(f"the receipt is of election {summary['election_id']}, the proof of {election['election_id']}")
    contests, choice = election["election"]["contests"], parse_json(ballot)
    if len(contests) > 1:
        if type(choice) is not dict or choice.keys() != {contest["id"] for contest in contests}:
            raise Refused("expected a ballot for each contest, by its id")
        choices = [choice[contest["id"]] for contest in contests]
    else:
        choices = [choice]
    at_hand = {sha256(wasm): wasm for wasm in plugins}
    data = []
    for contest, one in zip(contests, choices):
        if contest["plugin"] not in at_hand:
            rule = text(contest["plugin"])
            raise Missing(
                f"the receipt holds, but it cannot be said yet which choice it is of: fetch /api/plugins/{rule}/wasm "
                "and name it with --plugin FILE"
            )
        rule = Rule(at_hand[contest["plugin"]], genesis["plugin_limits"])
        configured = Contest(rule, contest)
        data.append(encoded(rule.manifest, contest, configured.parameters, one))
    if text(sha256(encode(BALLOTS, data))) != summary["ballot_hash"]:
        raise Refused("the receipt holds, but it is of another choice: somebody changed the ballot on its way")


def encoded(manifest, contest, parameters, choice):
    """The bytes of a ballot of one contest."""
    numbers = {option["id"]: number for number, option in enumerate(contest["options"])}

    def number(option):
        if type(option) is not str or option not in numbers:
            raise Refused(f"{option!r} is no option of contest {contest['id']!r}")
        return numbers[option]

    def once(found):
        if len(set(found)) != len(found):
            raise Refused("an option stands twice in the ballot")
        return found

    if type(choice) is not dict or len(choice) != 1:
        raise Refused('expected a ballot such as {"choice": "a"}')
    (name, value), kind = next(iter(choice.items())), manifest["ballot"]
    if kind == "choice" and name == "choice":
        return unsigned(number(value))
    if (kind, name) in [("choice", "choices"), ("approval", "approve")] and type(value) is list:
        return b"".join(map(unsigned, sorted(once([number(option) for option in value]))))
    if kind == "ranking" and name == "ranking" and type(value) is list:
        ranks = [rank if type(rank) is list else [rank] for rank in value]
        ranks = [sorted(number(option) for option in rank) for rank in ranks]
        if not all(ranks):
            raise Refused("a rank of the ballot names no option; marks of paper ballots are not read here")
        once([option for rank in ranks for option in rank])
        return b"".join(unsigned(2 * option + (place > 0)) for rank in ranks for place, option in enumerate(rank))
    if kind in ("scores", "votes") and name == kind and type(value) is dict:
        pairs = sorted((number(option), points) for option, points in value.items())
        if all(type(points) is int and 0 <= points < 1 << 64 for _, points in pairs):
            return b"".join(unsigned(o) + unsigned(points) for o, points in pairs if points)
    if kind == "grades" and name == "grades" and type(value) is dict:
        pairs = sorted((number(option), grade) for option, grade in value.items())
        if all(grade in parameters["grades"] for _, grade in pairs):
            return b"".join(unsigned(o) + unsigned(parameters["grades"].index(grade)) for o, grade in pairs)
    raise Refused(f"expected a ballot of the kind {kind}")
