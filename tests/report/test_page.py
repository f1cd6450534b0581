"""The report in a real browser: everything drawn where it happened, nothing asked for, legible wherever it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.backends.memory import MemoryBackend
from lab.chaos.record import Record
from lab.evidence.checks import judged
from lab.evidence.ledger import Judgement, Verdict
from lab.evidence.promises import promise
from lab.topology import parse
from tests.accessibility import serious
from tests.browser import bands, opened
from tests.unit.conftest import FULL
from tests.unit.run_data import VERSIONS, happened, load, rows, seen

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lab.evidence.verdicts import RunData
    from tests.browser import Opened

PROMISES = ("web-node-dies", "web-node-leaves", "guestbook-keeps", "vip-moves")
PLOTS = ("times", "rates", "served", "answers", "vip", "pools")
WIDTH = 960 - 92 - 14  # of a plot's time axis, in its own units
MEGABYTES = 5_000_000
READABLE = 4.5  # contrast of text, WCAG 2.1, 1.4.3


def _kept(folder: Path) -> Path:
    """A run with a fault of each verdict."""
    probed = {
        "site": rows(lambda _: "web2"),
        "web1": rows(lambda at: None if 5.1 <= at < 12.4 else "ok"),
        "http-lb1": rows(lambda at: f"web1={0 if 6.5 <= at < 13 else 1} web2=1 web3=1 "),
        "http-lb2": rows(lambda at: f"web1={0 if 6.5 <= at < 13 else 1} web2=1 web3=1 "),
        "vip": rows(lambda _: "tcp-lb1"),
    }
    lost = Judgement("guestbook", Verdict.LOST, "2 of 90 acknowledged are nowhere", ("run-<b>7", "run-8"))
    faults = [happened("kill", "web1"), happened("pause", "web2", 15, 17)]
    run = seen(probed, faults, load(lambda at: 15.2 < at < 15.6), {"guestbook": lost})
    return _written(folder, run)


def _written(folder: Path, run: RunData) -> Path:
    told = {"summary": "A run of <plain> values.", "versions": VERSIONS}
    record = Record.begin(folder, "plain", 7, told, 10)
    spec = parse(FULL)
    results = [judged(promise(name), promise(name).bound(spec), run) for name in PROMISES]
    record.keep(run, results, {}, MemoryBackend("golden"), spec)
    return record.folder / "report.html"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a run with faults."""
    return _kept(tmp_path_factory.mktemp("runs"))


@pytest.fixture(params=["light", "dark"])
def shown(report: Path, request: pytest.FixtureRequest) -> Iterator[Opened]:
    """The page in a browser, by day and by night."""
    with opened(report, viewport={"width": 1100, "height": 900}, color_scheme=request.param) as made:
        yield made


def test_it_asks_for_nothing_and_complains_of_nothing(shown: Opened, report: Path) -> None:
    assert shown.errors == []
    assert shown.asked == [report.as_uri()]


def test_axe_finds_nothing_serious_on_a_phone(report: Path) -> None:
    with opened(report, viewport={"width": 360, "height": 740}, bypass_csp=True) as made:
        assert serious(made.page) == []


def test_every_plot_is_drawn_with_the_faults_where_they_were(shown: Opened) -> None:
    for plot in PLOTS:
        assert shown.page.locator(f'[data-plot="{plot}"]').bounding_box()
        found = bands(shown.page, plot)
        assert set(found) == {"kill web1", "pause web2"}
        for name, (begun, mended) in {"kill web1": (5, 12.5), "pause web2": (15, 17.5)}.items():
            left, right = found[name]
            assert left == pytest.approx(begun / 20 * WIDTH, abs=1)
            assert right == pytest.approx(mended / 20 * WIDTH, abs=1)


def test_lines_go_where_the_values_are(shown: Opened) -> None:
    paths = {line: shown.page.locator(f'[data-plot="{line}"] path').count() for line in ("times", "rates")}
    assert paths["times"] >= 3
    assert paths["rates"] == 2
    failed = shown.page.locator('[data-plot="rates"] path.bad').get_attribute("d") or ""
    points = [tuple(map(float, point.split())) for point in re.split("[ML]", failed) if point]
    highest = min(points, key=lambda point: point[1])
    assert (highest[0] - 92) / WIDTH * 20 == pytest.approx(15.4, abs=0.4)
    silent = shown.page.locator('[data-plot="answers"] rect.down').count()
    assert silent == 1


def test_verdicts_figures_and_lost_ids_are_there_as_text(shown: Opened) -> None:
    results = shown.page.locator("[data-promise]").evaluate_all("all => all.map(one => one.dataset.result)")
    assert results == ["broken", "holds", "lost", "unknown"]
    text = shown.page.inner_text("body")
    for part in (
        "✗ broken",
        "✓ holds",
        "✗ lost",
        "? unknown",
        "run-<b>7 run-8",
        promise("web-node-leaves").formula,
        "A run of <plain>",
    ):
        assert part in text


def test_text_has_contrast(shown: Opened) -> None:
    script = """() => [...document.querySelectorAll("p, td, th, .word, .tick, .title, summary")].map(one => {
        const clear = "rgba(0, 0, 0, 0)", style = getComputedStyle(one);
        let under = one;
        while (under.parentElement && getComputedStyle(under).backgroundColor === clear) under = under.parentElement;
        return [one.closest("svg") ? style.fill : style.color, getComputedStyle(under).backgroundColor]; })"""
    pairs = shown.page.evaluate(script)
    assert len(pairs) > 50
    for ink, paper in pairs:
        light, dark = sorted((_luminance(ink), _luminance(paper)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= READABLE, (ink, paper)


def _luminance(colour: str) -> float:
    """Of `rgb(r, g, b)`, as WCAG 2.1 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_on_a_phone_nothing_is_wider_than_the_screen_and_plots_keep_their_size(report: Path) -> None:
    with opened(report, viewport={"width": 390, "height": 844}) as shown:
        wide = shown.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390
        box = shown.page.locator('[data-plot="pools"] text.tick').first.bounding_box()
        assert box
        assert box["height"] >= 8
        assert shown.page.locator(".plot").first.evaluate("plot => plot.scrollWidth > plot.clientWidth")


@pytest.mark.nightly("twenty seconds of processor to make the run")
def test_a_long_run_stays_small(tmp_path: Path) -> None:
    """Ten minutes at 500 a second, probes at 20 Hz, a fault every ten seconds."""
    probed = {
        name: rows(lambda at: "web1=1 web2=1 web3=1 " if at % 10 > 1 else None, 600) for name in ("site", "http-lb1")
    }
    faults = [happened("kill", "web1", at, at + 3) for at in range(5, 590, 10)]
    answers = load(lambda at: at % 10 < 0.1, rate=500, seconds=600)
    report = _written(tmp_path, seen(probed, faults, answers, seconds=600))
    assert report.stat().st_size < MEGABYTES
    with opened(report) as shown:
        assert len(bands(shown.page, "times")) == 1, "all are called the same"
        assert shown.page.locator('[data-plot="times"] .band').count() == len(faults)
