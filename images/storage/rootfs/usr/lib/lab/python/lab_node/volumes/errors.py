"""What keeps the agent from being done."""

from __future__ import annotations


class Missing(Exception):
    """What is not yet as it should be."""


class Hung(Missing):
    """glusterd lives, and has not answered for so long that it never will."""
