"""Where a database is, from a URL: mysql://USER@HOST:PORT/DATABASE. The password is in a file of the user's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PASSWORDS = Path("/etc/lab/passwords")
READ_ONLY = 1290  # what MariaDB says, instead of doing it


def place(url: str, ca: str, timeout: float) -> dict[str, Any]:
    """The arguments of `pymysql.connect`, by TLS, each statement a transaction; `timeout`: seconds of each step."""
    import ssl  # only who asks a database pays for it

    parts = urlsplit(url)
    return {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "database": parts.path[1:],
        "password": (PASSWORDS / (parts.username or "")).read_text().strip(),
        "ssl": ssl.create_default_context(cafile=ca),
        "connect_timeout": timeout,
        "read_timeout": timeout,
        "write_timeout": timeout,
        "autocommit": True,
    }
