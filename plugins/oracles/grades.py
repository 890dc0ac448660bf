"""Majority judgment."""

from contest import Outcome, best
from ties import one_of_the_best


def majority_judgment(contest, tie_order):
    """The best median grade wins; then the best majority-value, or majority-gauge."""
    if contest.total() == 0:
        return Outcome([], ties=[])
    grades = {option: grades_of(contest, option) for option in contest.options}
    gauge = contest.params.get("ties", "iterated") == "gauge"
    merit = majority_gauge if gauge else majority_value
    tied = best(contest.options, lambda option: merit(grades[option]))
    votes = {option: median(grades[option]) for option in contest.options}
    return one_of_the_best(contest, tie_order, tied, votes=votes)


def grades_of(contest, option):
    """All grades of an option as numbers, ascending; a ballot that is silent gives the worst."""
    number = contest.params["grades"].index
    result = []
    for weight, ballot in contest.ballots:
        result += [number(ballot[option]) if option in ballot else 0] * weight
    return sorted(result)


def median(ascending):
    """The middle grade, the lower of two."""
    return ascending[(len(ascending) - 1) // 2]


def majority_value(ascending):
    """The medians in the order in which they come when each is taken away in turn."""
    left, result = list(ascending), []
    while left:
        result.append(left.pop((len(left) - 1) // 2))
    return result


def majority_gauge(ascending):
    """The median, and how many grades are above or below it, whichever are more."""
    middle = median(ascending)
    above = sum(grade > middle for grade in ascending)
    below = sum(grade < middle for grade in ascending)
    return (middle, 1, above) if above > below else (middle, 0, -below)
