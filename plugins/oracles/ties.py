"""Who decides ties: a declared order, lots from a seed, or nobody."""

import hashlib

from contest import Outcome

WAYS_MAX = 3000


class Order:
    """Decides by an order of all options: the earlier wins."""

    def __init__(self, order):
        self.order = order
        self.ties = []

    def note(self, tied):
        self.ties.append(frozenset(tied))

    def winner(self, tied):
        """The tied option that wins."""
        return self.winners(tied, 1)[0]

    def loser(self, tied):
        """The tied option that loses."""
        return self.winners(tied, 1, from_end=True)[0]

    def winners(self, tied, seats, from_end=False):
        """So many of the tied options, as the order has them."""
        tied = list(tied)
        if len(tied) <= seats:
            return tied
        self.note(tied)
        order = reversed(self.order) if from_end else self.order
        return [option for option in order if option in tied][:seats]


class Scripted(Order):
    """Takes the options at the given positions, tie by tie, and the paper's first afterwards."""

    def __init__(self, order, script):
        super().__init__(order)
        self.script = script

    def winners(self, tied, seats, from_end=False):
        listed = super().winners(tied, max(len(tied) - 1, seats), from_end)
        if len(tied) <= seats:
            return listed
        listed += [option for option in tied if option not in listed]
        number = len(self.ties) - 1
        position = self.script[number] if number < len(self.script) else 0
        return [listed[position]]


def seed_order(seed_hex, options):
    """The order that lots drawn from a seed give: by the hash of seed and option id."""
    seed = bytes.fromhex(seed_hex)
    if len(seed) != 32:
        seed = hashlib.sha256(seed).digest()

    def lot(option):
        return hashlib.sha256(b"tabella tie-break 1\0" + seed + option.encode()).digest()

    return sorted(options, key=lot)


def decide(contest, tie_order, count):
    """The outcome of `count(contest, ties)`; without an order, of every way to decide its ties."""
    if tie_order is not None:
        ties = Order(tie_order)
        outcome = count(contest, ties)
        outcome.ties = ties.ties
        return outcome
    return every_way(contest, count)


def every_way(contest, count):
    """The count with ties in the paper's order; then whoever else wins when they fall otherwise."""
    first, others, scripts, ways = None, set(), [()], 0
    while scripts and ways < WAYS_MAX:
        script = scripts.pop()
        ties = Scripted(contest.options, script)
        outcome = count(contest, ties)
        ways += 1
        if first is None:
            first = outcome
            first.ties = ties.ties
        others.update(outcome.winners)
        for number in range(len(script), len(ties.ties)):
            for choice in range(1, len(ties.ties[number])):
                scripts.append(script + (0,) * (number - len(script)) + (choice,))
    first.winners += [o for o in contest.options if o in others and o not in first.winners]
    first.complete = not scripts
    return first


def one_of_the_best(contest, tie_order, tied, seats=1, **parts):
    """The outcome of a rule with a single tie at its end."""
    if len(tied) <= seats:
        return Outcome(list(tied), ties=[], **parts)
    if tie_order is None:
        return Outcome(list(tied), ties=[frozenset(tied)], **parts)
    ties = Order(tie_order)
    return Outcome(ties.winners(tied, seats), ties=ties.ties, **parts)
