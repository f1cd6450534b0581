"""`lab load`: requests at a constant rate, or a search for the highest sustainable rate."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lab.cli import options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lab.backends.base import Backend
    from lab.evidence import Answer, Load
    from lab.evidence.latency import Bucket

LOOK_SECONDS = 1.0
BLOCKS = "▁▂▃▄▅▆▇█"
COLUMNS = 60
HOSTS = "/etc/lab/hosts"
"""The host names that nodes resolve."""

MOST, LONGEST = 5000, 3600  # requests a second, seconds

Rate = Annotated[float, typer.Option(help="Requests a second.")]
Http = Annotated[str, typer.Option(help="1.1 or 2.")]
Keep = Annotated[bool, typer.Option(help="Reuse connections. Default: a new connection for each request.")]


def register(app: typer.Typer) -> None:
    """Adds the verb."""
    app.command()(options.on_cluster(load))


def load(
    backend: Backend,
    rate: Rate = 50.0,
    span: Annotated[str, typer.Option("--for", help="Duration, such as 60s.")] = "10s",
    path: Annotated[
        str | None, typer.Option(help="The path that is requested. Default: /whoami, and / with --site.")
    ] = None,
    site: Annotated[
        str | None, typer.Option(help="A site or application of the cluster. Default: the guest book.")
    ] = None,
    http: Http = "1.1",
    keep: Keep = True,
    search: Annotated[
        str | None,
        typer.Option(
            help="Find the highest rate with the 99th percentile below this, such as 100ms, starting from --rate."
        ),
    ] = None,
) -> None:
    """Sends requests to the site from the client at a constant rate, without waiting for responses."""
    from lab.errors import SpecError
    from lab.topology import units

    if not 0 < rate <= MOST:
        raise SpecError(f"a rate of {rate:g} is not possible", next_step=f"use more than 0, at most {MOST} per second")
    if http not in ("1.1", "2"):
        raise SpecError(f"HTTP/{http} is not supported", next_step="use 1.1 or 2")
    seconds = units.seconds(span)
    if not 0 < seconds <= LONGEST:
        raise SpecError(f"a duration of {span} is not possible", next_step="use more than 0 s and at most one hour")
    version: Literal["1.1", "2"] = "2" if http == "2" else "1.1"
    where = _url(backend, path or ("/" if site else "/whoami"), site)

    def running(rate: float, longest: float = LONGEST) -> Load:
        from lab.evidence import Load, Stream

        return Load(backend, Stream("load", where, rate, version, keep), longest)

    if search is None:
        _constant(running(rate, seconds), rate, seconds)
    else:
        _searched(running, rate, seconds, units.seconds(search))


def _url(backend: Backend, path: str, site: str | None) -> str:
    """URL of a site of the existing cluster: https if the cluster has an HTTP balancer."""
    from lab.errors import SpecError

    roles = {node.role for node in backend.observe().nodes}
    if "client" not in roles:
        raise SpecError(
            f"there is no cluster '{backend.cluster}'", next_step="'lab up' creates it; --name selects another one"
        )
    if not path.startswith("/"):
        raise SpecError(f"the path '{path}' does not start with /", next_step=f"use /{path}")
    name = f"{site or 'www'}.{backend.cluster}.test"
    if site:
        from lab.hints import nearest

        known = (backend.get("client", HOSTS) or b"").decode().split()
        sites = [each.partition(".")[0] for each in known if each.endswith(f".{backend.cluster}.test")]
        if name not in known:
            what = f"the cluster '{backend.cluster}' has no site '{site}'; {nearest(site, sites)}"
            raise SpecError(what, where="--site")
    return f"{'https' if 'http-lb' in roles else 'http'}://{name}{path}"


def _constant(load: Load, rate: float, seconds: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with load as running, Live(console=console, transient=True) as live:
        _watched(running, seconds, live.update if console.is_terminal else lambda line: print(line, flush=True))
    _table(running.answers, rate)
    _drawn(running.answers)
    if running.failed:
        raise typer.Exit(1)


def _watched(running: Load, seconds: float, tell: Callable[[str], None]) -> None:
    """Prints the answers of each second."""
    from lab.evidence.load import answer

    begun, ended = time.monotonic(), threading.Event()
    while (passed := time.monotonic() - begun) < seconds:
        ended.wait(min(LOOK_SECONDS, seconds - passed))
        fresh = [answer(row) for _, row in running.load_run.fresh()]
        good = sorted(one.seconds for one in fresh if not one.failed)
        median = f"{good[len(good) // 2] * 1000:.1f} ms" if good else "–"
        failed = sum(one.failed for one in fresh)
        tell(f"{time.monotonic() - begun:5.0f} s  {len(fresh):5d} answers  median {median}  {failed} failed")


def _table(answers: Sequence[Answer], rate: float) -> None:
    from collections import Counter

    from lab.cli import tables
    from lab.evidence.latency import percentiles

    failed = [one for one in answers if one.failed]
    served = Counter(one.node for one in answers if one.node)
    rows = [("requests", f"{len(answers)}, {rate:g} per second"), ("failed", str(len(failed)))]
    rows += [(f"{share:g} % within", f"{value * 1000:.1f} ms") for share, value in percentiles(answers).items()]
    rows += [(f"served by {node}", str(count)) for node, count in sorted(served.items())]
    rows += [(f"error: {text}", str(count)) for text, count in Counter(_why(one) for one in failed).most_common(5)]
    tables.rows(("", ""), rows)


def _why(answer: Answer) -> str:
    return answer.error or f"status {answer.status}"


def _drawn(answers: Sequence[Answer]) -> None:
    """Prints the slowest answer of each interval, as a row of blocks on a logarithmic scale."""
    import math

    from lab.evidence.latency import buckets

    begun, ended = answers[0].sent, answers[-1].sent + 1e-6
    intervals = buckets(answers, begun, ended, (ended - begun) / COLUMNS)
    slow = [bucket.slowest for bucket in intervals if bucket.slowest]
    if not slow:
        return
    low, high = math.log(min(slow)), math.log(max(slow) * 1.001)
    line = "".join(_block(bucket, low, high) for bucket in intervals)
    print(f"slowest  {line}  {min(slow) * 1000:.1f} to {max(slow) * 1000:.1f} ms; ✗ failed")


def _block(bucket: Bucket, low: float, high: float) -> str:
    import math

    if bucket.failed:
        return "✗"
    if not bucket.slowest:
        return " "
    return BLOCKS[int((math.log(bucket.slowest) - low) / max(high - low, 1e-9) * (len(BLOCKS) - 1))]


def _searched(load: Callable[[float], Load], rate: float, seconds: float, limit: float) -> None:
    from lab.evidence.search import highest

    def tell(tried: float, p99: float | None, *, good: bool) -> None:
        measured = "no answers" if p99 is None else f"99 % within {p99 * 1000:.1f} ms"
        print(f"{tried:7.0f} per second: {measured}{'' if good else ', or failed requests: too much'}", flush=True)

    best_rate = highest(load, rate, seconds, limit, tell)
    print(f"highest rate with a 99th percentile within {limit * 1000:g} ms: {best_rate:.0f} per second")
