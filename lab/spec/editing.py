"""Changes of a topology file that leave everything else in it as the person wrote it, comments included."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from lab.spec.loading import TOPOLOGY, parse
from lab.spec.reading import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.spec.cluster import Cluster

WIDTH = 4096  # a public key is one line


def edited(path: Path, target: Path, change: Callable[[Any], None]) -> Cluster:
    """Changes what a file says, and writes that to `target`, whole or not at all: nothing that is not valid is written.

    Args:
        path: the file to read.
        target: where the outcome goes; usually the same.
        change: gets the top level of the document as a mapping, and changes it in place.

    Raises:
        SpecError: the file can't be read, or would not be valid any more.
    """
    before = text(path, TOPOLOGY)
    parse(before, str(path))
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDTH
    document = yaml.load(before)
    change(document)
    made = io.StringIO()
    yaml.dump(document, made)
    cluster = parse(made.getvalue(), str(target))
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(made.getvalue(), encoding="utf-8")
    if target.exists():
        draft.chmod(target.stat().st_mode & 0o777)
    draft.replace(target)
    return cluster
