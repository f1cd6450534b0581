"""Events of the page in plain words: from changes of the state, each with the observation that it rests on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping

    from lab.page.judging import FaultSeen
    from lab.page.nodes import Proof

SAID = {
    "ready": "is ready",
    "not-ready": "is not ready",
    "by-hand": "runs, and is by hand",
    "paused": "is paused",
    "stopped": "is stopped",
    "dead": "is dead",
    "unknown": "is unknown",
}


def event(at: float, node: str, kind: str, text: str, raw: str) -> dict[str, Any]:
    """One event. `kind`: node, vip, primary, pool, fault, log, promise, page; `raw`: what it was read from."""
    return {"at": round(at, 3), "node": node, "kind": kind, "text": text, "raw": raw}


def of_nodes(
    before: Mapping[str, Proof], now: Mapping[str, Proof], at: float, by_hand: Container[str] = ()
) -> Iterator[dict[str, Any]]:
    """The nodes whose state changed, but for those that were and are unknown.

    `by_hand`: nodes that may have no configuration yet; that they are not ready is no event when it is seen first.
    """
    for name, proof in now.items():
        old = before.get(name)
        if old is None or old.state is proof.state or proof.state.value == "unknown":
            continue
        if old.state.value == "unknown" and proof.state.value in ("not-ready", "by-hand") and name in by_hand:
            continue
        verb = SAID[proof.state.value]
        text = f"{name} {verb}" + (f": {proof.reason}" if proof.reason and proof.state.value == "not-ready" else "")
        yield event(at, name, "node", text, f"{old.state.value} -> {proof.state.value}; {proof.reason or 'its probe'}")
    for name in before.keys() - now.keys():
        yield event(at, name, "node", f"{name} is gone", "the engine no longer lists it")


def of_holder(kind: str, before: str | None, now: str | None, at: float, raw: str) -> Iterator[dict[str, Any]]:
    """A change of the VIP's holder or of the primary (`kind`: vip or primary)."""
    what = "the VIP" if kind == "vip" else "the primary"
    verb = "holds the VIP" if kind == "vip" else "is the primary"
    if before == now:
        return
    if now is None:
        yield event(at, before or "", kind, f"{what} does not answer", raw)
    elif before is not None:
        yield event(at, now, kind, f"{now} {verb}, after {before}", raw)
    else:
        yield event(at, now, kind, f"{now} {verb}", raw)


def of_pools(
    before: Mapping[str, Mapping[str, bool]], now: Mapping[str, Mapping[str, bool]], at: float
) -> Iterator[dict[str, Any]]:
    """Servers that left or entered the pool of a balancer, as the balancer reports."""
    for balancer, pool in now.items():
        old = before.get(balancer)
        if not old:
            continue
        for server, inside in pool.items():
            if old.get(server, inside) != inside:
                way = f"is back in the pool of {balancer}" if inside else f"is out of the pool of {balancer}"
                raw = f"{balancer} reports {server}={int(inside)}"
                yield event(at, server, "pool", f"{server} {way}", raw)


def of_fault(change: str, fault: FaultSeen, at: float) -> dict[str, Any]:
    """A fault that began or ended."""
    moment = fault.begun if change == "begun" else at
    text = f"fault: {fault.text}" if change == "begun" else f"reverted: {fault.text}"
    return event(moment, " ".join(fault.nodes), "fault", text, f"{fault.mark}: {fault.proof or 'noted in the engine'}")


def of_promise(name: str, figures: Mapping[str, Any], at: float) -> dict[str, Any]:
    """A promise that was just measured."""
    bound = "" if figures["bound"] is None else f", promised {figures['bound']:.2f} s"
    result = "holds" if figures["result"] == "holds" else figures["result"]
    text = f"{name} {result}: {figures['figure']}{bound}"
    return event(at, "", "promise", text, f"{figures['formula'] or figures['says']} (after {figures['of']})")
