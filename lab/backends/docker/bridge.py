"""Removal of the cluster's network, also where the engine's count of its endpoints is wrong."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from docker.errors import APIError

from lab.errors import BackendError

if TYPE_CHECKING:
    import docker

ACTIVE = "has active endpoints"
RELEASE_SECONDS, POLL_SECONDS = 5.0, 0.2  # for the engine to release the endpoints of containers that were just removed


def remove(api: docker.APIClient, network: dict[str, Any], seconds: float = RELEASE_SECONDS) -> str:
    """Removes a network whose nodes are gone; returns why it was left, or an empty string.

    An engine may count an endpoint that no container has, until it restarts (moby issue 42119). Such a network is left:
    it is empty, and the next `lab up` uses it.

    Raises:
        BackendError: containers that are not of the cluster are connected.
        APIError: the engine refused for another reason.
    """
    name, deadline = network["Name"], time.monotonic() + seconds
    while True:
        try:
            api.remove_network(network["Id"])
        except APIError as error:
            if ACTIVE not in str(error.explanation):
                raise
        else:
            return ""
        if time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    connected = sorted(each["Name"] for each in api.inspect_network(network["Id"])["Containers"].values())
    if connected:
        raise BackendError(
            f"the network {name} can't be removed: containers that are not of the cluster are connected to it: "
            f"{', '.join(connected)}",
            where="network",
            next_step=f"'docker network disconnect {name} {connected[0]}', and each other one; then 'lab down' again",
        )
    return (
        f"the network {name}: the engine counts an endpoint that no container has;"
        " 'lab down' removes it once the engine was restarted"
    )
