"""The test that docs/testing.md shows, run as it stands there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.evidence import Ledger
    from lab.testing import Faults, LabCluster, Rounds

PAGE = Path(__file__).parents[2] / "docs/testing.md"


def test_the_test_in_the_documentation_holds(
    cluster: LabCluster, faults: Faults, rounds: Rounds, ledger: Callable[..., Ledger]
) -> None:
    cluster.require("web", 2)
    shown = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown
    assert len(shown[1].strip().splitlines()) <= 22
    names: dict[str, Any] = {}
    exec(compile(shown[1], str(PAGE), "exec"), names)  # noqa: S102  our own documentation
    names["test_my_page_survives_a_dead_web_node"](cluster, faults, rounds, ledger)
