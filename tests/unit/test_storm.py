"""What the storage tests take for lost."""

from __future__ import annotations

import json

import pytest

from tests.cluster.storm import lost

FILE, LOG = "/s/web1-over1", "/s/web1-log"


def _ledger(*attempts: tuple[str, int, bool]) -> str:
    return "".join(json.dumps(attempt) + "\n" for attempt in attempts)


@pytest.mark.parametrize(
    ("attempts", "read", "said"),
    [
        ([(FILE, 1, True)], {FILE: "1\nxxx\n"}, []),
        ([(FILE, 1, True), (FILE, 2, False)], {FILE: "2\nxxx\n"}, []),
        ([(FILE, 1, True), (FILE, 2, True)], {FILE: "1\nxxx\n"}, [f"{FILE} is 1, and 2 was acknowledged"]),
        ([(FILE, 1, True)], {FILE: ""}, [f"{FILE} is empty, and 1 was acknowledged"]),
        ([(FILE, 1, False)], {}, []),
        ([(FILE, 1, True)], {}, [f"{FILE} is missing, and 1 was acknowledged"]),
        ([(FILE, 1, False)], {FILE: None}, [f"{FILE} can't be read"]),
        ([(LOG, 4, True), (LOG, 8, False), (LOG, 12, True)], {LOG: "4\n"}, [f"{LOG} lacks [12]"]),
        ([(LOG, 4, True), (LOG, 8, False)], {LOG: "4\n8\n"}, []),
    ],
)
def test_what_was_acknowledged_and_is_not_there_is_lost(
    attempts: list[tuple[str, int, bool]], read: dict[str, str | None], said: list[str]
) -> None:
    assert lost(_ledger(*attempts), read) == said
