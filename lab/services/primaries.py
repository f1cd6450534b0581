"""Services with a primary, and the function that returns it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.services import mysql

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.backends.base import Backend

PRIMARIES: dict[str, Callable[[Backend], str]] = {mysql.ROLE: mysql.primary}
"""How the primary is found, by the role that has one; a role that has one adds one line."""
