"""Party lists."""

from fractions import Fraction

from contest import Outcome, sums
from ties import Order


def party_list(contest, tie_order):
    """Shares seats among parties over the threshold by averages or by quotas."""
    votes = sums(contest, lambda ballot: dict.fromkeys(ballot, 1))
    least = Fraction(str(contest.params.get("threshold_percent", 0))) / 100 * sum(votes.values())
    parties = [party for party in contest.options if votes[party] > 0 and votes[party] >= least]
    share = Share(contest, parties, votes, tie_order)
    method = contest.params.get("method", "dhondt")
    if parties and method in ("hare", "droop"):
        share.by_quotas(method)
    elif parties:
        share.by_averages(2 if method == "sainte-lague" else 1)
    return Outcome(share.winners, votes=votes, seats=share.seats, quota=share.quota,
                   ties=share.ties)


class Share:
    """Seats under way."""

    def __init__(self, contest, parties, votes, tie_order):
        self.left = contest.params["seats"]
        self.parties, self.votes, self.tie_order = parties, votes, tie_order
        self.seats = dict.fromkeys(contest.options, 0)
        self.winners, self.ties, self.quota = [], [], None

    def name(self, parties):
        self.winners += [party for party in parties if party not in self.winners]

    def give(self, tied):
        """One seat for each of these; where too few are left, for those whom lots choose."""
        chosen = tied
        if len(tied) > self.left:
            self.ties.append(frozenset(tied))
            if self.tie_order is None:
                self.left = 0
                self.name(tied)
                return
            chosen = Order(self.tie_order).winners(tied, self.left)
        for party in chosen:
            self.seats[party] += 1
        self.left -= len(chosen)
        self.name(chosen)

    def by_averages(self, step):
        """The highest of votes / 1, votes / (1 + step), ... has the next seat."""
        while self.left > 0:
            average = {p: Fraction(self.votes[p], 1 + step * self.seats[p]) for p in self.parties}
            highest = max(average.values())
            self.give([party for party in self.parties if average[party] == highest])

    def by_quotas(self, method):
        """A seat for each full quota; the rest go to the largest remainders."""
        total = sum(self.votes[party] for party in self.parties)
        seats = self.left
        self.quota = Fraction(total, seats) if method == "hare" else total // (seats + 1) + 1
        remainders = {}
        for party in sorted(self.parties, key=lambda party: -self.votes[party]):
            full, remainders[party] = divmod(Fraction(self.votes[party]), self.quota)
            self.seats[party] += full
            self.left -= full
            self.name([party] if full else [])
        while self.left > 0:
            for remainder in sorted(set(remainders.values()), reverse=True):
                if self.left > 0:
                    self.give([p for p in self.parties if remainders[p] == remainder])
