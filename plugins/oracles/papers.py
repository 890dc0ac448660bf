"""What the counts of a single transferable vote have in common."""


def papers(contest):
    """Clear preferences of each ballot: up to the first rank with several marks."""
    result = []
    for weight, ballot in contest.ballots:
        clear = []
        for rank in ballot:
            if len(rank) > 1:
                break
            clear += rank
        if clear and weight:
            result.append((weight, clear))
    return result


def quota_of(kind, votes, seats, scale):
    """The quota for so many votes, in units of which `scale` are one vote."""
    if kind == "droop":
        return (votes // ((seats + 1) * scale) + 1) * scale
    if kind == "hare":
        return max(1, -(-votes // seats))
    return votes // (seats + 1) + 1
