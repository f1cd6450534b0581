"""Each command that a page shows exists, with its options, topologies and scenarios."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from lab import assets
from lab.chaos import every
from lab.cli.chaos import NEMESIS
from tests.documented import PAGES, ROOT, mentioned, shown
from tests.unit.command import verbs

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACEHOLDERS = ("…", "...")
ALIASES = ("ps",)


def _command(words: Sequence[str]) -> tuple[Any, list[str]]:
    """The command, and its arguments."""
    command = verbs()
    rest = list(words)
    while rest and not rest[0].isupper() and not rest[0].startswith("-") and hasattr(command, "commands"):
        assert rest[0] in command.commands, f"there is no verb '{' '.join(words)}'"
        command = command.commands[rest.pop(0)]
        assert not getattr(command, "hidden", False) or command.name in ALIASES, f"'{' '.join(words)}' is an old name"
    return command, rest


def _options(command: Any) -> set[str]:  # noqa: ANN401  Typer's
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}


def _check_names(rest: Sequence[str], command: str) -> None:
    for option, value in itertools.pairwise(rest):
        if option in ("-f", "--file") and command not in ("logs", "doctor") and not value.isupper():
            assert value in assets.topologies() or value.endswith(".yaml"), value
    if command == "run" and rest and not rest[0].startswith("-"):
        assert rest[0] in (*assets.scenarios(), NEMESIS, every.NAME) or rest[0].endswith(".yaml"), rest[0]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_shown_command_is_valid(page: Any) -> None:  # noqa: ANN401  a path
    for words in shown(page):
        command, rest = _command(words)
        command.make_context(command.name, rest[:])
        _check_names(rest, command.name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_mentioned_command_exists(page: Any) -> None:  # noqa: ANN401  a path
    for words in mentioned(page):
        if words and words[0] not in PLACEHOLDERS and not words[0].startswith("-"):
            command, rest = _command([word for word in words if word not in PLACEHOLDERS])
            own = rest[: rest.index("--")] if "--" in rest else rest
            given = {word.partition("=")[0].strip("[](),;") for word in own if word.startswith("-")}
            assert given <= _options(command), words
            _check_names(rest, command.name)


def test_an_old_verb_and_an_unknown_option_would_be_found() -> None:
    with pytest.raises(AssertionError, match="old name"):
        _command(["mail", "user", "add"])
    with pytest.raises(AssertionError, match="no verb"):
        _command(["mend"])
    command, _ = _command(["up"])
    assert "--scaling" not in _options(command)


def test_the_pages_show_commands() -> None:
    assert sum(len(shown(page)) for page in PAGES) > 25
    assert sum(len(mentioned(page)) for page in PAGES) > 100
