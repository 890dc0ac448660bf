"""What a count needs and what comes of it, in plain Python values."""

from dataclasses import dataclass


@dataclass
class Contest:
    """Options in the paper's order, the rule's parameters, and weighted ballots.

    A ballot is a list of sets (ranking, best first), a list (choice), a set (approvals) or a
    dict (scores, votes, grades).
    """

    options: list
    params: dict
    ballots: list  # of (weight, ballot)

    def total(self):
        """All ballots by weight, blank ones too."""
        return sum(weight for weight, _ in self.ballots)


@dataclass
class Outcome:
    """The parts of an answer that are compared; `None` where an oracle does not tell."""

    winners: list
    votes: dict = None
    seats: dict = None
    rounds: list = None  # of (totals, elected, eliminated)
    quota: object = None
    ties: list = None  # of frozensets, those that a lot decides
    pairwise: list = None
    in_order: bool = True
    complete: bool = True  # False where not every way to decide the ties was followed


def sums(contest, points):
    """By option, the weighted sum of `points(ballot)`, a dict, over all ballots."""
    totals = dict.fromkeys(contest.options, 0)
    for weight, ballot in contest.ballots:
        for option, value in points(ballot).items():
            totals[option] += weight * value
    return totals


def best(options, value):
    """The options with the highest value, in their order."""
    options = list(options)
    highest = max((value(option) for option in options), default=None)
    return [option for option in options if value(option) == highest]
