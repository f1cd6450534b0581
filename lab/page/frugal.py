"""Less memory of this process: few arenas of the C library for many threads, and unused pages back to the system."""

from __future__ import annotations

import contextlib
import ctypes
import gc

M_ARENA_MAX, ARENAS = -8, 2


def begin() -> None:
    """Limits the arenas; before any thread is started. Does nothing where the C library has no such limit."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, ARENAS)


def trim() -> None:
    """Returns unused pages; after something large, such as planning."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
