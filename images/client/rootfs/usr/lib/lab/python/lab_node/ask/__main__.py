"""lab_node.ask PLAN OUT: asks HTTP servers at constant rates, and writes one line an answer into OUT.

Open loop: request n of a stream is sent at its own time, independent of the results before it, and its latency counts
from that time, so that a stall shows in every request that it delayed. After SIGTERM it ends when all requests are
answered. It uses libcurl: a request costs about a fifth of what an HTTP library written in Python takes.

PLAN, JSON: {"seconds": 60, "timeout": 20, "ca": FILE, "meter": seconds that the stall meter sleeps,
  "shortest": seconds overslept that are a stall, "streams": [STREAM, ...]}; a STREAM is
  {"url": URL, "rate": questions a second, "http": "1.1" | "2", "keep": keep connections open,
   "post": a form that is sent (to mysql://USER@HOST:PORT/DATABASE: a statement; to smtp://ADDRESS@HOST:PORT: a message
           from that address to itself), with {n} for the question's number, or null,
   "upload": the name of a form's file, a small picture that is different for each question, or null,
   "value": "served" (the node's name, from X-Served-By) | "body" (the answer's first line)}
OUT: a first line with two clocks at the beginning, {"monotonic": s, "unix": s}; then for every answer a JSON list
  [stream, n, due in µs after the beginning, latency in µs, status or 0, value, error]
OUT.stalls: for every stall of this node, see lab/evidence/stalls.py, a JSON list
  [begun in µs after the beginning, length in µs]
"""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

from .asker import Asker


def main(plan: str, path: str) -> None:
    """Asks what the plan says."""
    document = json.loads(Path(plan).read_text(encoding="utf-8"))
    # Left open: the meter writes until the process ends.
    stalls = Path(f"{path}.stalls").open("w", buffering=1, encoding="utf-8")  # noqa: SIM115
    with Path(path).open("w", encoding="utf-8") as out:
        asker = Asker(document, out, stalls)
        signal.signal(signal.SIGTERM, asker.end)
        asker.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
