"""Single transferable vote by stages: Scottish, WIGM and last-parcel Gregory, in whole units."""

from fractions import Fraction

from contest import Outcome
from meek import meek
from papers import papers, quota_of
from ties import decide


def stv(contest, tie_order):
    rules = contest.params.get("rules", "scottish")
    return decide(contest, tie_order, meek if rules == "meek" else staged)


def staged(contest, ties):
    return Stages(contest, ties).run()


class Paper:
    """Equal ballots together: how many, whom they name, what each is worth, when it came."""

    def __init__(self, weight, names, value):
        self.weight, self.names, self.value, self.stage = weight, names, value, 0


class Stages:
    def __init__(self, contest, ties):
        params = contest.params
        self.ties, self.options, self.seats = ties, contest.options, params["seats"]
        self.rules = params.get("rules", "scottish")
        places = params.get("places", 9 if self.rules == "wigm" else 5)
        self.scale = 10**places
        kind = params.get("quota", "droop-fractional" if self.rules == "wigm" else "droop")
        self.hopeful, self.elected, self.excluded = list(self.options), [], []
        self.piles = {option: [] for option in self.options}
        self.votes = dict.fromkeys(self.options, 0)
        self.surpluses, self.history, self.rounds, self.last = [], [], [], {}
        cast = sum(weight for weight, _ in papers(contest)) * self.scale
        self.quota = quota_of(kind, cast, self.seats, self.scale)
        self.cast = cast
        for weight, names in papers(contest):
            self.move(Paper(weight, names, self.scale))

    def move(self, paper):
        """To its next hopeful option; it is dropped where there is none."""
        while paper.names and paper.names[0] not in self.hopeful:
            paper.names = paper.names[1:]
        if paper.names:
            paper.stage = len(self.history)
            self.piles[paper.names[0]].append(paper)
            self.votes[paper.names[0]] += paper.weight * paper.value

    def run(self):
        while self.cast:
            self.history.append(dict(self.votes))
            shown = [o for o in self.options if o not in self.excluded or self.votes[o]]
            totals = {option: Fraction(self.votes[option], self.scale) for option in shown}
            self.last.update({o: v for o, v in totals.items() if o not in self.excluded})
            elected, eliminated = self.elect(), []
            left = self.seats - len(self.elected)
            over = left <= 0 or len(self.hopeful) <= left
            if over and 0 < len(self.hopeful) <= left:
                elected += self.elect(rest=True)
            if not over:
                eliminated = self.step()
            self.rounds.append((totals, elected, eliminated))
            if over:
                break
        votes = {option: self.last.get(option, 0) for option in self.options}
        return Outcome(list(self.elected), votes=votes, rounds=self.rounds or None,
                       quota=Fraction(self.quota, self.scale))

    def elect(self, rest=False):
        """Elects who has the quota, most votes first."""
        reached = [o for o in self.hopeful if rest or self.votes[o] >= self.quota]
        reached.sort(key=lambda option: -self.votes[option])
        self.hopeful = [option for option in self.hopeful if option not in reached]
        self.elected += reached
        self.surpluses += [option for option in reached if self.votes[option] > self.quota]
        return reached

    def step(self):
        """Passes a surplus on, or excludes somebody, who is answered in a list."""
        leaving = [option for option in self.excluded if self.piles[option]]
        if leaving:
            self.release(leaving[0])
        elif self.surpluses:
            option = self.extreme(self.surpluses, max)
            self.surpluses.remove(option)
            self.pass_on(option)
        else:
            option = self.extreme(self.hopeful, min)
            self.hopeful.remove(option)
            self.excluded.append(option)
            self.release(option)
            return [option]
        return []

    def extreme(self, options, most):
        """Who has the most, or fewest, votes; told apart by other stages or by lot."""
        earlier = {"scottish": self.history[-2::-1], "fractional-gregory": self.history[:-1]}
        tied = list(options)
        for stage in [self.votes, *earlier.get(self.rules, [])]:
            end = most(stage[option] for option in tied)
            tied = [option for option in tied if stage[option] == end]
        tied.sort(key=self.options.index)
        return self.ties.winner(tied) if most is max else self.ties.loser(tied)

    def pass_on(self, option):
        """Passes the surplus of an elected option on."""
        total, surplus = self.votes[option], self.votes[option] - self.quota
        pile, self.piles[option] = self.piles[option], []
        if self.rules == "fractional-gregory":
            last = max(paper.stage for paper in pile)
            pile = [paper for paper in pile if paper.stage == last]
            going = sum(p.weight for p in pile if set(p.names) & set(self.hopeful))
        for paper in pile:
            if self.rules == "scottish":
                paper.value = paper.value * surplus // total
            elif self.rules == "wigm":
                paper.value = paper.value * surplus // self.scale * self.scale // total
            else:
                paper.value = min(paper.value, surplus // max(1, going))
            self.move(paper)
        self.votes[option] = self.quota

    def release(self, option):
        """Passes on an excluded option's papers; with last-parcel Gregory those of one value."""
        pile = self.piles[option]
        highest = max((paper.value for paper in pile), default=0)
        one_value = self.rules == "fractional-gregory"
        going = [paper for paper in pile if not one_value or paper.value == highest]
        self.piles[option] = [paper for paper in pile if paper not in going]
        for paper in going:
            self.votes[option] -= paper.weight * paper.value
            self.move(paper)
