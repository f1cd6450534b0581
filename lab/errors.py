"""What can go wrong, as one small tree.

LabError
├── UserError          the request can't be carried out as asked: exit code 2, nothing was made
│   ├── SpecError      cluster.yaml, an option or a name is wrong
│   ├── Unable         this backend can't do it, and says why
│   └── HostError      this machine lacks something, or something of it is in the way
│       ├── Refused    it is there, and this user may not use it
│       └── Taken      a subnet or port that was free when chosen has been taken since
├── BackendError       the engine refused or failed
│   ├── Gone           it answers no more
│   └── BuildError     an image did not build; carries the step and the log's path
├── NotReady           a wait ended without what was awaited
└── Locked             another command works on the same cluster

Each carries what was asked and the next step, and prints as one short screen.
"""

from __future__ import annotations


class LabError(Exception):
    """Something that a person can act on.

    Args:
        what: what was asked and what is wrong with it, one sentence.
        where: the file, line, node or option concerned; may be empty.
        next_step: what to do now; may be empty.
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
    """The request can't be carried out as asked; nothing was made or changed."""

    exit_code = 2


class SpecError(UserError):
    """The topology, an option or a name is wrong."""


class Unable(UserError):
    """The backend can't do what was asked; what needs it is skipped, with the reason."""


class HostError(UserError):
    """This machine lacks something that is needed, or something of it is in the way."""


def unusable(path: object, error: OSError, next_step: str) -> HostError:
    """What the system says of a file or folder, as an error with the way round."""
    return HostError(f"{path} can't be used: {error.strerror or error}", where=str(path), next_step=next_step)


class Refused(HostError):
    """Something of this machine is there, and this user may not use it."""


class Taken(HostError):
    """A subnet or port that was free when chosen has been taken since.

    Attributes:
        chosen: what was chosen, to be compared with the next choice; noted by who chose.
    """

    chosen: object = None


class BackendError(LabError):
    """The engine refused or failed."""


class Gone(BackendError):
    """The engine answers no more."""


class BuildError(BackendError):
    """An image did not build, or did not pass its trial.

    Args:
        what: as for every error.
        step: the step that failed.
        log: the path of the whole log.
        image: the image's full name; empty where it is about none of the lab's.
    """

    def __init__(self, what: str, *, step: str, log: str, image: str = "") -> None:
        super().__init__(what, where=f"step: {step}", next_step=f"read the whole log: {log}")
        self.step = step
        self.log = log
        self.image = image


class NotReady(LabError):
    """A wait ended without what was awaited.

    Args:
        what: as for every error.
        where: as for every error.
        next_step: as for every error.
        awaited: the condition that was not met.
        seen: what was seen last.
    """

    def __init__(self, what: str, *, where: str = "", next_step: str = "", awaited: str = "", seen: str = "") -> None:
        super().__init__(what, where=where, next_step=next_step)
        self.awaited = awaited
        self.seen = seen


class Locked(LabError):
    """Another command works on the same cluster."""
