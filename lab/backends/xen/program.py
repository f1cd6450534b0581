"""What a domain is told of an application: the program of its image, its user, environment, folder and rights."""

from __future__ import annotations

import posixpath
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.plan.model import MANIFEST, TMPFS
from lab.recipes.person import Person

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan import NodePlan

START = "/run/lab/bin/application"
"""What the domain's first process runs for an application (xen/guest/bin)."""

TOOLS = "/usr/lib/lab/bin"
SETPRIV = "/usr/lib/lab/rights/setpriv"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
OTHERS = 0o004  # others may read it
TAKEN = ("/", "/proc", "/sys", "/dev", "/etc/lab", "/usr/lib/lab", *TMPFS)
"""Folders that are the domain's own, whatever an image declares."""


@dataclass(frozen=True)
class Program:
    """What an image says that it runs.

    Attributes:
        argv: entrypoint and command, the lab's own step before them included.
        places: the folders that it declares as VOLUME.
        signal: by which it ends cleanly, without SIG.
    """

    argv: tuple[str, ...]
    environment: tuple[str, ...] = ()
    folder: str = "/"
    places: tuple[str, ...] = ()
    signal: str = "TERM"
    person: Person = field(default_factory=Person)

    @classmethod
    def read(cls, config: Mapping[str, Any], person: Person) -> Program:
        """From the `Config` of an image, as an engine has it."""
        places = (posixpath.normpath(f"/{place.lstrip('/')}") for place in config.get("Volumes") or {})
        return cls(
            argv=(*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())),
            environment=tuple(entry for entry in config.get("Env") or () if "=" in entry),
            folder=config.get("WorkingDir") or "/",
            places=tuple(sorted(place for place in places if not _taken(place))),
            signal=_signal(config.get("StopSignal") or ""),
            person=person,
        )

    def assignments(self, node: NodePlan) -> dict[str, str]:
        """What the initrd is told besides what it is told of every node, by name."""
        owned = [file.path for file in node.files if not file.mode & OTHERS]
        return {
            "PERSON": f"{self.person.user}:{self.person.group}",
            "OWNED": " ".join([*owned, MANIFEST]),
            "PLACES": "\n".join(place for place in self.places if place not in node.volumes.values()),
            "FOLDER": self.folder,
            "SIGNAL": self.signal,
        }

    def script(self, node: NodePlan) -> str:
        """What the first process reads before it becomes the program: assignments, and the function `become`."""
        own = dict(entry.split("=", 1) for entry in self.environment)
        environment = {"PATH": PATH, "HOME": self.person.home, "HOSTNAME": node.name} | own
        groups = ["--groups", ",".join(map(str, self.person.groups))] if self.person.groups else ["--clear-groups"]
        bounds = ",".join(["-all", *(f"+{name.lower()}" for name in node.capabilities)])
        rights = ["--reuid", str(self.person.user), "--regid", str(self.person.group), *groups, "--no-new-privs"]
        argv = [SETPRIV, *rights, "--inh-caps=-all", f"--bounding-set={bounds}"]
        argv += [f"{TOOLS}/env", "-i", *(f"{key}={value}" for key, value in environment.items()), *self.argv]
        assignments = {"RUN": TMPFS["/run"], "FOLDER": self.folder}
        lines = [f"{key}={shlex.quote(value)}" for key, value in assignments.items()]
        return "\n".join([*lines, f"become() {{ exec {shlex.join(argv)}; }}", ""])


def _taken(place: str) -> bool:
    """Whether a folder is one of the domain's own, or lies in one, or holds one."""
    return any(place == own or (own != "/" and place.startswith(f"{own}/")) for own in TAKEN)


def _signal(text: str) -> str:
    """A signal by the name or number that `kill` takes."""
    name = text.upper().removeprefix("SIG")
    return name if name.replace("+", "").replace("-", "").isalnum() else "TERM"
