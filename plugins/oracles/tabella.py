"""Asks the program under test: through its command line, or its Wasm modules directly."""

import json
import subprocess
from fractions import Fraction

from profiles import RULES


def jsonable(shape, ballot):
    """A ballot as a voter casts it."""
    if shape == "ranking":
        ballot = [sorted(rank) if len(rank) > 1 else min(rank) for rank in ballot]
    elif shape == "approve":
        ballot = sorted(ballot)
    elif shape == "choice":
        return {"choices": ballot} if len(ballot) != 1 else {"choice": ballot[0]}
    return {shape: ballot}


def json_lines(rule, contest):
    lines = []
    for weight, ballot in contest.ballots:
        line = jsonable(RULES[rule][0], ballot)
        lines.append(json.dumps(line | ({"weight": weight} if weight != 1 else {})))
    return "".join(line + "\n" for line in lines)


def blt(contest, seats, withdrawn=()):
    """Rankings as a BLT file, in which `withdrawn` are named so."""
    number = {option: place for place, option in enumerate(contest.options, 1)}
    lines = [f"{len(number)} {seats}"]
    lines += [f"-{number[option]}" for option in withdrawn]
    for weight, ballot in contest.ballots:
        ranks = ["=".join(str(number[option]) for option in rank) for rank in ballot]
        lines.append(" ".join([str(weight), *ranks, "0"]))
    lines += ["0", *(f'"{option}"' for option in contest.options), '"Contest"']
    return "\n".join(lines) + "\n"


def election(contest, without=()):
    """An election file, which leaves some parameters out."""
    named = [{"id": option, "title": option} for option in contest.options]
    params = {name: value for name, value in contest.params.items() if name not in without}
    return {"options": named, "params": params}


def number(value):
    """An exact number of an answer: whole, decimal or a fraction."""
    return None if value is None else Fraction(str(value))


class CommandLine:
    """`tabella plugin run`."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder

    def count(self, rule, contest, tie_break, blt_text=None):
        """The answer to JSON lines, or to a BLT file, which tells the seats, where one is given."""
        described = election(contest, ["seats"] if blt_text else [])
        (self.folder / "election.json").write_text(json.dumps(described))
        ballots = self.folder / ("ballots.blt" if blt_text else "ballots.jsonl")
        ballots.write_text(blt_text or json_lines(rule, contest))
        if tie_break.startswith("order:"):
            order = self.folder / "order.txt"
            order.write_text("\n".join(tie_break[6:].split(",")) + "\n")
            tie_break = f"order:{order}"
        command = [self.binary, "plugin", "run", rule, "--json", "--tie-break", tie_break,
                   "--election", self.folder / "election.json", "--ballots", ballots]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr or done.stdout)
        return json.loads(done.stdout)
