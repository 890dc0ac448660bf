"""The Australian Senate's count, paper by paper, as a second implementation of stv's `australian-senate`.

Writes random elections with their outcomes, in the lines that `plugins/stv/tests/it/senate.txt` holds:
options and seats | ballots | winners in order, and every option's last votes. Ties: the last count at which
all of the tied differed, then the paper's order.
"""
import random
import sys
from fractions import Fraction


class Count:
    def __init__(self, options, seats, ballots):
        self.seats = seats
        # One entry a paper: its preferences, the place of the one it stands at, its transfer value.
        self.papers = [[list(b), 0, Fraction(1)] for weight, b in ballots for _ in range(weight) if b]
        self.quota = len(self.papers) // (seats + 1) + 1
        self.votes = [0] * options
        self.hopeful = set(range(options))
        self.elected, self.queue, self.history = [], [], []
        self.last = [0] * options
        self.held = [[] for _ in range(options)]
        for paper in self.papers:
            self.held[paper[0][0]].append(paper)
        for option in range(options):
            self.votes[option] = len(self.held[option])

    def settle(self, tied, most):
        pick = max if most else min
        best = pick(self.votes[o] for o in tied)
        tied = sorted(o for o in tied if self.votes[o] == best)
        for votes in reversed(self.history[:-1]):
            if len(tied) > 1 and len({votes[o] for o in tied}) == len(tied):
                tied = [pick(tied, key=lambda o: votes[o])]
        return tied[0] if most else tied[-1]

    def move(self, papers, value):
        came = {}
        for paper in papers:
            paper[1] += 1
            while paper[1] < len(paper[0]) and paper[0][paper[1]] not in self.hopeful:
                paper[1] += 1
            if paper[1] < len(paper[0]):
                paper[2] = value
                came.setdefault(paper[0][paper[1]], []).append(paper)
        for option, some in came.items():
            self.votes[option] += int(len(some) * value)
            self.held[option] += some

    def stage(self):
        """Elects who reached the quota; whether the count is over."""
        self.history.append(list(self.votes))
        for option in self.hopeful | set(self.elected):
            self.last[option] = self.votes[option]
        reached = {o for o in self.hopeful if self.votes[o] >= self.quota}
        while reached:
            option = self.settle(reached, True)
            if self.votes[option] == self.quota:
                option = min(reached)
            reached.remove(option)
            self.hopeful.remove(option)
            self.elected.append(option)
            if self.votes[option] > self.quota:
                self.queue.append(option)
        left = self.seats - len(self.elected)
        if left <= 0:
            return True
        if len(self.hopeful) <= left:
            self.elected += sorted(self.hopeful, key=lambda o: (-self.votes[o], o))
            return True
        return False

    def run(self):
        if not self.papers:
            return
        while not self.stage():
            if self.queue:
                option = self.queue.pop(0)
                papers, self.held[option] = self.held[option], []
                value = Fraction(self.votes[option] - self.quota, len(papers))
                self.votes[option] = self.quota
                self.move(papers, value)
            elif len(self.hopeful) == 2 and self.seats - len(self.elected) == 1:
                one, other = sorted(self.hopeful)
                self.elected.append(other if self.votes[other] > self.votes[one] else one)
                return
            else:
                option = self.settle(self.hopeful, False)
                self.hopeful.remove(option)
                values = sorted({paper[2] for paper in self.held[option]}, reverse=True)
                over = False
                for value in values:
                    papers = [paper for paper in self.held[option] if paper[2] == value]
                    self.held[option] = [paper for paper in self.held[option] if paper[2] != value]
                    going = min(int(len(papers) * value), self.votes[option])
                    self.votes[option] = self.votes[option] - going if value != values[-1] else 0
                    self.move(papers, value)
                    if value != values[-1] and self.stage():
                        over = True
                        break
                if over:
                    return
                if not values:
                    self.votes[option] = 0


def main(elections, seed):
    draw = random.Random(seed)
    for _ in range(elections):
        options = draw.randint(3, 8)
        seats = draw.randint(1, min(4, options - 1))
        ballots = []
        for _ in range(draw.randint(3, 16)):
            order = draw.sample(range(options), draw.randint(1, options))
            ballots.append((draw.randint(1, 30), order))
        count = Count(options, seats, ballots)
        count.run()
        name = lambda o: chr(ord("A") + o)
        shown = " ".join(f"{weight}{''.join(map(name, order))}" for weight, order in ballots)
        winners = "".join(map(name, count.elected))
        print(f"{options} {seats} | {shown} | {winners} {' '.join(map(str, count.last))}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
