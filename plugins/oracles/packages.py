"""The same contests, counted by packages from PyPI, where they count them by the same rule.

Each function answers a set of winners, a dict of seats, or `None` for a contest that its package
cannot count or whose ties it decides in a way of its own.
"""

import itertools
import math
from collections import Counter
from fractions import Fraction

import apportionment.methods as apportionment
import starvote
from abcvoting import abcrules, preferences
from pabutools.election import (
    ApprovalBallot, ApprovalMultiProfile, Cost_Sat, FrozenApprovalBallot, Instance, Project,
)
from pabutools.rules import greedy_utilitarian_welfare, method_of_equal_shares
from pref_voting import (
    c1_methods, grade_methods, iterative_methods, margin_based_methods, other_methods,
    scoring_methods,
)
from pref_voting.grade_profiles import GradeProfile
from pref_voting.profiles import Profile
from pref_voting.profiles_with_ties import ProfileWithTies, Ranking
from pyrankvote import Ballot, Candidate, instant_runoff_voting
from votelib.evaluate import cardinal, proportional

from contest import sums
from grades import grades_of, median


def answers(rule, contest, has_ties):
    """What each package that knows the rule answers, by its name."""
    for name, count in PACKAGES.get(rule, []):
        answer = count(contest, has_ties)
        if answer is not None:
            yield name, answer


def is_strict(contest):
    return all(len(rank) == 1 for _, ballot in contest.ballots for rank in ballot)


def names(contest, numbers):
    return {contest.options[number] for number in numbers}


def profile_with_ties(contest):
    """Weak orders in which what is not ranked comes last."""
    place = contest.options.index
    ballots = [(weight, ballot) for weight, ballot in contest.ballots if ballot]
    if not ballots:
        return None
    rankings = [
        Ranking({place(o): rank for rank, options in enumerate(ballot) for o in options})
        for _, ballot in ballots
    ]
    profile = ProfileWithTies(rankings, [weight for weight, _ in ballots],
                              candidates=list(range(len(contest.options))))
    profile.use_extended_strict_preference()
    return profile


def pref_voting(method):
    """A method of `pref_voting` that compares pairs, on any profile."""

    def count(contest, _has_ties):
        profile = profile_with_ties(contest)
        if profile is None:
            return None
        if method is c1_methods.copeland:
            return names(contest, method(profile))
        margins = contest.params.get("strength") == "margins"
        strength = profile.margin if margins else profile.support
        if method is margin_based_methods.ranked_pairs:
            if not margins and has_draws(profile) or too_many_orders(profile, strength):
                return None
        return names(contest, method(profile, strength_function=strength))

    return count


def has_draws(profile):
    """Whether a comparison is equal: `pref_voting` ranks it among the majorities by its votes."""
    return any(profile.is_tied(*pair) for pair in itertools.combinations(profile.candidates, 2))


def too_many_orders(profile, strength):
    """Whether equal majorities can be put into more than a few hundred orders."""
    pairs = itertools.permutations(profile.candidates, 2)
    equal = Counter(strength(*pair) for pair in pairs if profile.margin(*pair) >= 0)
    return math.prod(map(math.factorial, equal.values())) > 500


def pref_voting_borda(contest, _has_ties):
    """Points for options below less those above, which is the count with averages."""
    profile = profile_with_ties(contest)
    if profile is None or contest.params.get("dowdall") or contest.params.get("unranked") == "zero":
        return None
    return names(contest, scoring_methods.borda_for_profile_with_ties(profile))


def pref_voting_grades(contest, _has_ties):
    """The majority-gauge."""
    if contest.params.get("ties") != "gauge" or contest.total() == 0:
        return None
    return best_grades(contest, grade_methods.majority_judgement, contest.params["grades"].index)


def pref_voting_sums(contest, _has_ties):
    """The highest sum, where there is one above 0."""
    if not any(sums(contest, lambda ballot: ballot).values()):
        return None
    return best_grades(contest, grade_methods.score_voting, int)


def best_grades(contest, method, number):
    """What a method makes of numbers for grades, 0 where a ballot has none."""
    none = dict.fromkeys(range(len(contest.options)), 0)
    ballots = [
        none | {contest.options.index(option): number(grade) for option, grade in ballot.items()}
        for weight, ballot in contest.ballots for _ in range(weight)
    ]
    grades = sorted({grade for ballot in ballots for grade in ballot.values()})
    return names(contest, method(GradeProfile(ballots, grades)))


def pref_voting_bucklin(contest, _has_ties):
    profile = profile_with_ties(contest)
    if profile is None or not is_strict(contest):
        return None
    return names(contest, other_methods.bucklin_for_truncated_linear_orders(profile))


def pref_voting_runoff(contest, _has_ties):
    """Complete strict rankings only: every way to decide ties."""
    whole = all(len(ballot) == len(contest.options) for _, ballot in contest.ballots if ballot)
    ballots = [(weight, ballot) for weight, ballot in contest.ballots if ballot]
    if not ballots or not whole:
        return None
    rankings = [[contest.options.index(min(rank)) for rank in ballot] for _, ballot in ballots]
    profile = Profile(rankings, rcounts=[weight for weight, _ in ballots])
    return names(contest, iterative_methods.instant_runoff_put(profile))


def pyrankvote_runoff(contest, has_ties):
    """Strict rankings without ties, which it decides by lots of its own."""
    cast = any(ballot for _, ballot in contest.ballots)
    if has_ties or not is_strict(contest) or not cast or len(contest.options) == 1:
        return None
    candidates = {option: Candidate(option) for option in contest.options}
    ballots = [
        Ballot([candidates[min(rank)] for rank in ballot])
        for weight, ballot in contest.ballots for _ in range(weight)
    ]
    winners = instant_runoff_voting(list(candidates.values()), ballots).get_winners()
    return {winner.name for winner in winners}


def starvote_star(contest, _has_ties):
    """Where its tie-breaks, which are those of the protocol of 2024, leave one winner."""
    if len(contest.options) == 1 or not any(sums(contest, lambda ballot: ballot).values()):
        return None
    ballots = [
        dict.fromkeys(contest.options, 0) | ballot
        for weight, ballot in contest.ballots for _ in range(weight)
    ]
    most = contest.params.get("max", 5)
    try:
        return set(starvote.star_voting(ballots, maximum_score=most, tiebreaker=None))
    except starvote.UnbreakableTieError:
        return None


def votelib_grades(contest, has_ties):
    """Medians; equal ones it takes away several at a time, which can pass over a difference."""
    if has_ties or contest.total() == 0:
        return None
    medians = [median(grades_of(contest, option)) for option in contest.options]
    if medians.count(max(medians)) > 1:
        return None
    votes, number = Counter(), contest.params["grades"].index
    for weight, ballot in contest.ballots:
        given = dict.fromkeys(contest.options, 0) | {o: number(g) for o, g in ballot.items()}
        votes[frozenset(given.items())] += weight
    return set(cardinal.MajorityJudgment().evaluate(votes))


def shares_of_seats(count):
    """A method to share seats, on parties over the threshold, where there is no tie."""

    def counted(contest, has_ties):
        votes = sums(contest, lambda ballot: dict.fromkeys(ballot, 1))
        least = Fraction(str(contest.params.get("threshold_percent", 0))) / 100
        votes = {o: n for o, n in votes.items() if n > 0 and n >= least * sum(votes.values())}
        if has_ties or not votes:
            return None
        method = contest.params.get("method", "dhondt")
        seats = count(votes, contest.params["seats"], method)
        return seats and {option: seats.get(option, 0) for option in contest.options}

    return counted


def apportionment_seats(votes, seats, method):
    method = {"dhondt": "dhondt", "sainte-lague": "saintelague", "hare": "hamilton"}.get(method)
    if method is None:
        return None
    return dict(zip(votes, apportionment.compute(method, list(votes.values()), seats,
                                                 fractions=True)))


def votelib_seats(votes, seats, method):
    divisors = {"dhondt": "d_hondt", "sainte-lague": "sainte_lague"}
    if method in divisors:
        return proportional.HighestAverages(divisors[method]).evaluate(votes, seats)
    quota = sum(votes.values()) // (seats + 1) + 1
    if method == "droop" and seats - sum(n // quota for n in votes.values()) > len(votes):
        return None  # It leaves seats empty that have no remainder of their own.
    return proportional.LargestRemainder(method).evaluate(votes, seats)


def abcvoting_committee(contest, _has_ties):
    """Every committee that some way to decide ties elects, together."""
    params, approved = contest.params, set().union(*(ballot for _, ballot in contest.ballots))
    if len(approved) < params["seats"]:
        return None
    method = params.get("method", "sequential-pav")
    rule = {"sequential-pav": "seqpav", "phragmen": "seqphragmen"}.get(method, "equal-shares")
    if rule == "equal-shares" and params.get("completion") == "none":
        rule = "equal-shares-without-completion"
    place, profile = contest.options.index, preferences.Profile(len(contest.options))
    for weight, ballot in contest.ballots:
        profile.add_voter(preferences.Voter([place(option) for option in ballot], weight))
    algorithm = "standard" if rule == "seqpav" else "standard-fractions"
    committees = abcrules.compute(rule, profile, committeesize=params["seats"], resolute=False,
                                  algorithm=algorithm)
    return names(contest, set().union(*committees))


def pabutools_budget(contest, has_ties):
    """Every set of projects that some way to decide ties funds, together.

    What costs nothing gives no utility there, what nobody approves can be funded, and shares are
    raised from what they are, whole or not.
    """
    params, approved = contest.params, set().union(*(ballot for _, ballot in contest.ballots))
    if 0 in params["costs"].values() or approved != set(contest.options):
        return None
    projects = {option: Project(option, params["costs"][option]) for option in contest.options}
    instance = Instance(projects.values(), budget_limit=params["budget"])
    profile = ApprovalMultiProfile(instance=instance)
    for weight, ballot in contest.ballots:
        frozen = FrozenApprovalBallot(ApprovalBallot(projects[option] for option in ballot))
        profile[frozen] += weight
    more = {"sat_class": Cost_Sat, "resoluteness": False}
    if params.get("method", "greedy") == "greedy":
        funded = greedy_utilitarian_welfare(instance, profile, **more)
    elif params.get("completion") == "add1":
        if has_ties or params["budget"] % contest.total():
            return None
        funded = method_of_equal_shares(instance, profile, voter_budget_increment=1, **more)
    else:
        funded = method_of_equal_shares(instance, profile, **more)
    if params.get("method") == "equal-shares" and params.get("completion") == "utilitarian":
        funded = [
            whole for part in funded for whole in greedy_utilitarian_welfare(
                instance, profile, initial_budget_allocation=part, **more)
        ]
    return {project.name for project in itertools.chain.from_iterable(funded)}


PACKAGES = {
    "score": [("pref_voting", pref_voting_sums)],
    "cumulative": [("pref_voting", pref_voting_sums)],
    "quadratic": [("pref_voting", pref_voting_sums)],
    "borda": [("pref_voting", pref_voting_borda)],
    "instant-runoff": [("pref_voting", pref_voting_runoff), ("pyrankvote", pyrankvote_runoff)],
    "schulze": [("pref_voting", pref_voting(margin_based_methods.beat_path))],
    "ranked-pairs": [("pref_voting", pref_voting(margin_based_methods.ranked_pairs))],
    "minimax": [("pref_voting", pref_voting(margin_based_methods.minimax))],
    "copeland": [("pref_voting", pref_voting(c1_methods.copeland))],
    "bucklin": [("pref_voting", pref_voting_bucklin)],
    "majority-judgment": [("pref_voting", pref_voting_grades), ("votelib", votelib_grades)],
    "star": [("starvote", starvote_star)],
    "party-list": [
        ("apportionment", shares_of_seats(apportionment_seats)),
        ("votelib", shares_of_seats(votelib_seats)),
    ],
    "committee": [("abcvoting", abcvoting_committee)],
    "budgeting": [("pabutools", pabutools_budget)],
}
