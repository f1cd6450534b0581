"""The next commands of texts, with the options that say which cluster as they were typed: to be copied as they are."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import typer

COMMAND = re.compile(
    r"(?m)(?<=`)lab [^`\n]+(?=`)|(?<=')(?<!by ')(?<!busy with ')lab [^'\n]+(?=')|(?<=^    )lab [^\n]+$"
)
"""A command of a text: in backticks, in quotes, or a line of code; not one that was run, or runs."""

REST = re.compile(r" -- | \| | > | >> | && |; ")
"""What is no longer an argument of `lab` itself."""

OWN = re.compile(r" (-n|--name|-f|--file)\b")
"""An option that says which cluster already."""

FLAGS = {"file": "-f", "name": "-n", "backend": "--backend", "host": "--host"}
"""The options that say which cluster, and where."""


@dataclass(frozen=True)
class Naming:
    """Adds options to commands.

    Attributes:
        root: the command `lab`, with all its verbs.
        values: the options that say which cluster, by their names in `FLAGS`.
        cluster: its name, for verbs that take no file.
    """

    root: Any
    values: Mapping[str, str]
    cluster: str = ""

    def text(self, text: str) -> str:
        """A text with the options in each of its commands."""
        return COMMAND.sub(lambda match: self.command(match[0]), text) if self.values else text

    def command(self, line: str) -> str:
        """A command with those of the options that its verb takes; unchanged where it has one of them."""
        words = line.split(" ")
        verb, count = self._verb(words)
        flags = self._flags(verb)
        rest = REST.search(line)
        if not flags or OWN.search(line[: rest.start()] if rest else line):
            return line
        if not verb.context_settings.get("allow_interspersed_args", True):
            return " ".join([*words[:count], flags, *words[count:]])
        return f"{line[: rest.start()]} {flags}{line[rest.start() :]}" if rest else f"{line} {flags}"

    def _verb(self, words: list[str]) -> tuple[Any, int]:
        """The verb of a command, and the number of words that name it."""
        verb, count = self.root, 1
        for word in words[1:]:
            inner = getattr(verb, "commands", {}).get(word)
            if inner is None:
                break
            verb, count = inner, count + 1
        return verb, count

    def _flags(self, verb: Any) -> str:  # noqa: ANN401  typer's own copy of click
        known = {option.removeprefix("--") for parameter in verb.params for option in parameter.opts}
        values = dict(self.values)
        if "file" in values and "file" not in known:
            values.setdefault("name", self.cluster)
        return " ".join(
            f"{flag} {shlex.quote(values[name])}" for name, flag in FLAGS.items() if values.get(name) and name in known
        )


def typed(context: typer.Context, values: Mapping[str, str | None]) -> dict[str, str]:
    """Those of the options that were typed; what an environment variable says is said to the next command too."""
    chosen = {}
    for name in FLAGS:
        source = context.get_parameter_source(name)
        if (value := values.get(name)) and source is not None and source.name == "COMMANDLINE":
            chosen[name] = value
    return chosen


_CURRENT: list[Naming] = []
"""That of the verb which this process runs."""


def begin(naming: Naming) -> None:
    """The verb of this process has begun."""
    _CURRENT[:] = [naming]


def named(text: str) -> str:
    """A text with the options that were typed in each of its commands."""
    return _CURRENT[0].text(text) if _CURRENT else text
