"""Approval ballots for several winners: committees and participatory budgets, in fractions."""

import math
from fractions import Fraction

from contest import Outcome, best, sums
from ties import decide


def committee(contest, tie_order):
    methods = {"sequential-pav": sequential_pav, "phragmen": phragmen,
               "equal-shares": equal_shares_committee}
    method = methods[contest.params.get("method", "sequential-pav")]
    return decide(contest, tie_order, lambda contest, ties: answer(contest, method(contest, ties)))


def budgeting(contest, tie_order):
    return decide(contest, tie_order,
                  lambda contest, ties: answer(contest, fund(contest, ties), False))


def answer(contest, elected, has_rounds=True):
    votes = sums(contest, lambda ballot: dict.fromkeys(ballot, 1))
    rounds = [({}, [option], []) for option in elected] if has_rounds else None
    return Outcome(elected, votes=votes, rounds=rounds)


def supporters(contest, option):
    return [(n, weight) for n, (weight, ballot) in enumerate(contest.ballots)
            if weight and option in ballot]


def approved(contest, without=()):
    return [option for option in contest.options
            if option not in without and supporters(contest, option)]


def sequential_pav(contest, ties):
    """A ballot with k of its options elected weighs 1 / (k + 1)."""
    elected = []

    def score(option):
        return sum(Fraction(weight, 1 + len(ballot & set(elected)))
                   for weight, ballot in contest.ballots if option in ballot)

    while len(elected) < contest.params["seats"] and approved(contest, elected):
        elected.append(ties.winner(best(approved(contest, elected), score)))
    return elected


def phragmen(contest, ties, elected=(), loads=None):
    """An option costs its supporters one unit of load; the least load each is elected."""
    elected, loads = list(elected), loads or [Fraction(0)] * len(contest.ballots)

    def load(option):
        group = supporters(contest, option)
        total = sum(weight for _, weight in group)
        return (1 + sum(weight * loads[number] for number, weight in group)) / total

    while len(elected) < contest.params["seats"] and approved(contest, elected):
        chosen = ties.winner(best(approved(contest, elected), lambda option: -load(option)))
        after = load(chosen)
        for number, _ in supporters(contest, chosen):
            loads[number] = after
        elected.append(chosen)
    return elected


def price(contest, purses, option, cost):
    """What each supporter pays who has enough, the others giving all; `None` where it is short."""
    group = sorted((purses[number], weight) for number, weight in supporters(contest, option))
    payers, owed = sum(weight for _, weight in group), Fraction(cost)
    for purse, weight in group:
        if purse * payers >= owed:
            return owed / payers
        owed -= purse * weight
        payers -= weight
    return None


def buy(contest, ties, costs, purses, most=math.inf):
    """Buys what supporters can pay for, the lowest price for a unit of cost first.

    Ends once more than `most` is spent: what is bought then is not wanted.
    """
    bought = [option for option in approved(contest) if costs[option] == 0]
    while sum(costs[option] for option in bought) <= most:
        prices = {o: price(contest, purses, o, costs[o]) for o in approved(contest, bought)}
        per_unit = {o: each / costs[o] for o, each in prices.items() if each is not None}
        if not per_unit:
            break
        chosen = ties.winner(best(per_unit, lambda option: -per_unit[option]))
        for number, _ in supporters(contest, chosen):
            purses[number] -= min(purses[number], prices[chosen])
        bought.append(chosen)
    return bought


def equal_shares_committee(contest, ties):
    """Equal shares of the seats; Phragmén's method goes on from what voters have spent."""
    share = Fraction(contest.params["seats"], max(1, contest.total()))
    purses = [share] * len(contest.ballots)
    bought = buy(contest, ties, dict.fromkeys(contest.options, 1), purses)
    if contest.params.get("completion", "phragmen") == "none":
        return bought
    return phragmen(contest, ties, bought, [share - purse for purse in purses])


def fund(contest, ties):
    """Spends the budget by the method and completion of the contest."""
    params, costs = contest.params, contest.params["costs"]
    if params.get("method", "greedy") == "greedy":
        return greedy(contest, ties, [])

    def shares(share):
        purses = [share] * len(contest.ballots)
        return buy(contest, ties, costs, purses, params["budget"])

    funded = shares(Fraction(params["budget"], max(1, contest.total())))
    completion = params.get("completion", "none")
    if completion == "utilitarian":
        return greedy(contest, ties, funded)
    share = params["budget"] // max(1, contest.total())
    while completion == "add1" and affordable(contest, funded):
        share += 1
        raised = shares(Fraction(share))
        if sum(costs[option] for option in raised) > params["budget"]:
            break
        funded = raised
    return funded


def affordable(contest, funded):
    """What is approved and could still be paid for."""
    costs = contest.params["costs"]
    left = contest.params["budget"] - sum(costs[option] for option in funded)
    return [option for option in approved(contest, funded) if costs[option] <= left]


def greedy(contest, ties, funded):
    """Most approvals first, whatever the money left pays for."""
    costs = contest.params["costs"]
    votes = sums(contest, lambda ballot: dict.fromkeys(ballot, 1))
    while affordable(contest, funded):
        tied = best(affordable(contest, funded), votes.get)
        left = contest.params["budget"] - sum(costs[option] for option in funded)
        if sum(costs[option] for option in tied) <= left:
            funded = funded + tied
        else:
            funded = funded + [ties.winner(tied)]
    return funded
