"""What all suites share."""

from __future__ import annotations

import os

# The reaper's image can't be pulled where there is no container registry; every test removes what it made itself.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
