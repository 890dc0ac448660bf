#!/usr/bin/env python3
"""Changes single bytes of a receipt or an export, and says which changes the verifier does not find.

A change is a position and what stands there instead. A change after which the file says the same (white space between
JSON values, the case of a hex digit of a block) is not an alteration, and is counted apart. Exits 1 where an alteration
holds, else 0.
"""

import argparse
import io
import json
import random
import sys
from pathlib import Path

import documents
from codec import Malformed
from validators import Refused


def meaning(command, data):
    """What a file says, whatever its spelling; None where it cannot be read."""
    if command == "receipt":
        return data
    try:
        return list(documents.read_lines(io.BytesIO(data)))
    except (Refused, Malformed):
        return None


def holds(command, data, genesis):
    """Whether the file holds, and else why not."""
    try:
        if command == "receipt":
            documents.check_receipt(data, genesis)
        else:
            documents.check_export(io.BytesIO(data), genesis)
        return True, None
    except (Refused, Malformed, UnicodeDecodeError, documents.NotThat) as error:
        return False, str(error)


def changes_of(arguments, data):
    if arguments.changes:
        return json.loads(arguments.changes.read_text())
    chance, starts = random.Random(arguments.seed), [0]
    starts += [at + 1 for at, byte in enumerate(data[:-1]) if byte == ord("\n")]
    drawn = []
    while len(drawn) < arguments.count:
        # Anywhere, or in any line: a rule's bytes are most of an export.
        start = chance.choice(starts) if chance.random() < 0.5 else 0
        end = data.index(b"\n", start) + 1 if start else len(data)
        # Any byte, or one that stands in the file as well, so that more than the syntax is at fault.
        byte = chance.choice(data) if chance.random() < 0.5 else chance.randrange(256)
        position = chance.randrange(start, end)
        if data[position] != byte:
            drawn.append([position, byte])
    return drawn


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["receipt", "election"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--genesis", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1000, help="how many changes are drawn")
    parser.add_argument("--seed", type=int, default=1, help="what they are drawn from")
    parser.add_argument("--changes", type=Path, help="a file with a JSON list of [position, byte], instead of drawing")
    parser.add_argument("--json", action="store_true", help="answer with what became of each change")
    arguments = parser.parse_args()
    genesis = documents.read_genesis(arguments.genesis.read_bytes())
    data = arguments.file.read_bytes()
    original, found = meaning(arguments.command, data), []
    if not holds(arguments.command, data, genesis)[0]:
        parser.error("the file does not hold as it is")
    for position, byte in changes_of(arguments, data):
        changed = data[:position] + bytes([byte]) + data[position + 1 :]
        is_same = meaning(arguments.command, changed) == original
        held, reason = holds(arguments.command, changed, genesis)
        found.append({"position": position, "byte": byte, "same": is_same, "holds": held, "reason": reason})
    missed = [change for change in found if change["holds"] and not change["same"]]
    wrong = [change for change in found if change["same"] and not change["holds"]]
    if arguments.json:
        print(json.dumps(found))
    else:
        same = sum(change["same"] for change in found)
        print(f"{len(found)} changes, {same} of which say the same; {len(missed)} alterations are not found")
        for change in missed:
            print(f"  byte {change['position']}: {change['byte']:#04x}")
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
