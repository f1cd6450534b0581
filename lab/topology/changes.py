"""Changes of a topology from the command line: `--scale web=5`, `--port site=9443`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import SpecError
from lab.hints import nearest
from lab.topology.ports import AUTO, OFF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lab.topology.cluster import Cluster


EXAMPLES = {"--scale": 5, "--port": 9443}


def scaled(cluster: Cluster, changes: Sequence[str]) -> Cluster:
    """The cluster with other counts, each given as `role=count`.

    Raises:
        SpecError: not of that form, a role that the cluster has not, or a count of zero.
    """
    roles = cluster.roles()
    for change in changes:
        role, _, number = change.partition("=")
        count = _number(change, number, "--scale", "a number")
        if role not in roles:
            raise SpecError(f"--scale {change}: the topology has no role '{role}'; {nearest(role, list(roles))}")
        if role == "client" or count < 1:
            allowed = "exactly 1" if role == "client" else "1 or more"
            raise SpecError(
                f"--scale {change}: {role} takes {allowed}", next_step="leave a role out of the topology to have none"
            )
        changed = roles[role].model_copy(update={"count": count})
        if role in cluster.apps:
            cluster = cluster.model_copy(update={"apps": {**cluster.apps, role: changed}})
        else:
            cluster = cluster.model_copy(update={role.replace("-", "_"): changed})
    return cluster


def ported(cluster: Cluster, changes: Sequence[str]) -> Cluster:
    """The cluster with other published ports, each given as `name=port`.

    Raises:
        SpecError: not of that form, or no such name or port.
    """
    for change in changes:
        name, _, value = change.partition("=")
        port: int | str = value
        names = list(cluster.ports.by_name())
        if name not in names:
            raise SpecError(f"--port {change}: no port is called '{name}'; {nearest(name, names)}")
        if value not in (AUTO, OFF):
            port = _number(change, value, "--port", "a number, auto or off")
            if not 0 < port < 65536:  # noqa: PLR2004
                raise SpecError(f"--port {change}: a port is 1 to 65535")
        cluster = cluster.model_copy(update={"ports": cluster.ports.changed({name: port})})
    return cluster


def _number(change: str, number: str, option: str, expected: str) -> int:
    if not (number.isascii() and number.isdigit()):
        name = change.partition("=")[0]
        raise SpecError(
            f"{option} {change}: a name and {expected} are expected",
            next_step=f"such as {option} {name}={EXAMPLES[option]}",
        )
    return int(number)
