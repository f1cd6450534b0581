"""The state of the live page: snapshots and deltas."""

from __future__ import annotations

import pytest

from lab.page.state import KEPT_DELTAS, Delta, Store


def test_a_delta_holds_what_changed_alone() -> None:
    store = Store()
    store.publish({"a": 1, "b": 2})
    delta = store.publish({"a": 1, "b": 3, "c": 4})
    assert delta == Delta(2, delta.at, {"b": 3, "c": 4})
    assert store.publish({"c": 4}).gone == ("a", "b")
    assert dict(store.snapshot.values) == {"c": 4}


def test_deltas_lead_from_any_known_number_to_the_snapshot() -> None:
    store = Store()
    for number in range(10):
        store.publish({"n": number, f"only/{number}": True}, [{"at": number}], [{"text": number}])
    for seen in range(11):
        snapshot, deltas = store.since(f"{store.epoch}-{seen}")
        assert snapshot is None
        assert [delta.seq for delta in deltas] == list(range(seen + 1, 11))
    values: dict[str, object] = {}
    for delta in store.since(f"{store.epoch}-0")[1]:
        values = {key: value for key, value in (values | dict(delta.set)).items() if key not in delta.gone}
    assert values == dict(store.snapshot.values)
    assert [point["at"] for point in store.snapshot.points] == list(range(10))


@pytest.mark.parametrize("last", ["", "other-3", "nonsense", "-", "{epoch}-999", "{epoch}-x"])
def test_whoever_can_t_be_led_on_gets_a_snapshot(last: str) -> None:
    store = Store()
    store.publish({"a": 1})
    snapshot, deltas = store.since(last.format(epoch=store.epoch))
    assert snapshot is store.snapshot
    assert deltas == []


def test_a_number_that_is_too_old_gets_a_snapshot() -> None:
    store = Store()
    for number in range(KEPT_DELTAS + 5):
        store.publish({"n": number})
    assert store.since(f"{store.epoch}-2")[0] is store.snapshot


def test_a_snapshot_does_not_change_and_is_nested_for_programs() -> None:
    store = Store()
    store.publish({"node/web1": {"state": "ready"}, "vip": None})
    first = store.snapshot
    store.publish({"node/web1": {"state": "dead"}})
    assert first.nested()["node"] == {"web1": {"state": "ready"}}
    assert store.snapshot.nested()["node"]["web1"]["state"] == "dead"
    with pytest.raises(TypeError):
        first.values["x"] = 1  # type: ignore[index]


def test_the_same_second_of_the_charts_is_replaced() -> None:
    store = Store()
    store.publish({}, [{"at": 1, "n": 5}, {"at": 2, "n": 5}])
    store.publish({}, [{"at": 1, "n": 6}])
    assert [(point["at"], point["n"]) for point in store.snapshot.points] == [(1, 6), (2, 5)]
