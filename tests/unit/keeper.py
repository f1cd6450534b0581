"""The keeper's own modules, which live in the image of mysql and are no part of the package."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from lab import assets


def load(name: str) -> Any:  # noqa: ANN401 - a module that no type checker can see
    """A module of the keeper; those that it imports are to be loaded before it."""
    path = assets.images() / f"mysql/rootfs/usr/lib/lab/keeper/{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
