"""YAML by the C parser if it is available: ten times as fast, and part of every command's start."""

from __future__ import annotations

from typing import Any

import yaml

LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read(text: str) -> Any:  # noqa: ANN401  a document can hold anything
    """The plain values of a document.

    Raises:
        yaml.YAMLError: not valid YAML.
    """
    try:
        return yaml.load(text, Loader=LOADER)  # noqa: S506  both loaders are the safe one
    except (ValueError, AttributeError, TypeError, RecursionError) as error:  # such as the date 2026-13-45
        raise yaml.YAMLError(f"a value can't be read: {error}") from error
