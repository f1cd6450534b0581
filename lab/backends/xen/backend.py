"""`Backend` on a Xen host: xl in dom0 by ssh for the machines, ssh into a domain for what is in it."""

from __future__ import annotations

import math
import os
import re
import shlex
import subprocess
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.backends.archive import archive
from lab.backends.base import ROUTE, Capabilities, Existing, Result, State
from lab.backends.followed import Followed
from lab.backends.xen import cpio, domain, guest, host, keys, trouble
from lab.errors import BackendError, HostError, LabError
from lab.recipes import recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from lab.backends.base import Room
    from lab.backends.optional import ImageFacts
    from lab.backends.xen.program import Program
    from lab.backends.xen.settings import Xen
    from lab.building.trial import Trial
    from lab.plan import NodePlan, Plan
    from lab.recipes import Recipe

BASH = "/bin/bash"  # what is asked for as a shell
BOOT_SECONDS = 60
RUN_MARGIN = 5  # seconds for the way to a domain and back, above what the command itself may take
CONSOLE_LINES = 25  # of a domain that did not boot
SERVICE_LINE, ANY_LINE = re.compile(r"^[a-z][\w.-]* \| "), re.compile("")
GONE, SILENT, NOTHING = 3, 4, 5  # exit codes of the verbs (xen/verbs)


class XenBackend:
    """One cluster on one Xen host."""

    name = "xen"

    def __init__(self, cluster: str, settings: Xen) -> None:
        self.cluster = cluster
        self.settings = settings
        self.dom0, self.clock = host.find(self.settings, cluster)
        self.nodes = host.Nodes(self.dom0, cluster, self.clock)
        self._disks: dict[str, str] = {}
        self._metadata: dict[str, domain.Metadata] = {}
        self._believed: dict[str, State] = {}
        self._network: str | None = None
        self._network_lock = threading.Lock()
        self._starts: threading.Semaphore | None = None
        self._starts_lock = threading.Lock()

    def capabilities(self) -> Capabilities:
        facts = host.facts(self.dom0)
        self._at_once(facts)
        own = domain.bridge(self.cluster, self.settings)
        return Capabilities(
            f"Xen {facts.version} ({self.dom0.link.where})",
            guest.features(),
            {subnet: f"{ROUTE}the Xen host ({device})" for subnet, device in facts.routes if device != own},
            max_nodes=self.settings.max_domains,
            max_nodes_option="xen.max-domains",
            rooms=(*host.rooms(self.dom0, facts, self.settings.memory), *_rooms_for_images()),
            least_port=_least_port(),
            own_clocks=True,
            sized_volumes=True,
        )

    def observe(self) -> Existing:
        printed = self.dom0.do("observe")
        self._metadata = domain.known(printed)
        existing = domain.existing(self.cluster, printed)
        self._believed = {node.name: node.state for node in existing.nodes}
        return existing

    def has_base_image(self, family: str, seconds: float) -> bool:
        from lab import engine
        from lab.building import base_image

        with engine.connected(engine.REQUEST_SECONDS) as api:
            return base_image.available(api, family, seconds)

    def build(
        self, recipes: Sequence[Recipe], report: Callable[[str, str], None], trial: Callable[[str], Trial]
    ) -> None:
        from lab import engine
        from lab.backends.xen import application, toolbox
        from lab.building import builder

        with engine.connected(engine.REQUEST_SECONDS) as api, ThreadPoolExecutor(builder.PARALLEL) as pool:
            builder.build(api, recipes, report, trial)
            files = guest.files(report)
            needed = [*recipes, *application.beside(api, recipes, report)]
            disks = list(pool.map(lambda recipe: toolbox.disk(api, recipe.tag, recipe.role, report), needed))
        self._disks |= {recipe.tag: disk.name for recipe, disk in zip(needed, disks, strict=True)}
        host.place(self.dom0, [*files, *disks], report)

    def create(self, plan: Plan, node: NodePlan, files: Mapping[str, tuple[bytes, int]]) -> None:
        bridge = domain.bridge(self.cluster, self.settings)
        self._prepare(bridge, f"{plan.network.gateway}/{plan.network.prefixlen}")
        program = self._program(node) if node.sealed else None
        disk = self._disk(node.image, f"app-{node.role}" if program else node.role)
        beside = self._disk(recipe("base", plan.family).tag, "base") if program else ""
        kernel = guest.name(guest.KERNEL)
        configuration = domain.config(plan, node, self.settings, self.dom0.store, disk, kernel, beside)
        key_files = keys.keys(self.cluster)
        inbox = domain.payload(files) | {
            "/lab/node": (domain.assignments(plan, node, program).encode(), 0o600),
            **({"/lab/program": (program.script(node).encode(), 0o600)} if program else {}),
            "/lab/key/authorized_keys": (key_files.authorized.read_bytes(), 0o600),
            "/lab/key/host": (key_files.host.read_bytes(), 0o600),
        }
        metadata = domain.metadata(plan, node, self.settings, disk)
        folder = domain.folder(configuration, inbox)
        self._ask("create", node.name, self.settings.volume, metadata.line, *node.volumes, stdin=folder)
        self._metadata[node.name] = metadata

    def _prepare(self, bridge: str, address: str) -> None:
        """Once for all nodes."""
        with self._network_lock:
            if self._network != address:
                host.prepare(self.dom0, self.clock, bridge, address, own=not self.settings.bridge)
                self._network = address

    def _disk(self, image: str, role: str) -> str:
        if image not in self._disks:
            from lab import engine
            from lab.backends.xen import toolbox

            with engine.connected(engine.REQUEST_SECONDS) as api:
                self._disks[image] = toolbox.disk_name(api, image, role)
        return self._disks[image]

    def _program(self, node: NodePlan) -> Program:
        """What the image of an application runs."""
        from lab import engine
        from lab.backends.xen import application

        with engine.connected(engine.REQUEST_SECONDS) as api:
            return application.program(api, node.image)

    def image(self, reference: str) -> ImageFacts | None:
        from lab import engine
        from lab.building import sources

        with engine.connected(engine.REQUEST_SECONDS) as api:
            return sources.facts(api, reference)

    def source(self, folder: Path) -> str:
        from lab.building import sources

        return sources.digest(folder)

    def start(self, node: str) -> None:
        known = replace(self._known(node), started=True)
        address = known.fixed.address
        # More at once than the host has processors take longer in all (measured, docs/figures.md).
        with self._at_once():
            initrd, limit = guest.name(guest.INITRD), self._limit(BOOT_SECONDS)
            self._ask("start", node, initrd, address, domain.PORT, limit, known.line, seconds=BOOT_SECONDS * 2)
        if known.fixed.publish:
            host.forward(self.dom0, address, known.fixed.publish)

    def _at_once(self, facts: host.Facts | None = None) -> threading.Semaphore:
        """As many starts as the host has processors; one for all threads."""
        with self._starts_lock:
            if self._starts is None:
                self._starts = threading.Semaphore((facts or host.facts(self.dom0)).processors)
            return self._starts

    def stop(self, node: str) -> None:
        seconds = self._known(node).stop
        self._ask("stop", node, self._limit(seconds), seconds=seconds + host.VERB_SECONDS)
        self.nodes.forget(node)

    def _limit(self, seconds: float) -> int:
        """A limit that a verb itself counts, in whole seconds."""
        return math.ceil(self.clock.limit(seconds))

    def kill(self, node: str) -> None:
        self._ask("kill", node)
        self.nodes.forget(node)

    def pause(self, node: str) -> None:
        self._ask("pause", node)
        self._believed.pop(node, None)

    def remove(self, node: str) -> None:
        self._ask("remove", node)
        self.nodes.forget(node)
        self._metadata.pop(node, None)

    def clear(self, *, volumes: bool, keep: Sequence[str] = ()) -> Sequence[str]:
        own = "no" if self.settings.bridge else "yes"
        self.dom0.do("clear", domain.bridge(self.cluster, self.settings), own, "yes" if volumes else "no", *keep)
        self.nodes.close()
        host.forward_end(self.dom0)
        self._network = None
        return ()

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        command = ["timeout", "-k", "2", str(self.clock.limit(seconds)), *argv]
        done = self._inside(node, self._node_command(node, command), seconds)
        return Result(node, tuple(argv), done.rc, done.out, done.stderr.decode(errors="replace"))

    def run_in_network(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        # A domain's root may do everything in it. Beside an application the lab's own programs are.
        done = self._inside(node, shlex.join(["timeout", "-k", "2", str(self.clock.limit(seconds)), *argv]), seconds)
        return Result(node, tuple(argv), done.rc, done.out, done.stderr.decode(errors="replace"))

    def _node_command(self, node: str, argv: Sequence[str]) -> str:
        """A command in the node's own files, for the shell in which commands arrive."""
        return shlex.join([domain.INTO, *argv] if self._sealed(node) else argv)

    def _sealed(self, node: str) -> bool:
        """Whether a node is an application's."""
        return bool(self._known(node).fixed.sealed)

    def put(self, node: str, files: Mapping[str, tuple[bytes, int]]) -> None:
        if self._runs(node):
            unpack = domain.unpack(files) if self._sealed(node) else domain.UNPACK
            done = self._inside(node, unpack, stdin=archive(files))
            if done.rc:
                raise BackendError(f"copying files into {node}: {done.err}", where=node)
        else:
            self._ask("append", node, stdin=cpio.archive(domain.payload(files)))

    def get(self, node: str, path: str) -> bytes | None:
        if self._runs(node):
            done = self._inside(node, self._node_command(node, ["cat", path]))
            return None if done.rc else done.stdout
        done = self._ask("dig", node, self._known(node).disk, path, good=(0, NOTHING))
        laid, _, content = done.stdout.partition(b"\n\n")
        inbox = cpio.files(self._ask("inbox", node).stdout)
        if inbox.get("/lab/letter") != laid.strip() and f"/lab/files{path}" in inbox:
            return inbox[f"/lab/files{path}"]
        return None if done.rc else content

    def note(self, key: str, text: str | None) -> None:
        self.dom0.do("note", key, "" if text is None else text)

    def notes(self) -> Mapping[str, str]:
        rows = (line.partition(" ") for line in self.dom0.do("notes").splitlines())
        return {key: text for key, _, text in rows}

    def logs(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        if follow:
            return self._followed(node, tail, SERVICE_LINE)
        return _last(filter(SERVICE_LINE.match, self._printed(node)), tail)

    def console(self, node: str, *, follow: bool = False, tail: int | None = None) -> Iterator[str]:
        return self._followed(node, tail, ANY_LINE) if follow else _last(self._printed(node), tail)

    def _printed(self, node: str) -> Iterator[str]:
        done = self._ask("console", node, "+1", "no", good=(0, NOTHING))
        if done.rc:
            self._say_why_silent(node)
        yield from _lines(done.stdout)

    def _followed(self, node: str, tail: int | None, kind: re.Pattern[str]) -> Iterator[str]:
        def opened() -> subprocess.Popen[bytes]:
            self.dom0.link.connect()
            first = "+1" if tail is None else str(tail)
            line = self.dom0.line("console", first, "yes", node=node, uuid=self._uuid(node), seconds=None)
            return subprocess.Popen(self.dom0.link.command(line), stdout=subprocess.PIPE)  # noqa: S603

        return Followed(opened, lambda reader: filter(kind.match, _read(reader)), subprocess.Popen.terminate)

    def _say_why_silent(self, node: str) -> None:
        if not host.facts(self.dom0).keeps_consoles:
            raise HostError(
                f"{self.dom0.link.where} keeps no log of its domains' consoles, so that {node} has none",
                next_step="there: XENCONSOLED_TRACE=guest in /etc/default/xen, then restart xenconsoled",
            )

    def shell(self, node: str, argv: Sequence[str], *, terminal: bool) -> list[str]:
        link = self.nodes.link(node, self._address(node))
        link.connect()
        if self._sealed(node) and list(argv) == [BASH]:
            argv = [domain.SHELL]
        return link.command(self._node_command(node, argv), terminal=terminal)

    def endpoint(self, port: int) -> str:
        node, entry = self.observe().published(port)
        host.forward(self.dom0, node.address, node.fixed.publish)
        return f"127.0.0.1:{entry.host_port}"

    def _ask(
        self,
        verb: str,
        node: str,
        *arguments: str | int,
        stdin: bytes = b"",
        seconds: float = host.VERB_SECONDS,
        good: Sequence[int] = (0,),
    ) -> host.Completed:
        """A verb on a node; what goes wrong with a domain is told with its console's last lines."""
        done = self.dom0.ask(verb, *arguments, node=node, uuid=self._uuid(node), stdin=stdin, seconds=seconds)
        if done.rc in good:
            return done
        if done.rc in (GONE, SILENT):
            silent = f"did not let the lab in within {self._limit(BOOT_SECONDS)} s"
            what = "ended while it booted" if done.rc == GONE else silent
            console = self.dom0.ask("console", CONSOLE_LINES, "no", node=node, uuid=self._uuid(node)).stdout
            shown = "".join(f"\n    | {line}" for line in _lines(console)[-CONSOLE_LINES:])
            raise BackendError(
                f"the domain of {node} {what}; its console:{shown or ' (nothing)'}",
                where=node,
                next_step=f"'lab logs --console {node}' shows all of it",
            )
        raise trouble.refused(self.dom0.link.where, f"{verb} {node}", done.err or done.out)

    def _inside(self, node: str, command: str, seconds: float = 30, stdin: bytes = b"") -> host.Completed:
        """A shell command in a running node."""
        try:
            return self.nodes.link(node, self._address(node)).run(command, seconds=seconds + RUN_MARGIN, stdin=stdin)
        except (BackendError, HostError) as error:
            self.nodes.forget(node)
            state = self._state(node)
            what = f"does not answer: {error.what}" if state is State.RUNNING else f"is {state.value}"
            next_step = f"'lab logs --console {node}' shows what it did; 'lab start {node}' boots or wakes it"
            raise BackendError(f"{node} {what}", where=node, next_step=next_step) from error

    def _state(self, node: str) -> State:
        observed = self.observe().node(node)
        if observed is None:
            raise self._no_such(node)
        return observed.state

    def _runs(self, node: str) -> bool:
        """Whether a node runs: as when it was last seen running and still answers, else as the host says now."""
        if self._believed.get(node) is State.RUNNING and self.nodes.answers(node):
            return True
        return self._state(node) is State.RUNNING

    def _address(self, node: str) -> str:
        return self._known(node).fixed.address

    def _known(self, node: str) -> domain.Metadata:
        """The host's record of a node; read once, since it changes only when the node is recreated."""
        if node not in self._metadata:
            self.observe()
        if node not in self._metadata:
            raise self._no_such(node)
        return self._metadata[node]

    def _no_such(self, node: str) -> BackendError:
        return BackendError(f"there is no node {node} in '{self.cluster}'", where=node)

    def _uuid(self, node: str) -> str:
        return domain.identity(self.cluster, node)


def _least_port() -> int:
    """Ports are bound by this user's own ssh."""
    from lab.engine import nature

    return 1 if os.geteuid() == 0 else nature.first_unprivileged()


def _rooms_for_images() -> list[Room]:
    """The disk of the engine that builds; none where no engine answers, which a cluster that is there does not need."""
    from lab import engine
    from lab.engine import room

    try:
        with engine.connected(engine.REQUEST_SECONDS) as api:
            return [room.for_images(api)]
    except LabError:
        return []


def _last(lines: Iterable[str], count: int | None) -> Iterator[str]:
    """The last of some lines; all where no count is given."""
    yield from lines if count is None else deque(lines, maxlen=count)


def _lines(raw: bytes) -> list[str]:
    return raw.decode(errors="replace").replace("\r", "").splitlines()


def _read(reader: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines that a command of this machine prints; it is ended where they are dropped."""
    with reader:
        try:
            assert reader.stdout  # noqa: S101  it is a pipe
            for raw in reader.stdout:
                yield from _lines(raw)
        finally:
            reader.terminate()
