"""The modules of programs that live in images and are no part of the package: the keeper's, the backup's."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from lab import assets


def load(name: str, program: str = "mysql/rootfs/usr/lib/lab/keeper") -> Any:  # noqa: ANN401 - a module that no type checker can see
    """A module of a program; those that it imports are to be loaded before it."""
    path = assets.images() / program / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
