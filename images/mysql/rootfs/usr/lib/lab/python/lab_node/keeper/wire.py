"""What a node asks the others: over TLS, by which both sides show that they are nodes of this cluster's own CA."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from . import rules
from .http1 import SILENCE, Refused
from .line import Line
from .membership import Members
from .server import CA, TLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .settings import Settings

STATE_PORT, QUESTION_PORT = 9104, 9105
CONTROL = "/run/lab/keeper.sock"
QUESTION_SECONDS = 15.0
CHUNK = 1 << 18


def view(state: dict[str, Any]) -> rules.View:
    """A node's state, as it says it."""
    values = {key: state[key] for key in ("name", "promised", "position", "member", "epoch", "waiting")}
    values.update(unlogged=state.get("unlogged", False), lineage=state.get("lineage", 0))  # an older version has none,
    values.update(owes=state.get("owes", 0), full=state.get("full", False))  # nor these,
    values.update(wants_copy=state.get("wants_copy", False), follows=state.get("following", ""))
    proposed = tuple((epoch, tuple(sorted(nodes))) for epoch, nodes in state.get("proposed", ()))
    values.update(members=Members(state["agreed"][0], tuple(sorted(state["agreed"][1])), proposed))
    history = tuple((epoch, after) for epoch, after in state["history"])
    return rules.View(**values, role=rules.Role(state["role"]), history=history)


class Peers:
    """The other nodes: what each said last, and questions to them."""

    def __init__(
        self,
        settings: Settings,
        others: dict[str, str],
        view: Callable[[dict[str, Any]], Any],
        tells: Callable[[], dict[str, int]],
    ) -> None:
        # A state that is said again, as all are at rest, is not read again.
        self._view = lru_cache(maxsize=max(1, 2 * len(others)))(lambda body: view(json.loads(body)))
        self._tells = tells
        self._answered: dict[str, tuple[int, float, Any]] = {}
        self._others = others
        self._interval = settings.interval
        self._headers = {SILENCE: repr(settings.silence)}
        self._seconds = settings.patience / 2  # for an answer, and how long what was said is believed
        self._pool = ThreadPoolExecutor(max(1, 2 * len(self._others)))
        self.renew()
        self._latest: dict[str, tuple[Any, float]] = {}

    def renew(self) -> None:
        """Takes this node's certificate and those that it trusts as they are now; connections that are open stay."""
        context = ssl.create_default_context(cafile=CA)
        context.load_cert_chain(TLS)
        self._tls = context

    def listen(self) -> None:
        """Begins to ask the others for their state."""
        for name in self._others:
            threading.Thread(target=self._listen, args=(name,), daemon=True).start()

    def _listen(self, name: str) -> None:
        tls = self._tls  # first: what is renewed after that is noticed
        line = self._line(name)
        while True:
            if tls is not self._tls:
                line.close()
                tls = self._tls
                line = self._line(name)
            claim, moment = self._tells(), time.monotonic()
            state = self._state(line, claim)
            if state:
                self._answered[name] = claim["leads"], moment, state
            self._latest[name] = (state, time.monotonic())
            time.sleep(self._interval)

    def states(self) -> list[Any]:
        """The present states of the reachable nodes; waits until each was queried once."""
        while len(self._latest) < len(self._others):
            time.sleep(0.05)
        oldest = time.monotonic() - self._seconds
        return [state for state, when in list(self._latest.values()) if state and when > oldest]

    def answered(self, leads: int) -> list[tuple[float, Any]]:
        """What others answered to the word that this node leads an epoch, and when they were asked, latest first."""
        answers = [(moment, state) for epoch, moment, state in list(self._answered.values()) if epoch == leads]
        return sorted(answers, key=lambda one: one[0], reverse=True)

    def last(self, name: str) -> tuple[float, Any]:
        """When a node was asked for its last answer, and the state in it; None of one that never answered."""
        _, moment, state = self._answered.get(name, (0, 0.0, None))
        return moment, state

    def _line(self, name: str) -> Line:
        return Line(self._others[name], QUESTION_PORT, self._tls, self._seconds)

    def _state(self, line: Line, claim: dict[str, int]) -> Any:  # noqa: ANN401  a View or a Seat
        try:
            status, body = line.ask("/state", json.dumps(claim).encode(), self._headers)
            return self._view(body) if status == http.client.OK else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, Refused):
            line.close()  # the next question connects again
            return None

    def ask_all(
        self, path: str, enough: Callable[[list[dict[str, Any]]], bool], **values: object
    ) -> list[dict[str, Any]]:
        """The answers of the others, until they suffice: a node that hangs delays no election."""
        answers: list[dict[str, Any]] = []
        for one in as_completed([self._pool.submit(self.ask, name, path, **values) for name in self._others]):
            answer = one.result()
            if answer is not None:
                answers.append(answer)
            if enough(answers):
                break
        return answers

    def begin(self, name: str, path: str, **values: object) -> Future[dict[str, Any] | None]:
        """A question whose answer is not waited for."""
        return self._pool.submit(self.ask, name, path, **values)

    def ask(self, name: str, path: str, **values: object) -> dict[str, Any] | None:
        """One node's answer, or None."""
        try:
            response = self._question(name, path, values)
            return dict(json.loads(response.read())) if response.status == http.client.OK else None
        except (OSError, ValueError, TypeError, http.client.HTTPException):
            return None

    def stream(self, name: str, path: str) -> Iterator[bytes]:
        """A long answer in pieces.

        Raises:
            OSError: there is none, or it broke off.
        """
        try:
            response = self._question(name, path, {})
            if response.status != http.client.OK:
                raise OSError(refusal(response.read()) or f"{name} says {response.status}")
            while piece := response.read(CHUNK):
                yield piece
        except http.client.HTTPException as error:
            raise OSError(f"{name} broke off: {error}") from None

    def _connection(self, name: str) -> http.client.HTTPSConnection:
        # By its address, which its certificate names too: the name of a node that leaves no longer resolves.
        return http.client.HTTPSConnection(self._others[name], QUESTION_PORT, timeout=self._seconds, context=self._tls)

    def _question(self, name: str, path: str, values: dict[str, object]) -> http.client.HTTPResponse:
        connection = self._connection(name)
        connection.connect()
        connection.sock.settimeout(QUESTION_SECONDS)
        connection.request("POST", path, json.dumps(values))
        return connection.getresponse()


def refusal(body: bytes) -> str:
    """What a refusal says: the text of its JSON, or all of it."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, LookupError, TypeError):
        return body.decode(errors="replace").strip()
