"""What the page answers: `/`, `/state`, `/events`, and changes by POST."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from lab.errors import LabError, SpecError, UserError
from lab.page import offers, runs
from lab.page.actions import Actions
from lab.page.collector import Collector
from lab.page.runs import Runs
from lab.page.security import CONTENT_POLICY, HEADERS, REPORT_POLICY, Guard, Right, Tokens, bearer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from starlette.requests import Request

    from lab.backends.base import Backend
    from lab.page.watch import Look
    from lab.topology import Cluster

STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
TYPES |= {".json": "application/json", ".jsonl": "application/x-ndjson", ".csv": "text/csv; charset=utf-8"}
NO_PICTURE = 'data-version="0">'
RETRY_MILLISECONDS = 700
FRESH_SECONDS = 3.0
SILENCE_SECONDS = 1.0
BODY_BYTES = 10_000
WATCH_SECONDS = 0.5
LESSON_SECONDS = 1.0


class Panel(Protocol):
    """Fills the panel beside the picture, such as with a lesson."""

    def lesson(self, look: Look) -> Mapping[str, Any]:
        """What is shown; called about once a second while there are viewers. All keys are optional.

        `title`; `text`, blocks as of `lab.learning.blocks`; `tasks`, each `id`, `says`, `state` (`open`, `done`,
        `failed` or `unknown`), `next` (whether it is the open one), `text`, `figure`, `hints` (each blocks), `wasGreen`
        (Unix seconds, where it is not now) and `actions` of its own; `after`, each `id`, `says` and `text`; `actions`,
        each `verb`, `label` and `command`. Empty: no panel. A LabError is shown.
        """

    def again(self) -> str:
        """The command that makes a cluster again which is gone; empty: `lab up`."""

    def act(self, verb: str, values: Mapping[str, str]) -> str:
        """Does one of the `actions`; returns what to say. Called in a thread; a LabError is shown."""


class Page:
    """A page of one cluster: its collector, its works and its routes."""

    def __init__(  # noqa: PLR0913  a page's options
        self,
        backend: Backend,
        topology: Cluster,
        *,
        port: int,
        tokens: Tokens,
        panel: Panel | None = None,
        folder: Path = Path("runs"),
        suffix: str = "",
        named: Callable[[str], str] = str,
        visitors: bool = True,
    ) -> None:
        self.guard, self.panel = Guard(tokens, port), panel
        self.collector = Collector(backend, topology, visitors=visitors)
        self.actions = Actions(self.collector, suffix, named)
        self.runs = Runs(self.collector, self.actions, folder)
        self.ending = asyncio.Event()
        self._lesson: Mapping[str, Any] = {}
        self._lesson_at = 0.0
        self._watching: asyncio.Task[None] | None = None
        self.collector.extra.append(self._again)
        if panel is not None:
            self.collector.extra.append(self._taught)

    def application(self) -> Starlette:
        """The ASGI application; the collector runs while it does."""
        read, change = self._read, self._change
        routes = [
            Route("/", self._open),
            Route("/state", read(self._state)),
            Route("/events", read(self._events)),
            Route("/picture.svg", read(self._picture)),
            Route("/offers", read(self._offers)),
            Route("/lesson", read(self._get_lesson), methods=["GET"]),
            Route("/static/{name}", read(self._static)),
            Route("/runs/{run}/{name}", read(self._run)),
            Route("/do", change(self._do), methods=["POST"]),
            Route("/heal", change(self._heal), methods=["POST"]),
            Route("/scenario", change(self._scenario), methods=["POST"]),
            Route("/recording", change(self._recording), methods=["POST"]),
            Route("/visitors", change(self._visitors), methods=["POST"]),
            Route("/lesson", change(self._act_lesson), methods=["POST"]),
        ]
        return Starlette(routes=routes, lifespan=self._life)

    @contextlib.asynccontextmanager
    async def _life(self, _: Starlette) -> AsyncIterator[None]:
        self.ending = asyncio.Event()
        self.collector.start()
        self._watching = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            self._watching.cancel()
            await run_in_threadpool(self.end)

    def end(self) -> None:
        """Reverts the faults of this page, and ends its threads."""
        try:
            self.actions.end()
        except LabError as error:
            logging.getLogger("uvicorn.error").warning("%s", error)
        finally:
            self.collector.end()

    async def _watch(self) -> None:
        """Starts the collector again when its thread has ended."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            thread = self.collector.thread
            if thread is not None and not thread.is_alive():
                await asyncio.sleep(WATCH_SECONDS * 3)  # what ended it may end the next one at once
                self.collector.start()
                self.collector.say(
                    "", "page", "the collector ended unexpectedly, and was started again", "its thread ended"
                )

    def _read(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        return self._guarded(answer, Right.READ)

    def _change(self, act: Callable[[Mapping[str, Any]], Any]) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await _body(request)
            if body is None:
                return _refused("the request is too long", 413)
            try:
                content = await run_in_threadpool(act, _values(body))
            except LabError as error:
                status = 400 if isinstance(error, UserError) else 500
                content = {"error": self.actions.named(error.what), "next": self.actions.named(error.next_step)}
                return JSONResponse(content, status, HEADERS)
            return JSONResponse(content, headers=HEADERS)

        return self._guarded(answer, Right.CHANGE)

    def _guarded(
        self, answer: Callable[[Request], Awaitable[Response]], needed: Right
    ) -> Callable[[Request], Awaitable[Response]]:
        async def judged(request: Request) -> Response:
            if why := self.guard.refusal(request.method, request.headers):
                return _refused(why, 403)
            right = self.guard.right(request.headers, request.cookies)
            if right.value < needed.value:
                why = "this address is read-only" if right is Right.READ else "open the address that 'lab page' printed"
                return _refused(why, 403)
            request.state.right = right
            return await answer(request)

        return judged

    async def _open(self, request: Request) -> Response:
        """The page; with the token, of the printed address or a header, it sets the cookie."""
        if why := self.guard.refusal(request.method, request.headers):
            return _refused(why, 403)
        token = request.query_params.get("token", "") or bearer(request.headers)
        if self.guard.right(request.headers, request.cookies, token) is Right.NONE:
            return _refused("open the address that 'lab page' printed: it has the token", 403)
        headers = HEADERS | {"Content-Security-Policy": CONTENT_POLICY}
        if self.guard.tokens.right(token) is not Right.NONE:
            headers["Set-Cookie"] = self.guard.set_cookie(token)
        self.collector.wake()
        return Response(self._page(), media_type=TYPES[".html"], headers=headers)

    def _page(self) -> str:
        """The page with the picture, where it is known: a browser shows it before it has asked for anything else."""
        version = self.collector.picture_version
        text = (STATIC / "page.html").read_text(encoding="utf-8")
        return text.replace(NO_PICTURE, f'data-version="{version}">{self.collector.picture}') if version else text

    async def _static(self, request: Request) -> Response:
        path = STATIC / request.path_params["name"]
        if path.parent != STATIC or not path.is_file() or path.suffix not in TYPES:
            return _refused("not found", 404)
        return _file(path, HEADERS)

    async def _state(self, _: Request) -> Response:
        await self._fresh()
        return JSONResponse(self.collector.store.snapshot.nested(), headers=HEADERS)

    async def _fresh(self) -> None:
        """Wakes the collector, and waits until it has looked."""
        begun, deadline = self.collector.now(), self._deadline()
        self.collector.wake()
        while time.monotonic() < deadline:
            if self.collector.beaten > begun and self.collector.engine.look.at:
                return
            await asyncio.sleep(0.05)

    async def _picture(self, _: Request) -> Response:
        await self._fresh_picture()
        return Response(self.collector.picture, media_type="image/svg+xml", headers=HEADERS)

    def _deadline(self) -> float:
        return time.monotonic() + self.collector.backend.clock.guard(FRESH_SECONDS)

    async def _fresh_picture(self) -> None:
        deadline = self._deadline()
        while not self.collector.picture and time.monotonic() < deadline:  # noqa: ASYNC110  another thread draws it
            await asyncio.sleep(0.05)

    async def _offers(self, request: Request) -> Response:
        """What may be done, and how; nothing of it for a read-only token."""
        may = request.state.right is Right.CHANGE
        content: dict[str, Any] = {"mayChange": may, "suffix": self.actions.suffix, "spans": offers.SPANS}
        content |= {"cluster": self.collector.backend.cluster, "offers": [], "scenarios": []}
        if may:
            await self._fresh_picture()  # by the nodes that there are
            offered = await run_in_threadpool(lambda: self.actions.offered)
            content["offers"] = [offers.shown(one) for one in offered.values()]
            content["scenarios"] = [runs.shown(one) for one in await run_in_threadpool(self.runs.scenarios)]
        return JSONResponse(content, headers=HEADERS)

    async def _events(self, request: Request) -> Response:
        last = request.headers.get("last-event-id", "")
        headers = HEADERS | {"X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(last), media_type="text/event-stream", headers=headers)

    async def _stream(self, last: str) -> AsyncIterator[str]:
        """A snapshot, unless the deltas since `last` are known; then each delta, until the page ends."""
        store, loop, new = self.collector.store, asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(new.set)

        key = store.listen(tell)
        try:
            self.collector.wake()
            yield f"retry: {RETRY_MILLISECONDS}\n\n"
            while not self.ending.is_set():
                new.clear()
                snapshot, deltas = store.since(last)
                if snapshot is not None:
                    last = f"{snapshot.epoch}-{snapshot.seq}"
                    yield f"event: snapshot\nid: {last}\ndata: {snapshot.json(self.collector.now())}\n\n"
                for delta in deltas:
                    last = f"{store.epoch}-{delta.seq}"
                    yield f"event: delta\nid: {last}\ndata: {delta.json(self.collector.now())}\n\n"
                try:
                    await asyncio.wait_for(new.wait(), SILENCE_SECONDS)
                except TimeoutError:
                    yield ": the collector is silent\n\n"  # shows whether the viewer is still there
        finally:
            store.leave(key)

    async def _run(self, request: Request) -> Response:
        path = self.runs.file(request.path_params["run"], request.path_params["name"])
        if path is None:
            return _refused("not found", 404)
        return _file(path, HEADERS | {"Content-Security-Policy": REPORT_POLICY})

    def _do(self, values: Mapping[str, Any]) -> dict[str, Any]:
        settings = values.get("settings") or {}
        if not isinstance(settings, dict):
            raise SpecError("'settings' is no object")
        texts = {str(key): str(value) for key, value in settings.items()}
        work = self.actions.do(str(values.get("do", "")), str(values.get("target", "")), texts)
        return {"work": work.id, "command": work.command}

    def _heal(self, _: Mapping[str, Any]) -> dict[str, Any]:
        work = self.actions.heal()
        return {"work": work.id, "command": work.command}

    def _scenario(self, values: Mapping[str, Any]) -> dict[str, Any]:
        work = self.runs.play(str(values.get("name", "")))
        return {"work": work.id, "command": work.command}

    def _recording(self, values: Mapping[str, Any]) -> dict[str, Any]:
        work = self.runs.record() if values.get("on") else self.runs.stop()
        return {"work": work.id, "command": work.command}

    def _visitors(self, values: Mapping[str, Any]) -> dict[str, Any]:
        self.collector.visitors = bool(values.get("on"))
        self.collector.wake()
        return {"on": self.collector.visitors}

    def _again(self) -> dict[str, str]:
        """The command that makes the cluster again, should it be removed."""
        command = self.panel.again() if self.panel else ""
        return {"again": command or " ".join(filter(None, ("lab up", self.actions.suffix)))}

    def _taught(self) -> dict[str, Any]:
        look = self.collector.engine.look
        if self.panel is not None and look.at and time.monotonic() >= self._lesson_at + LESSON_SECONDS:
            self._lesson_at = time.monotonic()
            try:
                self._lesson = self.panel.lesson(look)
            except LabError as error:
                self._lesson = {"title": "The lesson can't be shown", "text": [error.what]}
        return {"lesson": dict(self._lesson)} if self._lesson else {}

    async def _get_lesson(self, _: Request) -> Response:
        await self._fresh()
        return JSONResponse(dict(self._lesson), headers=HEADERS)

    def _act_lesson(self, values: Mapping[str, Any]) -> dict[str, Any]:
        if self.panel is None:
            raise SpecError("no lesson is under way")
        fields = {str(key): str(value) for key, value in (values.get("values") or {}).items()}
        message = self.panel.act(str(values.get("verb", "")), fields)
        self._lesson_at = 0.0
        self.collector.engine.now()
        return {"said": message}


def _file(path: Path, headers: Mapping[str, str]) -> Response:
    return Response(path.read_bytes(), media_type=TYPES.get(path.suffix), headers=dict(headers))


async def _body(request: Request) -> bytes | None:
    """The body of a request; None as soon as it is too long."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            return None
    return body


def _values(body: bytes) -> Mapping[str, Any]:
    """The object in a request.

    Raises:
        SpecError: it is none.
    """
    try:
        values = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:  # no JSON, no text, or more brackets than can be read
        raise SpecError("the request is no JSON") from error
    if not isinstance(values, dict):
        raise SpecError("the request is no object")
    return values


def _refused(why: str, status: int) -> Response:
    return PlainTextResponse(f"refused: {why}\n" if status == 403 else f"{why}\n", status, HEADERS)  # noqa: PLR2004
