"""Compares the built-in rules with the oracles of this folder, and with packages from PyPI.

Exits with 1 where anything differs.
"""

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from random import Random

import committees
import grades
import lists
import marks
import packages
import pairwise
import profiles
import referendum
import runoff
import scores
import transferable
from abi import Modules
from contest import Contest
from reference import Droop
from tabella import CommandLine, blt, number
from ties import seed_order

ORACLES = {
    "plurality": marks.marked,
    "approval": marks.marked,
    "score": marks.added,
    "star": scores.star,
    "borda": marks.borda,
    "instant-runoff": runoff.instant_runoff,
    "stv": transferable.stv,
    "schulze": pairwise.schulze,
    "ranked-pairs": pairwise.ranked_pairs,
    "minimax": pairwise.minimax,
    "copeland": pairwise.copeland,
    "bucklin": marks.bucklin,
    "majority-judgment": grades.majority_judgment,
    "cumulative": marks.added,
    "quadratic": marks.added,
    "party-list": lists.party_list,
    "budgeting": committees.budgeting,
    "committee": committees.committee,
    "referendum": referendum.referendum,
}


def differences(contest, oracle, answer, tie_break):
    """What an oracle and an answer differ in, as lines."""
    found = []

    def compare(what, expected, got):
        if expected is not None and expected != got:
            found.append(f"{what}: expected {expected}, got {got}")

    decider = tie_break.split(":")[0]
    if oracle.complete:
        in_order = list if oracle.in_order else set
        compare("winners", in_order(oracle.winners), in_order(answer["winners"]))
    if oracle.ties is not None:
        ties = [frozenset(tie["options"]) for tie in answer["ties"] if tie["decided_by"] == decider]
        compare("ties", list(map(sorted, oracle.ties)), list(map(sorted, ties)))
    options = {option["id"]: option for option in answer["options"]}
    compare("elected", set(answer["winners"]), {o for o in options if options[o]["elected"]})
    compare("votes", oracle.votes, {o: number(options[o]["votes"]) for o in contest.options})
    compare("seats", oracle.seats, {o: options[o]["seats"] for o in contest.options})
    compare("rounds", oracle.rounds, rounds(answer))
    compare("quota", oracle.quota, number(answer["quota"]))
    compare("pairwise", oracle.pairwise, pairwise_rows(contest, answer))
    return found


def rounds(answer):
    return [
        ({option: number(votes) for option, votes in each["totals"].items()},
         each["elected"], each["eliminated"])
        for each in answer["rounds"]
    ]


def pairwise_rows(contest, answer):
    """The comparisons as rows of numbers; the command line names the options."""
    table = answer.get("pairwise") or []
    if isinstance(table, list):
        return table
    return [[table[one].get(other, 0) for other in contest.options] for one in contest.options]


def comparable(expected, answer):
    """The part of an answer that a package tells: seats, or who wins."""
    if isinstance(expected, dict):
        return {option["id"]: option["seats"] for option in answer["options"]}
    return set(answer["winners"])


def tie_break(contest, random):
    """A way to decide ties and the order that it gives; none where they are only reported."""
    order = random.sample(contest.options, len(contest.options))
    seed = random.randbytes(random.choice([1, 32])).hex()
    return random.choice([
        ("report", None),
        ("order:" + ",".join(order), order),
        ("seed:" + seed, seed_order(seed, contest.options)),
    ])


def withdraw(contest, random):
    """Options that withdraw, one at least staying, and the contest without them."""
    gone = random.sample(contest.options, random.randrange(min(3, len(contest.options))))
    left = [option for option in contest.options if option not in gone]
    ballots = [
        (weight, [rank for rank in (set(rank) - set(gone) for rank in ballot) if rank])
        for weight, ballot in contest.ballots
    ]
    return gone, Contest(left, contest.params, ballots)


class Comparison:
    """Counts agreements, and prints what differs."""

    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.modules = Modules(arguments.binary)
        self.command_line = CommandLine(arguments.binary, folder)
        self.droop = Droop(arguments.droop) if arguments.droop else None
        self.agreed, self.differed = Counter(), Counter()

    def run(self, rule):
        for profile in range(self.arguments.profiles):
            random = Random(f"{self.arguments.seed} {rule} {profile}")
            contest = profiles.contest(rule, random)
            method, order = tie_break(contest, random)
            for how, counted, answer in self.answers(rule, contest, method, order, random):
                self.judge(rule, profile, how, counted, answer, method, order)

    def answers(self, rule, contest, method, order, random):
        """The contest that was counted, and the answer, by each way to ask."""
        through = self.arguments.through
        if through == "modules":
            answer = self.modules.count(rule, contest, method, order or contest.options)
            yield "module", contest, answer
        if through in ("json", "both"):
            yield "JSON lines", contest, self.command_line.count(rule, contest, method)
        if through in ("blt", "both") and profiles.RULES[rule][0] == "ranking":
            gone, left = withdraw(contest, random)
            text = blt(contest, contest.params.get("seats", 1), gone)
            yield "BLT", left, self.command_line.count(rule, contest, method, text)

    def judge(self, rule, profile, how, contest, answer, method, order):
        """Compares with this folder's oracle, and with each package that counts such a contest."""
        place = f"{rule} {shown(contest.params)}"
        oracle = ORACLES[rule](contest, order)
        if oracle is not None:
            found = differences(contest, oracle, answer, method)
            self.note(place, "own", found, profile, how, contest, method)
        for name, expected in self.others(rule, contest, answer, order):
            got = comparable(expected, answer)
            found = [] if got == expected else [f"expected {expected}, got {got}"]
            self.note(place, name, found, profile, how, contest, method)

    def others(self, rule, contest, answer, order):
        """What packages answer that report ties or have none to decide, and droop by the order."""
        if order is None or not answer["ties"]:
            yield from packages.answers(rule, contest, bool(answer["ties"]))
        if self.droop and rule == "stv" and (order or not answer["ties"]):
            expected = self.droop.winners(contest, order or contest.options)
            if expected is not None:
                yield "droop", expected

    def note(self, place, name, found, profile, how, contest, method):
        self.agreed[place, name] += not found
        self.differed[place, name] += bool(found)
        if found and self.differed[place, name] <= self.arguments.show:
            print(f"\n{place}, {name}, profile {profile}, {how}, {method}")
            print(f"  options {contest.options}, {contest.params}")
            print(f"  ballots {contest.ballots}")
            print("\n".join(f"  {line}" for line in found))

    def report(self):
        print(f"\n{'agreed':>7} {'differed':>8}  with        rule")
        for place, name in sorted(self.agreed):
            counts = self.agreed[place, name], self.differed[place, name]
            print(f"{counts[0]:7} {counts[1]:8}  {name:11} {place}")


def shown(params):
    """The parameters that choose how to count."""
    hidden = ("costs", "budget", "roll", "credits", "grades", "places", "seats", "max")
    return " ".join(f"{name}={value}" for name, value in params.items() if name not in hidden)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="the built `tabella`")
    parser.add_argument("--rule", action="append", choices=ORACLES, help="by default all")
    parser.add_argument("--droop", help="a clone of jklundell/droop, to compare with it as well")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--profiles", type=int, default=200, help="for each rule")
    parser.add_argument("--through", choices=["modules", "json", "blt", "both"], default="modules")
    parser.add_argument("--show", type=int, default=1, help="differences to print of each kind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(arguments, Path(folder))
        for rule in arguments.rule or ORACLES:
            comparison.run(rule)
    comparison.report()
    sys.exit(any(comparison.differed.values()))


if __name__ == "__main__":
    main()
