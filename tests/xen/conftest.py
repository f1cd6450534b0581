"""What only Xen has. Its host is booted before: 'lab xen host up', or --host; 'make test-xen' does both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.xen.backend import XenBackend

if TYPE_CHECKING:
    from lab.testing import LabCluster


@pytest.fixture
def xen(cluster: LabCluster) -> XenBackend:
    """The backend of the cluster, if that is Xen."""
    if not isinstance(cluster.backend, XenBackend):
        pytest.skip("needs --backend xen")
    return cluster.backend
