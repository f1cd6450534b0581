"""The trial of an image: its facts, asked in a container that has the files and rights of a node."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from docker.errors import NotFound

from lab import engine
from lab.backends.archive import archive
from lab.names import LABEL
from lab.plan import TMPFS
from lab.plan.confinement import security

if TYPE_CHECKING:
    import docker

    from lab.building.trial import Trial

TRIAL_SECONDS = 120
GRACE_SECONDS = 30  # for the engine, above it
TIMED_OUT = 124  # the exit code of timeout(1)
SCRIPT = "/etc/lab/trial"
LABELLED = f"{LABEL}.trial"


def tried(api: docker.APIClient, image: str, trial: Trial) -> str:
    """What of an image is not as it has to be, a line each; empty where all is.

    No daemon runs, so no device is given: a host that lacks /dev/fuse builds all images.
    """
    host = api.create_host_config(
        network_mode="bridge",  # keepalived looks for its interface
        cap_drop=["ALL"],
        cap_add=list(trial.node.capabilities),
        security_opt=security(trial.node),
        sysctls=dict(trial.node.sysctls),
        tmpfs=TMPFS,
    )
    created = api.create_container(
        image,
        ["sh", SCRIPT],
        entrypoint=["timeout", str(TRIAL_SECONDS)],  # an empty one is the image's own to Podman
        hostname=trial.node.name,
        labels={LABELLED: trial.node.role},
        host_config=host,
    )
    try:
        api.put_archive(created["Id"], "/", archive({**trial.files, SCRIPT: (trial.script.encode(), 0o600)}))
        api.start(created["Id"])
        rc = int(api.wait(created["Id"], timeout=TRIAL_SECONDS + GRACE_SECONDS)["StatusCode"])
        output = api.logs(created["Id"]).decode(errors="replace").strip()
    finally:
        api.remove_container(created["Id"], force=True, v=True)
    if rc == TIMED_OUT:
        return f"{output}\nthe trial did not end within {TRIAL_SECONDS} s".strip()
    return "" if rc == 0 else output or f"exit code {rc}"


def clear(api: docker.APIClient) -> None:
    """Removes containers of trials whose `lab` was killed; none that goes on is as old."""
    oldest = time.time() - 2 * TRIAL_SECONDS
    with engine.asking("removing trials that were broken off"):
        for row in api.containers(all=True, filters={"label": LABELLED}):
            if row["Created"] < oldest:
                with contextlib.suppress(NotFound):  # another build removes it too
                    api.remove_container(row["Id"], force=True, v=True)
