"""The `lab` command: one small module a verb. What takes long to import is imported by the verb that needs it."""

import os

INTERRUPTED = 130


def main() -> None:
    """Runs the command; Ctrl-C while it is being imported ends it as later."""
    try:
        from lab.cli.main import main as run
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    run()
