"""The end of a keeper by an unexpected error."""

from __future__ import annotations

import os
import sys
import threading

_print = threading.excepthook


def end_with_any_thread() -> None:
    """Ends this process, with exit code 1, if any thread of it ends by an error; the supervisor starts another one.

    The other threads would go on: balancers and nodes would hear the last state of a keeper that no longer looks.
    """
    threading.excepthook = _end


def _end(error: threading.ExceptHookArgs) -> None:
    if error.exc_type is SystemExit:
        return
    _print(error)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
