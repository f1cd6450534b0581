"""The `lab` command: one module per verb. Slow imports are inside the verbs that need them."""

import os

INTERRUPTED = 130


def main() -> None:
    """Runs the command; Ctrl-C during the import exits as later."""
    try:
        from lab.cli.main import main as run
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)
    run()
