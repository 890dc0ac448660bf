"""STAR: the two best by score run off."""

from itertools import combinations

from contest import Outcome, sums
from ties import Order


def star(contest, tie_order):
    """Answers as the Equal Vote Coalition's tie-breaking protocol does, then by lot."""
    return Star(contest, tie_order).outcome()


class Star:
    def __init__(self, contest, tie_order):
        self.contest = contest
        self.points = sums(contest, lambda ballot: ballot)
        self.top = contest.params.get("max", 5)
        self.order = Order(tie_order) if tie_order else None
        self.ties = []

    def prefer(self, one, other):
        """How many ballots score the one higher than the other."""
        return sum(w for w, ballot in self.contest.ballots
                   if ballot.get(one, 0) > ballot.get(other, 0))

    def tops(self, option):
        """How many ballots give the highest score."""
        return sum(w for w, ballot in self.contest.ballots if ballot.get(option) == self.top)

    def outcome(self):
        winners, rounds = [], [(self.points, [], [])]
        for pair in self.pairs() if any(self.points.values()) else []:
            elected = self.runoff(pair)
            votes = {option: self.contest.total() for option in pair}
            if len(pair) == 2:
                votes = {pair[0]: self.prefer(*pair), pair[1]: self.prefer(*reversed(pair))}
            rounds.append((votes, elected, []))
            winners += [option for option in elected if option not in winners]
        return Outcome(winners, votes=self.points, rounds=rounds, ties=self.ties, in_order=False)

    def pairs(self):
        """Who runs off: one pair, or all that an undecided tie allows."""
        seated, left = [], list(self.contest.options)
        while left and len(seated) < 2:
            most = max(self.points[option] for option in left)
            tied = [option for option in left if self.points[option] == most]
            chosen = self.seat(tied, 2 - len(seated))
            if len(chosen) > 1:
                return [seated + list(more) for more in chosen]
            seated += chosen[0]
            left = [option for option in left if option not in tied]
        return [seated]

    def seat(self, tied, places):
        """The ways to fill places from tied options."""
        seated, tied = [], list(tied)
        while len(seated) < places and len(tied) > places - len(seated):
            free = places - len(seated)
            chosen = self.fewest_losses(tied)
            if len(chosen) > free:
                chosen = self.most_tops(chosen, free)
            if len(chosen) > free:
                return [seated + list(more) for more in self.draw(chosen, free)]
            seated += chosen
            tied = [option for option in tied if option not in chosen]
        return [seated + tied[:places - len(seated)]]

    def fewest_losses(self, tied):
        """Those left when whoever loses the most comparisons is left out again and again."""
        while True:
            losses = {one: sum(self.prefer(o, one) > self.prefer(one, o) for o in tied)
                      for one in tied}
            most = max(losses.values())
            if min(losses.values()) == most:
                return tied
            tied = [option for option in tied if losses[option] < most]

    def most_tops(self, tied, places):
        """As many as have more top scores than the rest, up to the places; else all that lead."""
        counts = {option: self.tops(option) for option in tied}
        ranked = sorted(tied, key=counts.get, reverse=True)
        for size in range(places, 0, -1):
            if counts[ranked[size - 1]] > counts[ranked[size]]:
                return ranked[:size]
        return [option for option in tied if counts[option] == counts[ranked[0]]]

    def draw(self, tied, places):
        """Whom lots choose; each way to choose where they do not."""
        self.ties.append(frozenset(tied))
        if self.order is None:
            return list(combinations(tied, places))
        return [self.order.winners(tied, places)]

    def runoff(self, pair):
        """More preferences win, then more points, then more top scores, then lots."""
        if len(pair) == 1:
            return pair
        one, other = pair
        for mine, theirs in (
            (self.prefer(one, other), self.prefer(other, one)),
            (self.points[one], self.points[other]),
            (self.tops(one), self.tops(other)),
        ):
            if mine != theirs:
                return [one if mine > theirs else other]
        chosen = self.draw(pair, 1)
        return [option for way in chosen for option in way]
