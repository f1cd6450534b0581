"""What can't be done with a site."""

from __future__ import annotations

import subprocess
import tarfile
import zlib


class Failed(Exception):
    """What could not be done, for a person."""


class ContentError(Failed):
    """What a release can't have, and is refused until it changes; any other failure may pass."""


TROUBLE = (Failed, OSError, KeyError, EOFError, tarfile.TarError, zlib.error, subprocess.SubprocessError)
"""What is said in a sentence: of one site, while the others go on."""
