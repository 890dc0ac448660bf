#!/usr/bin/env python3
"""Checks what a Tabella network handed out, with no program of Tabella's.

Exits 0 where it holds, 1 where it does not, 2 where the file is something else or the command is wrong, and 3 where
something is missing before anybody can say.
"""

import argparse
import json
import signal
import sys
from pathlib import Path

import choices
import documents
from codec import Malformed
from rules import Missing
from validators import Refused

VALID, NOT_VALID, NOT_THAT, UNDECIDED = 0, 1, 2, 3
NAMES = {
    "receipt": "A RECEIPT",
    "election": "AN EXPORT",
    "proof": "A PROOF",
    "result": "A RESULT",
    "vectors": "A VECTOR",
}


def plain(value):
    """Others' text, in which nothing forges a line or commands a terminal."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(value))


def receipt(arguments, genesis):
    summary = documents.check_receipt(arguments.file.read_bytes(), genesis)
    if arguments.nonce is not None:
        documents.check_nonce(summary, arguments.transaction.read_bytes(), arguments.nonce)
    if arguments.ballot is not None:
        election = documents.check_election_proof(arguments.election.read_bytes(), genesis)
        choices.check(summary, election, arguments.ballot, [f.read_bytes() for f in arguments.plugin], genesis)
        summary["of_this_choice"] = True
    lines = [
        f"VALID: this ballot stands on the board of election {summary['election_id']} at position {summary['position']}.",
        f"voter        {summary['voter']}",
        f"transaction  {summary['transaction_id']}",
        f"ballot hash  {summary['ballot_hash']}",
        f"block        {summary['height']}, {summary['block_hash']}",
        f"acknowledged by {summary['acks']} of {summary['of']} validators; it {summary['strength']}",
    ]
    if "of_this_choice" in summary:
        lines.append("The ballot is the choice given, encoded with the options on the chain.")
    return summary, lines


def election(arguments, genesis):
    def on_block(height):
        if sys.stderr.isatty() and height % 10 == 0:
            print(f"\rexecuted block {height}", end="", file=sys.stderr, flush=True)

    with arguments.file.open("rb") as file:
        summary = documents.check_export(file, genesis, on_block)
    lines = [
        f"VALID: election {summary['election_id']}, {plain(summary['title'])}: {summary['blocks']} blocks executed again,"
        f" {summary['signatures']} signatures hold",
        f"ballots      {summary['ballots']} on the board, of {summary['turnout']} voters",
        f"board root   {summary['board_root']}",
    ]
    for contest in summary["contests"]:
        lines.append(f"{plain(contest['title'])}: {plain(', '.join(contest['winners'])) or 'no winner'}")
        lines.append(f"  outcome    {contest['outcome_sha256']}")
        lines.append(f"  rule       {contest['plugin']}")
        lines.append(f"  {plain(contest['explanation'])}")
    by = summary["certified"]
    if by:
        lines.append(f"certified    this very count, by {by['by']} of {by['of']} validators, in block {by['height']}")
    else:
        lines.append("NOT CERTIFIED: no quorum of validators has attested a result yet")
    lines += [f"DISSENT: {key} attested another outcome" for key in summary["dissent"]]
    return summary, lines


def proof(arguments, genesis):
    found = documents.check_election_proof(arguments.file.read_bytes(), genesis)
    statement, eligibility = found["election"], dict(found["election"]["eligibility"])
    if "registrar" in eligibility:
        eligibility["registrar"] = "0x" + eligibility["registrar"].hex()
    contests = [
        {**contest, "plugin": "0x" + contest["plugin"].hex(), "params": json.loads(contest["params"])}
        for contest in statement["contests"]
    ]
    summary = {
        "election_id": found["election_id"], "height": found["height"], "title": statement["title"],
        "eligibility": eligibility, "revote": statement["revote"], "contests": contests,
    }  # fmt: skip
    lines = [f"VALID: block {found['height']} commits to election {found['election_id']}, {plain(statement['title'])}"]
    lines.append(f"who votes    {plain(eligibility)}; a second ballot: {statement['revote']}")
    for contest in contests:
        lines.append(f"{plain(contest['title'])}: {plain(', '.join(o['id'] for o in contest['options']))}")
        lines.append(f"  rule       {contest['plugin']}, {plain(contest['params'])}")
    return summary, lines


def result(arguments, genesis):
    election_proof = arguments.election and arguments.election.read_bytes()
    summary = documents.check_result(arguments.file.read_bytes(), genesis, election_proof)
    lines = [
        f"VALID: {summary['attested_by']} of {summary['of']} validators attest the result of election {summary['election_id']}",
        f"board        {summary['board_size']} ballots, root {summary['board_root']}",
    ]
    lines += [f"outcome      {one}" for one in summary["outcomes"]]
    return summary, lines


def vectors(arguments, _genesis):
    import vectors as known

    counts = known.check(arguments.file)
    lines = [f"VALID: {sum(counts.values())} values of {len(counts)} files are as the documents say"]
    return counts, lines + [f"  {name:<24}{count}" for name, count in counts.items()]


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, run, about in [
        ("receipt", receipt, "a voter's receipt, as GET /api/votes/receipt answered it"),
        ("election", election, "a whole election, as GET /api/elections/{id}/export answered it"),
        ("proof", proof, "what an election asks, as GET /api/elections/{id}/proof answered it"),
        ("result", result, "a certified result, as GET /api/votes/results answered it"),
        ("vectors", vectors, "a directory of test vectors, such as docs/vectors"),
    ]:
        command = commands.add_parser(name, help=about, description=f"Checks {about}.")
        command.add_argument("file", type=Path, help=about)
        if name != "vectors":
            command.add_argument(
                "--genesis", type=Path, required=True, help="the network's genesis, from who you trust"
            )
        command.add_argument("--json", action="store_true", help="answer in JSON")
        command.set_defaults(run=run)
        if name == "result":
            command.add_argument(
                "--election", type=Path, help="a proof of the election, where the validators have changed"
            )
        if name == "receipt":
            command.add_argument("--nonce", type=int, help="the number that you sent with the ballot")
            command.add_argument("--transaction", type=Path, help="a file with the ballot's transaction as hex")
            command.add_argument("--ballot", help="the choice that the receipt should be of, as it was sent")
            command.add_argument("--election", type=Path, help="the proof of what the election asks")
            command.add_argument("--plugin", type=Path, action="append", default=[], help="the Wasm bytes of a rule")
    arguments = parser.parse_args()
    for one, other in [("nonce", "transaction"), ("ballot", "election")]:
        if arguments.command == "receipt" and (getattr(arguments, one, None) is None) != (
            getattr(arguments, other, None) is None
        ):
            parser.error(f"--{one} and --{other} belong together")
    return arguments


def main():
    arguments = read_arguments()
    try:
        genesis = None
        if arguments.command != "vectors":
            try:
                genesis = documents.read_genesis(arguments.genesis.read_bytes())
            except (Malformed, UnicodeDecodeError) as error:
                raise documents.NotThat(f"{arguments.genesis} is not a genesis document: {error}") from None
        summary, lines = arguments.run(arguments, genesis)
        answer, code = {"valid": True, arguments.command: summary}, VALID
    except documents.NotThat as error:
        answer, code = {"valid": False, "not": arguments.command, "reason": str(error)}, NOT_THAT
        lines = [f"NOT {NAMES[arguments.command]}: {plain(error)}"]
    except Missing as error:
        answer, code = {"valid": None, "missing": str(error)}, UNDECIDED
        lines = [f"UNDECIDED: {plain(error)}"]
    except (Refused, Malformed, UnicodeDecodeError) as error:
        answer, code = {"valid": False, "reason": str(error)}, NOT_VALID
        lines = [f"NOT VALID: {plain(error)}"]
    except OSError as error:
        answer, code = {"error": str(error)}, NOT_THAT
        lines = [f"verify.py: {error}"]
    print(json.dumps(answer, indent=2, ensure_ascii=False) if arguments.json else "\n".join(lines))
    return code


if __name__ == "__main__":
    # Whoever reads the first line alone ends this program quietly.
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
