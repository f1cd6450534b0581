"""A followed log: lines as they are printed, until any thread ends it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Source = TypeVar("Source")


class Followed(Iterator[str], Generic[Source]):
    """Lines as they are printed.

    `close` may be called by any thread, also while another one waits for the next line: there are no more then. The
    source is opened with the first line that is asked for, and released by the reader, at the end of the lines or where
    it drops this object.
    """

    def __init__(
        self, opens: Callable[[], Source], read: Callable[[Source], Iterator[str]], end: Callable[[Source], object]
    ) -> None:
        """Follows.

        Args:
            opens: opens the source.
            read: its lines; a generator that releases the source at its end.
            end: makes the source end; called by any thread, and more than once.
        """
        self._opens, self._read, self._end = opens, read, end
        self._source: Source | None = None
        self._lines: Iterator[str] | None = None
        self._closed = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self._lines is None:
            if self._closed:
                raise StopIteration
            source = self._source = self._opens()
            self._lines = self._read(source)
            self._end_if_closed(source)
        return next(self._lines)

    def _end_if_closed(self, source: Source) -> None:
        """Ends what was opened while another thread closed this."""
        if self._closed:
            self._end(source)

    def close(self) -> None:
        """Ends it."""
        self._closed = True
        if self._source is not None:
            self._end(self._source)
