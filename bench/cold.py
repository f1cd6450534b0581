"""From a fresh clone to a ready cluster: environment, base, all images, nodes. Not the engine's own installation.

The images get a namespace of their own, so that those that are in use stay, and are removed afterwards. The base is
bootstrapped or tagged anew, which makes every layer above it new to the engine's cache.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from bench.figures import Figure, figure, seconds
from lab import engine

PROJECT = Path(__file__).parents[1]
NAME = f"labbench-{os.getpid()}-cold"
LIMIT_SECONDS = 240.0


def run() -> list[Figure]:
    """One run: it downloads everything, which nobody wants to do ten times."""
    with tempfile.TemporaryDirectory(prefix="lab-cold-") as folder:
        environment = {**os.environ, "LAB_NAMESPACE": NAME, "LAB_NAME": NAME}

        def call(*argv: str) -> None:
            subprocess.run(argv, cwd=folder, env=environment, check=True, capture_output=True)

        call("git", "clone", "-q", str(PROJECT), ".")
        try:
            environment_took = seconds(lambda: call("make", ".venv/ready"))
            up_took = seconds(lambda: call(".venv/bin/lab", "up", "-f", "full"))
        finally:
            call(".venv/bin/lab", "down", "--volumes")
            _remove_images()
    return [
        figure("virtual environment", "s", [environment_took]),
        figure("lab up: base, images, nodes", "s", [up_took]),
        figure("cold, both", "s", [environment_took + up_took], f"≤ {LIMIT_SECONDS:.0f} s", LIMIT_SECONDS),
    ]


def _remove_images() -> None:
    with engine.connected(engine.REQUEST_SECONDS) as api:
        for image in api.images():
            for tag in image["RepoTags"] or []:
                if tag.startswith(f"{NAME}/"):
                    api.remove_image(tag, force=True)
