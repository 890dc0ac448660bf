"""Rules that add up marks: plurality, approval, score, Borda, cumulative, quadratic, Bucklin."""

from fractions import Fraction

from contest import best, sums
from ties import one_of_the_best


def highest(contest, tie_order, votes):
    """The most votes win; nobody does where there are none."""
    tied = [option for option in best(contest.options, votes.get) if votes[option] > 0]
    return one_of_the_best(contest, tie_order, tied, votes=votes)


def marked(contest, tie_order):
    """Plurality and approval: each mark is a vote."""
    return highest(contest, tie_order, sums(contest, lambda ballot: dict.fromkeys(ballot, 1)))


def added(contest, tie_order):
    """Score, cumulative and quadratic: each number on a ballot is so many votes."""
    return highest(contest, tie_order, sums(contest, lambda ballot: ballot))


def borda(contest, tie_order):
    """Each place has points; those who share a rank share the points of its places equally."""
    number = len(contest.options)
    dowdall = contest.params.get("dowdall", False)
    average = contest.params.get("unranked", "average") == "average"

    def worth(place):
        return Fraction(1, place + 1) if dowdall else Fraction(number - 1 - place)

    def points(ballot):
        ranks = list(ballot)
        unranked = set(contest.options).difference(*ranks)
        if average and unranked:
            ranks.append(unranked)
        result, place = {}, 0
        for rank in ranks:
            places = range(place, place + len(rank))
            share = sum(map(worth, places)) / len(rank)
            result.update(dict.fromkeys(rank, share))
            place += len(rank)
        return result

    votes = sums(contest, points)
    tied = best(contest.options, votes.get)
    if not any(ballot for _, ballot in contest.ballots):
        tied = []
    return one_of_the_best(contest, tie_order, tied, votes=votes)


def bucklin(contest, tie_order):
    """Ranks are added until somebody is on more than half of the ballots."""
    votes = dict.fromkeys(contest.options, 0)
    ballots = [(weight, ballot) for weight, ballot in contest.ballots if ballot]
    total = sum(weight for weight, _ in ballots)
    rounds = []
    for rank in range(max((len(ballot) for _, ballot in ballots), default=0)):
        for weight, ballot in ballots:
            for option in ballot[rank] if rank < len(ballot) else ():
                votes[option] += weight
        rounds.append((dict(votes), [], []))
        if any(2 * count > total for count in votes.values()):
            break
    outcome = highest(contest, tie_order, votes)
    if rounds:
        rounds[-1] = (rounds[-1][0], outcome.winners, [])
    outcome.rounds = rounds
    return outcome
