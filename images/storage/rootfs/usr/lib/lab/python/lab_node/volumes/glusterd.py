"""A client of this node's glusterd: what is asked of it, and done through it, by the gluster command."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from pathlib import Path
from xml.etree import ElementTree as ET

from . import rules
from .errors import Hung, Missing
from .rules import Volume

ANSWER_SECONDS = 180  # an emulated processor needs two minutes to set the options of a volume
QUESTION_SECONDS = 25  # for what glusterd knows by itself
CREATED, STARTED = "0", "1"


class Glusterd:
    """The daemon of one node. Each method raises `Missing` where it failed, `Hung` where it never will answer."""

    def __init__(self, node: str) -> None:
        self.node = node
        self._quickest: float | None = None

    def volumes(self) -> dict[str, Volume]:
        """All volumes that it knows, by name."""
        answer = self._ask("volume", "info", seconds=QUESTION_SECONDS)
        return {one.name: one for one in map(parsed, answer.iter("volume"))}

    def connected(self, node: str = "") -> set[str]:
        """The nodes that this one reaches, or another one that is named, and itself."""
        remote = [f"--remote-host={node}"] if node else []
        peers = self._ask(*remote, "peer", "status", seconds=QUESTION_SECONDS).iter("peer")
        reached = {peer.findtext("hostname", "") for peer in peers if peer.findtext("connected") == "1"}
        return {node or self.node} | reached

    def create(self, name: str, peers: list[str]) -> None:
        """Makes a volume with a copy on each node."""
        copies = ["replica", str(len(peers))] if len(peers) > 1 else []
        self._ask("volume", "create", name, *copies, *(f"{peer}:/bricks/{name}" for peer in peers))

    def set_options(self, name: str, options: dict[str, str]) -> None:
        """Changes options of a volume."""
        self._ask("volume", "set", name, *(word for pair in options.items() for word in pair))

    def start(self, name: str, *, force: bool = False) -> None:
        """Starts a volume; by force, also the bricks of one that is started."""
        self._ask("volume", "start", name, *(["force"] if force else []))

    def stop(self, name: str) -> None:
        """Stops a volume: its mounts wait."""
        self._ask("volume", "stop", name)

    def index_whole_entries(self, name: str) -> None:
        """Has a volume's bricks note a directory, and not the changed names in it; as far as that can be now."""
        words = ["volume", "heal", name, "granular-entry-heal", "disable"]
        subprocess.run(["gluster", *words], check=False, capture_output=True, timeout=ANSWER_SECONDS)

    def split(self, name: str) -> set[str]:
        """The paths in a volume whose copies differ while none is known to be right."""
        elements = self._ask("volume", "heal", name, "info", "split-brain").iter("file")
        return {file.text for file in elements if file.text}

    def kill(self) -> None:
        """Ends it; the supervisor restarts it."""
        subprocess.run(["pkill", "-KILL", "-x", "glusterd"], check=False)

    def _ask(self, *words: str, seconds: float = ANSWER_SECONDS) -> ET.Element:
        """The parsed answer of the gluster command."""
        worked, began = processor_seconds(), time.monotonic()
        try:
            done = subprocess.run(
                ["gluster", "--mode=script", "--xml", *words],
                check=False, capture_output=True, text=True, timeout=seconds,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            kind = Hung if rules.hangs(seconds, self._quickest, processor_seconds() - worked) else Missing
            raise kind(f"glusterd does not answer 'gluster {' '.join(words)}'") from None
        try:
            answer = ET.fromstring(done.stdout)  # noqa: S314  glusterd's own
        except ET.ParseError:
            raise Missing((done.stderr or done.stdout).strip() or "glusterd does not answer") from None
        if answer.findtext("opRet") != "0":
            raise Missing(answer.findtext("opErrstr") or f"'gluster {' '.join(words)}' failed")
        took = time.monotonic() - began
        self._quickest = min(self._quickest or took, took)
        return answer


def parsed(element: ET.Element) -> Volume:
    """A volume of `gluster volume info`."""
    status = element.findtext("status")
    options = {one.findtext("name", ""): one.findtext("value", "") for one in element.iter("option")}
    return Volume(
        element.findtext("name", ""), uuid.UUID(element.findtext("id")), status == CREATED, status == STARTED, options
    )


def processor_seconds() -> float:
    """Seconds of the processor that glusterd has used, and those whom it waited for."""
    pid = subprocess.run(["pgrep", "-ox", "glusterd"], check=False, capture_output=True, text=True).stdout.strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0
