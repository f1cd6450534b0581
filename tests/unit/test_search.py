"""The search for the highest rate: it ends between a rate that held and one that did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import pytest

from lab.evidence.load import Answer
from lab.evidence.search import CLOSE, MOST, highest

if TYPE_CHECKING:
    from lab.evidence.load import Load

LIMIT = 0.1


class Site:
    """Answers in time up to a rate; above it, late or not at all."""

    def __init__(self, most: float, *, fails: bool = False) -> None:
        self.most, self.fails = most, fails
        self.tried: list[tuple[float, bool]] = []

    def load(self, rate: float) -> Load:
        return Asked(self, rate)  # type: ignore[return-value]  # what the search uses of one

    def tell(self, tried: float, p99: float | None, *, good: bool) -> None:
        del p99
        self.tried.append((tried, good))


class Asked:
    """One load: its answers are those of the site at that rate."""

    def __init__(self, site: Site, rate: float) -> None:
        self.site, self.rate = site, rate
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def more(self, count: int, *, seconds: float) -> None:
        del seconds
        well = self.rate <= self.site.most
        served = "web1" if well or not self.site.fails else None
        took = LIMIT / 2 if well or self.site.fails else LIMIT * 2
        self.answers += [
            Answer(number / self.rate, took, 200 if served else None, served, "") for number in range(count)
        ]

    @property
    def failed(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.failed]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("most", [7, 20, 33.3, 170, 1234])
def test_the_rate_that_is_found_held_and_a_little_more_did_not(most: float, *, fails: bool) -> None:
    site = Site(most, fails=fails)
    found = highest(site.load, 20, 1, LIMIT, site.tell)
    assert found <= most < found * CLOSE * CLOSE
    assert (found, True) in site.tried
    assert all(good is (rate <= most) for rate, good in site.tried)


def test_a_site_that_serves_nothing_in_time_has_no_such_rate() -> None:
    site = Site(0)
    assert highest(site.load, 20, 1, LIMIT, site.tell) == 0.0
    assert not any(good for _, good in site.tried)


def test_a_site_without_an_end_is_asked_no_more_than_the_most() -> None:
    site = Site(float("inf"))
    assert MOST / 2 < highest(site.load, 20, 1, LIMIT, site.tell) <= MOST
