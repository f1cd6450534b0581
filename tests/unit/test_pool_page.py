"""The check of lesson 3 that a page of the pool is no text that is always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.evidence.outcomes import Scene, question
from lab.learning.attempt import attempt
from lab.learning.library import lesson
from tests.unit.shells import Shell

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("line", "file", "reason"),
    [
        ('lf-string "web1=%[srv_is_up(web/web1)] web2=%[srv_is_up(web/web2)]"', "", ""),
        ("# web1=%[srv_is_up(web/web1)] web2=%[srv_is_up(web/web2)]\nstring web1=1 web2=1", "", "typed"),
        (
            "lf-file {}/servers.txt if {{ path /servers }}",
            "web1=%[srv_is_up(web/web1)] web2=%[srv_is_up(web/web2)]",
            "",
        ),
        ('lf-file "{}/servers.txt"', "web1=%[srv_is_up(web/web1)] web2=%[srv_is_up(web/web2)]", ""),
        ("lf-file {}/servers.txt", "web1=1 web2=1", "typed"),
        ("lf-file {}/none", "web1=%[srv_is_up(web/web1)] web2=%[srv_is_up(web/web2)]", "typed"),
    ],
)
def test_a_page_of_the_pool_has_values_that_are_filled_in(tmp_path: Path, line: str, file: str, reason: str) -> None:
    text = f"    http-request return status 200 {line.format(tmp_path) if 'lf-file' in line else line}\n"
    (tmp_path / "haproxy.cfg").write_text(text, encoding="utf-8")
    (tmp_path / "servers.txt").write_text(file, encoding="utf-8")
    made = attempt(lesson(3), MemoryBackend("www"))
    kind, parameters = made.lesson.task("pool").checks[2]
    told = {**parameters, "run": parameters["run"].replace("/etc/lab", str(tmp_path))}
    shell = Shell(tmp_path)
    assert question(kind, told).ask(Scene(shell, made.scene.cluster, made.scene.plan)).reason == reason
