"""Rules that compare every two options: Schulze, ranked pairs, minimax, Copeland."""

from fractions import Fraction
from itertools import permutations, product

from contest import best
from ties import one_of_the_best

ORDERS_MAX = 5_000


def preferences(contest):
    """By pair of options, how many voters prefer the first to the second."""
    prefer = {pair: 0 for pair in permutations(contest.options, 2)}
    for weight, ballot in contest.ballots:
        place = {option: number for number, rank in enumerate(ballot) for option in rank}
        for one, other in prefer:
            if place.get(one, len(ballot)) < place.get(other, len(ballot)):
                prefer[one, other] += weight
    return prefer


def strengths(contest, prefer):
    """By pair, how strong the majority of the first against the second is; 0 where it has none."""
    margins = contest.params.get("strength", "winning") == "margins"
    return {
        (one, other): (votes - prefer[other, one] if margins else votes)
        if votes > prefer[other, one] else 0
        for (one, other), votes in prefer.items()
    }


def compared(rule):
    """Makes an oracle of a function from options and strengths to winners and votes."""

    def oracle(contest, tie_order):
        prefer = preferences(contest)
        strength = strengths(contest, prefer)
        winners, votes = [], None
        if any(ballot for _, ballot in contest.ballots):
            winners, votes = rule(contest.options, strength)
        if winners is None:
            return None
        outcome = one_of_the_best(contest, tie_order, winners, votes=votes)
        rows = [[prefer.get((one, other), 0) for other in contest.options]
                for one in contest.options]
        outcome.pairwise = rows
        return outcome

    return oracle


@compared
def schulze(options, strength):
    """Those whose strongest path to every other is at least as strong as the path back."""
    path = dict(strength)
    for middle, start, end in product(options, repeat=3):
        if len({middle, start, end}) == 3:
            through = min(path[start, middle], path[middle, end])
            path[start, end] = max(path[start, end], through)

    def unbeaten(one):
        return all(path[one, other] >= path[other, one] for other in options if other != one)

    return [option for option in options if unbeaten(option)], None


@compared
def minimax(options, strength):
    """Those whose worst defeat is the weakest."""

    def worst(option):
        return max((strength[other, option] for other in options if other != option), default=0)

    return best(options, lambda option: -worst(option)), None


@compared
def copeland(options, strength):
    """Those with the most wins, a tied comparison being half of one."""

    def score(one):
        return sum(
            Fraction(1, 2) + Fraction((strength[one, o] > 0) - (strength[o, one] > 0), 2)
            for o in options if o != one
        )

    return best(options, score), {option: score(option) for option in options}


@compared
def ranked_pairs(options, strength):
    """Those that win for some order of equal majorities; `None` where there are too many orders."""
    groups = {}
    for pair, strong in strength.items():
        if strong > 0:
            groups.setdefault(strong, []).append(pair)
    orders = 1
    states = {frozenset()}
    for strong in sorted(groups, reverse=True):
        reached = set()
        for state in states:
            for order in permutations(groups[strong]):
                orders += 1
                if orders > ORDERS_MAX:
                    return None, None
                reached.add(lock(state, order))
        states = reached
    winners = set()
    for state in states:
        beaten = {under for _, under in state}
        winners.update(option for option in options if option not in beaten)
    return [option for option in options if option in winners], None


def lock(locked, order):
    """Adds pairs, and what follows from them, one after another but for those that contradict."""
    locked = set(locked)
    for over, under in order:
        if (under, over) in locked or (over, under) in locked:
            continue
        above = {over} | {one for one, other in locked if other == over}
        below = {under} | {other for one, other in locked if one == under}
        locked.update(product(above, below))
    return frozenset(locked)
