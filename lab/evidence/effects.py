"""Checks of effects in one node: a file, a running service, an open port, the output of a command."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from pydantic import Field

from lab.evidence.answers import FIGURE_LENGTH, AnswerInput
from lab.evidence.changed_files import changed
from lab.evidence.outcomes import CheckInput, green, kind, red, unknown

if TYPE_CHECKING:
    from lab.evidence.outcomes import CheckOutcome, Scene

STAT = "stat -c '%F|%U|%G|%a' -- {path}"
SUPERVISORCTL = ["supervisorctl", "-c", "/etc/lab/supervisord.conf"]
NOT_RESTARTED = "not-restarted"


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
def file(scene: Scene, check: FileCheck) -> CheckOutcome:
    """Looks at a file."""
    status = scene.run(check.node, ["sh", "-c", STAT.format(path=shlex.quote(check.path))])
    if not status.ok:
        return red("no-file", f"{check.node} has no {check.path}")
    _, owner, group, mode = status.stdout.strip().split("|")
    for expected, actual in ((check.owner, owner), (check.group, group)):
        if expected and expected != actual:
            return red("owner", f"{check.path} belongs to {owner}:{group}", f"{owner}:{group}", f"owner {expected}")
    if check.mode and int(check.mode, 8) != int(mode, 8):
        return red("mode", f"{check.path} has the mode {mode}", mode, f"mode {check.mode}")
    text = (
        (scene.backend.get(check.node, check.path) or b"").decode(errors="replace") if check.has or check.lacks else ""
    )
    if check.has and not re.search(check.has, text, re.MULTILINE):
        return red("content", f"{check.path} does not say what it should")
    if check.lacks and (found_text := re.search(check.lacks, text, re.MULTILINE)):
        return red("content", f"{check.path} still says '{found_text[0].strip()}'")
    return green(f"{check.path} belongs to {owner}:{group} and has the mode {mode}", f"{owner}:{group} {mode}")


class ServiceCheck(CheckInput):
    """A service under the node's supervisor that runs, with its files as they are now.

    Attributes:
        reads: the files that it reads when it starts or is reloaded, and only then.
        readers: names of those of its processes that start when it reads them; empty: any of them.
    """

    node: str
    service: str
    seconds: float = Field(1, description="for how long it has run, at least")
    reads: list[str] = Field([], description="files that it reads when it starts or is reloaded")
    readers: list[str] = Field([], description="names of the processes that read them")

    @property
    def own_reasons(self) -> tuple[str, ...]:
        """All that it gives: each is mended differently."""
        return ("not-running", "restarting", *((NOT_RESTARTED,) if self.reads else ()))


@kind("service", ServiceCheck, ("not-running", "restarting", NOT_RESTARTED))
def service(scene: Scene, check: ServiceCheck) -> CheckOutcome:
    """Asks the supervisor for the state of a service."""
    answer = scene.run(check.node, [*SUPERVISORCTL, "status", check.service])
    words = answer.stdout.split()
    state = words[1] if len(words) > 1 else ""
    if not state:
        return unknown(f"the supervisor of {check.node} does not answer: {answer.last_line}")
    if state in ("STARTING", "BACKOFF"):
        return red("restarting", f"{check.service} on {check.node} ends each time that it is started", state)
    if state != "RUNNING":
        return red("not-running", f"{check.service} on {check.node} does not run", state)
    pid = re.search(r"\bpid (\d+)", answer.stdout)
    if check.reads and pid and (late := changed(scene, check.node, int(pid[1]), check.reads, check.readers)):
        says = f"{late.path} of {check.node} was changed after {check.service} had read it"
        return red(NOT_RESTARTED, says, f"{late.seconds:.1f} s after")
    return green(f"{check.service} runs on {check.node}", state)


class PortCheck(CheckInput):
    """A TCP port on which something of a node listens."""

    node: str
    port: int


@kind("port", PortCheck, ("not-listening",))
def port(scene: Scene, check: PortCheck) -> CheckOutcome:
    """Lists the node's listening sockets."""
    answer = scene.run(check.node, ["ss", "-Hlnt", f"sport = :{check.port}"])
    if not answer.ok:
        return unknown(f"'ss' failed on {check.node}: {answer.last_line}")
    if not answer.stdout.strip():
        return red("not-listening", f"nothing listens on port {check.port} of {check.node}")
    return green(f"port {check.port} of {check.node} is open", answer.stdout.split()[3])


class CommandCheck(AnswerInput):
    """A command in a node, its exit code and what it prints."""

    node: str
    run: str
    reason: str = Field("failed", description="the word for a failure, for hints")
    seconds: float = 20


@kind("command", CommandCheck, ("failed",))
def command(scene: Scene, check: CommandCheck) -> CheckOutcome:
    """Runs a command."""
    done = scene.run(check.node, ["sh", "-c", check.run], check.seconds)
    output = done.stdout + done.stderr
    figure = (done.stdout.strip().splitlines() or [done.last_line])[-1][:FIGURE_LENGTH]
    if not output.strip() and "{figure}" not in check.says:
        figure = ""  # an exit code alone tells a person nothing
    if check.prints and not re.search(check.prints, output, re.MULTILINE):
        return check.refused(f"the command on {check.node} prints something else", output, figure)
    if check.lacks and (match := re.search(check.lacks, output, re.MULTILINE)):
        return check.refused(f"the command on {check.node} prints '{match[0]}'", output, figure)
    if not done.ok and not check.prints:
        return check.refused(f"the command on {check.node} fails: {done.last_line}", output, figure)
    return check.passed(f"the command on {check.node} answers as it should", output, figure)
