"""Meek's method in fixed arithmetic, after algorithm 123 and the rule `meek` of `droop`."""

from fractions import Fraction

from contest import Outcome
from papers import papers, quota_of


def meek(contest, ties):
    return Meek(contest, ties).run()


class Meek:
    def __init__(self, contest, ties):
        params = contest.params
        places = params.get("places", 9)
        kind = params.get("quota", "droop-fractional")
        self.ties, self.options, self.seats = ties, contest.options, params["seats"]
        self.scale, self.omega = 10**places, 10**(places - places * 2 // 3)
        self.quota_for = lambda votes: quota_of(kind, votes, self.seats, self.scale)
        self.papers = papers(contest)
        self.cast = sum(weight for weight, _ in self.papers) * self.scale
        self.keep = dict.fromkeys(self.options, self.scale)
        self.hopeful, self.elected = list(self.options), []
        self.rounds, self.last = [], dict.fromkeys(self.options, 0)
        self.quota, self.surplus, self.votes = self.quota_for(self.cast), 0, {}

    def run(self):
        self.distribute()
        while self.cast and not self.is_over():
            elected, batch = self.iterate()
            self.note(elected)
            if not elected:
                self.exclude(batch or [self.lowest()])
        if self.cast and 0 < len(self.hopeful) <= self.seats - len(self.elected):
            self.note(self.elect(self.hopeful))
        votes = {option: Fraction(votes, self.scale) for option, votes in self.last.items()}
        return Outcome(list(self.elected), votes=votes, rounds=self.rounds or None,
                       quota=Fraction(self.quota, self.scale))

    def is_over(self):
        left = self.seats - len(self.elected)
        return left <= 0 or len(self.hopeful) <= left

    def note(self, elected):
        """Opens a round with the votes as they stand."""
        taking_part = [option for option in self.options if self.keep[option]]
        self.last.update({option: self.votes[option] for option in taking_part})
        totals = {option: Fraction(self.votes[option], self.scale) for option in taking_part}
        self.rounds.append((totals, list(elected), []))

    def distribute(self):
        """Each option keeps its share of what reaches it; the rest goes on, all cut down."""
        self.votes = dict.fromkeys(self.options, 0)
        for weight, names in self.papers:
            left = self.scale
            for option in names:
                self.votes[option] += weight * (left * self.keep[option] // self.scale)
                left = left * (self.scale - self.keep[option]) // self.scale

    def elect(self, reached):
        reached = sorted(reached, key=lambda option: -self.votes[option])
        self.elected += reached
        self.hopeful = [option for option in self.hopeful if option not in reached]
        return reached

    def iterate(self):
        """Until somebody is elected, is sure to lose, or the surplus is small or stable."""
        last_surplus = self.cast
        while True:
            self.quota = self.quota_for(sum(self.votes.values()))
            reached = self.elect([o for o in self.hopeful if self.votes[o] >= self.quota])
            self.surplus = sum(self.votes[option] - self.quota for option in self.elected)
            if reached or self.surplus <= self.omega or self.surplus >= last_surplus:
                return reached, []
            batch = self.sure_losers()
            if batch:
                return [], batch
            last_surplus = self.surplus
            for option in self.elected:
                kept = -(-self.keep[option] * self.quota // self.scale)
                keep = -(-kept * self.scale // self.votes[option])
                self.keep[option] = min(self.scale, keep)
            self.distribute()

    def sure_losers(self):
        """The most last options whom all the surplus could not lift to the next one."""
        ascending = sorted(self.hopeful, key=self.votes.get)
        groups = []
        for option in ascending:
            if groups and self.votes[groups[-1][0]] + self.surplus >= self.votes[option]:
                groups[-1].append(option)
            else:
                groups.append([option])
        most, sure, below = len(self.hopeful) - (self.seats - len(self.elected)), [], []
        for group, following in zip(groups, groups[1:]):
            below = below + group
            together = sum(self.votes[option] for option in below) + self.surplus
            if len(below) <= most and together < self.votes[following[0]]:
                sure = below
        return sure

    def lowest(self):
        """Who is last, or within the surplus of the last: by lot."""
        fewest = min(self.votes[option] for option in self.hopeful)
        limit = fewest + max(0, self.surplus)
        return self.ties.loser([o for o in self.hopeful if self.votes[o] <= limit])

    def exclude(self, options):
        self.rounds[-1][2].extend(options)
        self.hopeful = [option for option in self.hopeful if option not in options]
        self.keep.update(dict.fromkeys(options, 0))
        self.distribute()
