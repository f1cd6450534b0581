"""One role in one container, with the files that the smallest cluster with that role would give it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from testcontainers.core.container import DockerContainer

from lab.lifecycle import secrets
from lab.lifecycle.trial import smallest
from lab.plan import TMPFS
from lab.plan.confinement import security

if TYPE_CHECKING:
    from lab.plan import NodePlan, Plan


class SingleRole:
    """A context manager: the role's container, started.

    Attributes:
        role: its name.
        node: what the plan says of it.
    """

    def __init__(self, role: str, family: str, made: Plan | None = None) -> None:
        """Of the smallest cluster that has the role, unless `made` is another plan."""
        made = made or smallest(role, family, f"labtest-{os.getpid()}-alone")
        self.role = role
        self.node: NodePlan = made.role(role)[0]
        known = secrets.ensure(made)
        self.container = DockerContainer(self.node.image).with_kwargs(
            cap_drop=["ALL"],
            cap_add=list(self.node.capabilities),
            devices=[f"{device}:{device}:rwm" for device in self.node.devices],
            security_opt=security(self.node),
            sysctls=dict(self.node.sysctls),
        )
        self.container.tmpfs.update(TMPFS)
        # Copied between create and start: the plan's files have to be there before PID 1 is.
        for path, (content, mode) in self.node.reveal(known).items():
            self.container.with_copy_into_container(content, path, mode)

    def __enter__(self) -> Self:
        self.container.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.container.stop()

    def run(self, command: str) -> tuple[int, str]:
        """Exit code and output of a shell command in the node."""
        done = self.container.exec(["sh", "-c", command])
        return -1 if done.exit_code is None else done.exit_code, done.output.decode(errors="replace")

    def logs(self) -> str:
        """All that the node printed."""
        return b"".join(self.container.get_logs()).decode(errors="replace")
