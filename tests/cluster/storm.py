"""Files that are replaced and appended to while storage fails, and what must be left of them.

Run in a node as a program (`python3 storm.py FOLDER NAME`), it writes until `/var/tmp/NAME.stop` exists and notes every
attempt in `/var/tmp/NAME.ledger`, which is no shared file: its path, its number, and whether it was acknowledged.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

FILES = 5
EVERY = 4  # an attempt in so many appends to a log as well
NEW = 2  # files that each attempt makes, so that there is enough to heal for a fault to come in between
SIZE = 3000


def replace(path: str, number: int) -> None:
    """As an editor saves: a new file on the disks, under the old name."""
    new = Path(f"{path}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(f"{number}\n{'x' * SIZE}\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def create(path: str, number: int) -> None:
    """As an upload."""
    with Path(path).open("x", encoding="utf-8") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())


def append(path: str, number: int) -> None:
    """As a log is written."""
    with Path(path).open("a", encoding="utf-8") as file:
        file.write(f"{number}\n")
        file.flush()
        os.fsync(file.fileno())


def main(folder: str, name: str) -> None:
    """Writes until it is told to stop."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    number = 0
    beside = Path(__file__)
    with beside.with_name(f"{name}.ledger").open("w", buffering=1, encoding="utf-8") as ledger:
        while not beside.with_name(f"{name}.stop").exists():
            number += 1
            works = [(replace, f"{folder}/{name}-over{number % FILES}")]
            works += [(create, f"{folder}/{name}-new{number}-{one}") for one in range(NEW)]
            if number % EVERY == 0:
                works.append((append, f"{folder}/{name}-log"))
            for work, path in works:
                try:
                    work(path, number)
                    acknowledged = True
                except OSError:
                    acknowledged = False
                ledger.write(json.dumps([path, number, acknowledged]) + "\n")
            time.sleep(0.03)


def lost(ledger: str, read: dict[str, str | None]) -> list[str]:
    """What was acknowledged and is not there: a replaced file is its last acknowledged number or a later one.

    Args:
        ledger: what the program noted.
        read: by path, what is there; None where it can't be read; nothing where no file is.
    """
    attempts = [json.loads(line) for line in ledger.splitlines()]
    found = []
    for path in sorted({path for path, *_ in attempts}):
        acknowledged = [number for at, number, good in attempts if at == path and good]
        text = read.get(path)
        if path not in read:
            found += [f"{path} is missing, and {acknowledged[-1]} was acknowledged"] if acknowledged else []
        elif text is None:
            found.append(f"{path} can't be read")
        elif path.endswith("-log"):
            missing = sorted(set(acknowledged) - {int(line) for line in text.split() if line.isdecimal()})
            found += [f"{path} lacks {missing}"] if missing else []
        elif acknowledged and int((first := text.partition("\n")[0]) or 0) < acknowledged[-1]:
            found.append(f"{path} is {first or 'empty'}, and {acknowledged[-1]} was acknowledged")
    return found


if __name__ == "__main__":
    main(*sys.argv[1:])
