"""The behaviour suite: written against the backend protocol and the `cluster` fixture, never against Docker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.topology import Storage

if TYPE_CHECKING:
    from lab.testing import LabCluster


@pytest.fixture
def three_bricks(cluster: LabCluster) -> None:
    """Skips where a file has fewer than three copies."""
    cluster.options(Storage)
    cluster.require("storage", 3)
