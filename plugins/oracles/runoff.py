"""Instant-runoff voting."""

from contest import Outcome
from ties import decide

ENDED = object()


def instant_runoff(contest, tie_order):
    return decide(contest, tie_order, count)


def top(ballot, continuing, overvote):
    """For whom a ballot counts: an option, `None` where none is left, or `ENDED` by an overvote."""
    for rank in ballot:
        here = [option for option in rank if option in continuing]
        if len(rank) > 1 and overvote == "exhaust":
            return ENDED
        if len(rank) > 1 and overvote == "skip" or not here:
            continue
        return here[0] if len(here) == 1 else ENDED
    return None


def count(contest, ties):
    """Eliminates the fewest votes until a majority, or two, are left."""
    overvote = contest.params.get("overvote", "exhaust-if-multiple-continuing")
    until_two = contest.params.get("until", "majority") == "two"
    continuing, ended, rounds, last = list(contest.options), set(), [], {}
    while True:
        totals = dict.fromkeys(continuing, 0)
        for number, (weight, ballot) in enumerate(contest.ballots):
            holder = ENDED if number in ended else top(ballot, continuing, overvote)
            if holder is ENDED:
                ended.add(number)
            elif holder is not None:
                totals[holder] += weight
        last.update(totals)
        votes = sum(totals.values())
        leader = max(continuing, key=totals.get)
        stop = 2 * totals[leader] > votes and (not until_two or len(continuing) <= 2)
        if votes == 0 or stop or len(continuing) == 1:
            elected = [leader] if votes else []
            rounds.append((totals, elected, []))
            return Outcome(list(elected), votes=last, rounds=rounds, in_order=False)
        leaving = contest.params.get("batch_elimination") and batch(totals, 2 if until_two else 1)
        if not leaving:
            fewest = min(totals.values())
            leaving = [ties.loser([o for o in continuing if totals[o] == fewest])]
        rounds.append((totals, [], leaving))
        continuing = [option for option in continuing if option not in leaving]


def batch(totals, keep):
    """The most last options who together have fewer votes than the next one alone."""
    ascending = sorted(totals, key=totals.get)
    for size in range(len(ascending) - keep, 0, -1):
        if sum(totals[option] for option in ascending[:size]) < totals[ascending[size]]:
            return ascending[:size]
    return []
