"""Jonathan Lundell's `droop`, where there is a clone of it: it is not on PyPI."""

import sys

from papers import papers

RULES = {"scottish": "scotland", "wigm": "wigm", "meek": "meek"}


class Droop:
    """Counts strict rankings by droop's own rules, in fixed arithmetic."""

    def __init__(self, folder):
        sys.path.insert(0, str(folder))
        from droop import election, profile

        self.election, self.profile = election.Election, profile.ElectionProfile

    def winners(self, contest, order):
        """Who is elected; `None` where droop has no such count."""
        params, cast = contest.params, papers(contest)
        rules = params.get("rules", "scottish")
        names = contest.options
        enough = sum(w for w, _ in cast) >= len(names) >= params["seats"]
        if rules not in RULES or "quota" in params or not enough:
            return None
        if params.get("places") == 0 or rules == "scottish" and "places" in params:
            return None
        number = {option: place for place, option in enumerate(names, 1)}
        ties = " ".join(str(number[option]) for option in reversed(order))
        lines = [f"{len(names)} {params['seats']}", f"[tie {ties}]"]
        lines += [f"{w} {' '.join(str(number[o]) for o in paper)} 0" for w, paper in cast]
        lines += ["0", *(f'"{option}"' for option in names), '"Contest"']
        options = {"rule": RULES[rules]}
        if rules != "scottish":
            options |= {"arithmetic": "fixed", "precision": params.get("places", 9)}
        counted = self.election(self.profile(data="\n".join(lines)), options)
        counted.count()
        return {names[candidate.cid - 1] for candidate in counted.elected}
