"""One proposal, adopted or not."""

from fractions import Fraction

from contest import Outcome, sums


def referendum(contest, _tie_order):
    """Adopts by the majority of the votes, if enough of the roll take part."""
    votes = sums(contest, lambda ballot: dict.fromkeys(ballot, 1))
    adopt, reject = contest.options[:2]
    took_part = contest.total()
    counted = contest.params.get("abstentions") == "counted"
    base = took_part if counted else votes[adopt] + votes[reject]
    quorum = contest.params.get("quorum")
    missed = quorum and took_part < Fraction(quorum) * contest.params["roll"]
    share = Fraction(contest.params.get("majority", "1/2"))
    enough = votes[adopt] > share * base
    if share > Fraction(1, 2):
        enough = votes[adopt] >= share * base and votes[adopt] > 0
    winners = [] if took_part == 0 or missed else [adopt if enough else reject]
    return Outcome(winners, votes=votes, ties=[])
