"""Checks of effects in one node: a file, a running service, an open port, the output of a command."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pydantic import Field

from lab.evidence.outcomes import CheckInput, green, kind, red, unknown

if TYPE_CHECKING:
    from lab.evidence.outcomes import CheckOutcome, Scene

STAT = "stat -c '%F|%U|%G|%a' -- {path}"
SUPERVISORCTL = ["supervisorctl", "-c", "/etc/lab/supervisord.conf"]


class FileCheck(CheckInput):
    """A file or directory of a node, with its owner, mode and content."""

    node: str
    path: str
    owner: str = ""
    group: str = ""
    mode: str = Field("", pattern=r"^[0-7]{0,4}$", description="such as 640")
    has: str = Field("", description="a regular expression that its text contains")
    lacks: str = Field("", description="one that its text does not contain")


@kind("file", FileCheck, ("no-file", "owner", "mode", "content"))
def file(scene: Scene, told: FileCheck) -> CheckOutcome:
    """Looks at a file."""
    seen = scene.run(told.node, ["sh", "-c", STAT.format(path=shlex.quote(told.path))])
    if not seen.ok:
        return red("no-file", f"{told.node} has no {told.path}")
    _, owner, group, mode = seen.stdout.strip().split("|")
    for wanted, found in ((told.owner, owner), (told.group, group)):
        if wanted and wanted != found:
            return red("owner", f"{told.path} belongs to {owner}:{group}", f"{owner}:{group}", f"owner {wanted}")
    if told.mode and int(told.mode, 8) != int(mode, 8):
        return red("mode", f"{told.path} has the mode {mode}", mode, f"mode {told.mode}")
    text = (scene.backend.get(told.node, told.path) or b"").decode(errors="replace") if told.has or told.lacks else ""
    if told.has and not re.search(told.has, text, re.MULTILINE):
        return red("content", f"{told.path} does not say what it should")
    if told.lacks and (found_text := re.search(told.lacks, text, re.MULTILINE)):
        return red("content", f"{told.path} still says '{found_text[0].strip()}'")
    return green(f"{told.path} is as it should be", f"{owner}:{group} {mode}")


class ServiceCheck(CheckInput):
    """A service under the node's supervisor that runs."""

    node: str
    service: str
    seconds: float = Field(1, description="for how long it has run, at least")


@kind("service", ServiceCheck, ("not-running", "restarting"))
def service(scene: Scene, told: ServiceCheck) -> CheckOutcome:
    """Asks the supervisor for the state of a service."""
    seen = scene.run(told.node, [*SUPERVISORCTL, "status", told.service])
    words = seen.stdout.split()
    state = words[1] if len(words) > 1 else ""
    if not state:
        return unknown(f"the supervisor of {told.node} does not answer: {seen.last_line}")
    if state in ("STARTING", "BACKOFF"):
        return red("restarting", f"{told.service} on {told.node} ends each time that it is started", state)
    if state != "RUNNING":
        return red("not-running", f"{told.service} on {told.node} does not run", state)
    return green(f"{told.service} runs on {told.node}", state)


class PortCheck(CheckInput):
    """A TCP port on which something of a node listens."""

    node: str
    port: int


@kind("port", PortCheck, ("not-listening",))
def port(scene: Scene, told: PortCheck) -> CheckOutcome:
    """Lists the node's listening sockets."""
    seen = scene.run(told.node, ["ss", "-Hlnt", f"sport = :{told.port}"])
    if not seen.ok:
        return unknown(f"'ss' failed on {told.node}: {seen.last_line}")
    if not seen.stdout.strip():
        return red("not-listening", f"nothing listens on port {told.port} of {told.node}")
    return green(f"port {told.port} of {told.node} is open", seen.stdout.split()[3])


class CommandCheck(CheckInput):
    """A command in a node, its exit code and what it prints."""

    node: str
    run: str
    prints: str = Field("", description="a regular expression that its output contains")
    lacks: str = Field("", description="one that its output does not contain")
    says: str = Field("", description="what a failure means, as a sentence")
    reason: str = Field("failed", description="the word for a failure, for hints")
    seconds: float = 20


@kind("command", CommandCheck, ("failed",))
def command(scene: Scene, told: CommandCheck) -> CheckOutcome:
    """Runs a command."""
    done = scene.run(told.node, ["sh", "-c", told.run], told.seconds)
    said = done.stdout + done.stderr
    figure = done.last_line[:80]
    if told.prints and not re.search(told.prints, said, re.MULTILINE):
        return red(told.reason, told.says or f"the command on {told.node} does not print '{told.prints}'", figure)
    if told.lacks and (found := re.search(told.lacks, said, re.MULTILINE)):
        return red(told.reason, told.says or f"the command on {told.node} prints '{found[0]}'", figure)
    if not done.ok and not told.prints:
        return red(told.reason, told.says or f"the command on {told.node} fails: {done.last_line}", figure)
    return green(f"the command on {told.node} answers as it should", figure)
