"""The errors of the lab.

LabError
├── UserError          the request is not possible: exit code 2, nothing was changed
│   ├── SpecError      cluster.yaml, an option or a name is wrong
│   ├── Unable         this backend does not support it
│   └── HostError      this machine lacks something, or something on it conflicts
│       ├── Refused    this user lacks the permission
│       └── Taken      a subnet or port that was free when chosen is in use now
├── BackendError       the engine refused or failed
│   ├── Gone           it stopped answering
│   └── BuildError     a build failed; carries the step and the log's path
├── NotReady           a wait timed out
└── Locked             another command works on the same cluster

Each carries the problem, its place and the next step, and prints as one short screen.
"""

from __future__ import annotations


class LabError(Exception):
    """An error that a person can act on.

    Args:
        what: the request and the problem, one sentence.
        where: the file, line, node or option concerned; may be empty.
        next_step: the next step for the user; may be empty.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.next_step = next_step

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where: {self.where}")
        if self.next_step:
            lines.append(f"  what to do: {self.next_step}")
        return "\n".join(lines)


class UserError(LabError):
    """The request is not possible; nothing was changed."""

    exit_code = 2


class SpecError(UserError):
    """The topology, an option or a name is wrong."""


class Unable(UserError):
    """The backend does not support the request; tests that need it are skipped with the reason."""


class HostError(UserError):
    """This machine lacks something that is needed, or something on it conflicts."""


def unusable(path: object, error: OSError, next_step: str) -> HostError:
    """An error of the operating system about a path, with the next step."""
    return HostError(f"cannot use {path}: {error.strerror or error}", where=str(path), next_step=next_step)


class Refused(HostError):
    """This user lacks the permission to use something of this machine."""


class Taken(HostError):
    """A subnet or port that was free when chosen is in use now."""


class BackendError(LabError):
    """The engine refused or failed."""


class Gone(BackendError):
    """The engine stopped answering."""


class BuildError(BackendError):
    """The build of an image failed, or its trial.

    Args:
        what: as for every error.
        step: the step that failed.
        log: the path of the whole log.
        image: the image's full name; empty for images of others.
    """

    def __init__(self, what: str, *, step: str, log: str, image: str = "") -> None:
        super().__init__(what, where=f"step: {step}", next_step=f"read the whole log: {log}")
        self.step = step
        self.log = log
        self.image = image


class NotReady(LabError):
    """A wait timed out.

    Args:
        what: as for every error.
        where: as for every error.
        next_step: as for every error.
        awaited: the condition.
        last: the last observation.
    """

    def __init__(self, what: str, *, where: str = "", next_step: str = "", awaited: str = "", last: str = "") -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.awaited = awaited
        self.last = last


class Locked(LabError):
    """Another command works on the same cluster."""
