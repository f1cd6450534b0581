"""supervisord, started with few of the modules that it imports, and at once; it notes that it is told to end.

Most of its start is imports: `pkg_resources` for one entry point, and what only its clients and its web page need. What
`stand_ins` names is imported when it is used, which is never, or at the first request.
"""

from __future__ import annotations

import os
import signal
import sys
import types

STOPPING = "/run/stopping"  # whether the node is being stopped; gone with /run at its next start
ENDING = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Later(types.ModuleType):
    """A module that is imported when something of it is used that was not given to it."""

    def __getattr__(self, name: str) -> object:
        """Takes an attribute from the real module."""
        if name.startswith("__"):  # asked by the machinery of imports
            raise AttributeError(name)
        return getattr(real(self.__name__), name)


def real(name: str) -> types.ModuleType:
    """The module itself, instead of its stand-in."""
    if isinstance(sys.modules.get(name), Later):
        del sys.modules[name]
    return __import__(name, fromlist=["__name__"])


def late(module: str, name: str) -> object:
    """A function of a module that is imported when the function is called."""

    def call(*args: object, **options: object) -> object:
        return getattr(real(module), name)(*args, **options)

    return call


class Page:
    """No web page: the socket serves `supervisorctl`."""

    def __init__(self, *_: object) -> None:
        """Takes what the real one takes."""

    def match(self, _: object) -> bool:
        """No request is for it."""
        return False


def parse(spec: str) -> types.SimpleNamespace:
    """An entry point such as `x=supervisor.rpcinterface:make_main_rpcinterface`, with its `resolve()`."""
    module, _, attribute = spec.partition("=")[2].partition(":")
    return types.SimpleNamespace(resolve=lambda: getattr(real(module), attribute))


def stand_ins() -> dict[str, dict[str, object]]:
    """Modules by name, and what the supervisor takes of each while it is imported."""
    return {
        "pkg_resources": {"EntryPoint": types.SimpleNamespace(parse=parse)},
        "decimal": {"Decimal": late("decimal", "Decimal")},
        "hashlib": {name: late("hashlib", name) for name in ("md5", "sha1")},
        "html": {"escape": late("html", "escape")},
        "html.entities": {},
        "html.parser": {"HTMLParser": object},
        "http.client": {"HTTPConnection": object},  # a base of its clients' connections
        "mimetypes": {},
        "platform": {"node": lambda: os.uname().nodename},
        "supervisor.web": {"supervisor_ui_handler": Page},
        "tempfile": {"gettempdir": lambda: "/run"},  # for logs of services, which have none
        "traceback": {},
        "urllib.parse": {name: late("urllib.parse", name) for name in ("splitquery", "unquote")},
        "xml.etree.ElementTree": {"iterparse": late("xml.etree.ElementTree", "iterparse")},
    }


def stand_in() -> None:
    """Puts them in the places of the modules."""
    for name, attributes in stand_ins().items():
        module = Later(name)
        vars(module).update(attributes)
        sys.modules[name] = module
        package, _, own = name.rpartition(".")
        if package:
            setattr(__import__(package, fromlist=["__name__"]), own, module)
    sys.modules["gzip"] = None  # type: ignore[assignment]  # to xmlrpc.client it is missing


def main() -> None:
    """Becomes the supervisor."""
    stand_in()
    from supervisor import options, poller, supervisord  # behind the stand-ins, which they import

    receive, poll = options.SignalReceiver.receive, poller.Poller.poll

    def note(self: object, number: int, frame: object) -> None:
        """Marks the node as stopping at once: the supervisor's loop may sleep for a second yet, and services serve."""
        receive(self, number, frame)
        if number in ENDING:
            os.close(os.open(STOPPING, os.O_CREAT | os.O_WRONLY, 0o644))  # nothing else here imports pathlib

    def look(self: object, _: float) -> object:
        """Waits for nothing the first time: the supervisor starts its services after it has waited once."""
        poller.Poller.poll = poll
        return poll(self, 0)

    options.SignalReceiver.receive, poller.Poller.poll = note, look
    supervisord.main()


if __name__ == "__main__":
    main()
