"""Contests by chance: few and many ballots, ties, weights, blank ballots, truncated rankings."""

from contest import Contest

GRADES = ["reject", "poor", "fair", "good", "excellent"]

# By rule: the shape of its ballots, and each of its parameters with the values to try.
RULES = {
    "plurality": ("choice", {"max_choices": [None, 2, 3]}),
    "approval": ("approve", {"max_choices": [None, 8]}),
    "score": ("scores", {"max": [None, 1, 10]}),
    "star": ("scores", {"max": [None, 1, 2, 10]}),
    "borda": ("ranking", {"unranked": [None, "average", "zero"], "dowdall": [None, True]}),
    "instant-runoff": ("ranking", {
        "overvote": [None, "exhaust-if-multiple-continuing", "exhaust", "skip"],
        "batch_elimination": [None, True],
        "until": [None, "majority", "two"],
    }),
    "stv": ("ranking", {
        "seats": [1, 2, 3, 4],
        "rules": ["scottish", "wigm", "meek", "fractional-gregory"],
        "places": [None, None, 0, 2, 4, 9],
        "quota": [None, None, "droop", "droop-fractional", "hare"],
    }),
    "schulze": ("ranking", {"strength": [None, "winning", "margins"]}),
    "ranked-pairs": ("ranking", {"strength": [None, "winning", "margins"]}),
    "minimax": ("ranking", {"strength": [None, "winning", "margins"]}),
    "copeland": ("ranking", {}),
    "bucklin": ("ranking", {}),
    "majority-judgment": ("grades", {
        "grades": [GRADES, GRADES[:3], GRADES[:2]],
        "ties": [None, "iterated", "gauge"],
    }),
    "cumulative": ("votes", {"credits": [1, 3, 10]}),
    "quadratic": ("votes", {"credits": [1, 9, 30]}),
    "party-list": ("choice", {
        "seats": [1, 2, 3, 5, 8, 20],
        "method": ["dhondt", "sainte-lague", "hare", "droop"],
        "threshold_percent": [None, None, 5, "12.5", 20],
    }),
    "budgeting": ("approve", {
        "method": ["greedy", "equal-shares"],
        "completion": [None, "none", "add1", "utilitarian"],
    }),
    "committee": ("approve", {
        "seats": [1, 2, 3, 4],
        "method": ["sequential-pav", "phragmen", "equal-shares"],
        "completion": [None, None, "none"],
    }),
    "referendum": ("choice", {
        "majority": [None, "1/2", "2/3", "3/5", "1/3", "3/4"],
        "quorum": [None, None, "1/2", "1/4"],
        "abstentions": [None, "counted", "not-counted"],
    }),
}


def contest(rule, random):
    """A contest of the rule with ballots that its voters may cast."""
    shape, values = RULES[rule]
    numbers = [2, 3] if rule == "referendum" else [1, 2, 3, 3, 4, 4, 5, 6, 8]
    letters = "qxbkzmae"[:random.choice(numbers)]
    options = [f"{letter}{random.randrange(10)}" for letter in letters]
    random.shuffle(options)
    params = {name: random.choice(choices) for name, choices in values.items()}
    params = {name: value for name, value in params.items() if value is not None}
    if rule == "budgeting":
        params["costs"] = {option: random.choice([0, 1, 2, 3, 5, 10, 10]) for option in options}
        params["budget"] = random.choice([0, 5, 10, 17, 25])
    if "quorum" in params:
        params["roll"] = random.choice([0, 4, 10, 100])
    return Contest(options, params, ballots(shape, options, params, random))


def ballots(shape, options, params, random):
    """Weighted ballots: independent ones, copies of a few kinds, or one of each rotation."""
    make = globals()[shape]
    if random.random() < 0.1:
        return rotations(shape, options, params, random)
    number = random.choice([0, 1, 2, 3, 4, 5, 6, 8, 12, 20, 60, 200])
    kinds = [make(options, params, random) for _ in range(max(1, random.choice([number, 3, 6])))]
    blank = random.choice([0, 0, 0.2])
    weighted = random.random() < 0.4
    result = []
    for _ in range(number):
        ballot = type(kinds[0])() if random.random() < blank else random.choice(kinds)
        result.append((random.choice([1, 2, 3, 7]) if weighted else 1, ballot))
    return result


def rotations(shape, options, params, random):
    """The same ballot once for each option, all of whom are equal then."""
    ballot = globals()[shape](options, params, random)

    def turned(value, by):
        if isinstance(value, str) and value in options:
            return options[(options.index(value) + by) % len(options)]
        if isinstance(value, dict):
            return {turned(option, by): number for option, number in value.items()}
        return type(value)(turned(item, by) for item in value)

    return [(1, turned(ballot, by)) for by in range(len(options))]


def some(options, random, most=None):
    """A few of the options in any order."""
    most = min(len(options), most or len(options))
    return random.sample(options, random.randint(0 if random.random() < 0.1 else 1, most))


def choice(options, params, random):
    return some(options, random, params.get("max_choices", 1))


def approve(options, params, random):
    return set(some(options, random, params.get("max_choices")))


def ranking(options, params, random):
    named = options if random.random() < 0.3 else some(options, random)
    named = random.sample(named, len(named))
    shared = random.choice([0, 0, 0, 0.3])
    ranks = []
    for option in named:
        if ranks and random.random() < shared:
            ranks[-1] = ranks[-1] | {option}
        else:
            ranks.append(frozenset([option]))
    return ranks


def scores(options, params, random):
    most = params.get("max", 5)
    values = random.choice([[0, most], [1, most], range(most + 1)])
    return {option: random.choice(values) for option in some(options, random)}


def grades(options, params, random):
    return {option: random.choice(params["grades"]) for option in some(options, random)}


def votes(options, params, random):
    """Votes that cost no more than the credits, whether by their sum or by their squares."""
    left, result = params["credits"], {}
    for option in some(options, random):
        votes = random.randint(0, int(left**0.5))
        left -= votes * votes
        result[option] = votes
    return result
