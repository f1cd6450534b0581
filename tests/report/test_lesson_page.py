"""A lesson in a real browser: where answers are seen, what a wide picture hides, and what is offered."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from lab.backends.base import Capabilities
from lab.evidence import outcomes
from lab.evidence.outcomes import CheckOutcome, green, red
from lab.learning import starting
from lab.learning.library import lesson
from lab.learning.panel import LessonPanel
from lab.progress import Silent
from tests.pages import served
from tests.unit.live_page import CAN, Engine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Page

    from lab.backends.base import Result
    from tests.browser import Opened
    from tests.pages import Served

PHONE, SCREEN = {"width": 390, "height": 844}, {"width": 1280, "height": 900}
_SCREEN = pytest.param(SCREEN, id="screen", marks=pytest.mark.nightly("the same page, wider: five seconds each"))
SIZES = pytest.mark.parametrize("size", [pytest.param(PHONE, id="phone"), _SCREEN])
NEWS = """import("/static/store.js").then(
  ({ state }) => state.values.lesson.tasks.some((task) => task.state === "failed"))"""
"""Whether the page has heard of a red answer."""

DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Until what it heard is drawn, if it draws."""

LONG = "the copy differs in what rsync would still have to do " * 3


class Lesson5(Engine):
    """The lesson's nodes, of which the backup's readiness check asks programs that are not run."""

    def run(self, node: str, argv: Sequence[str], *, seconds: float = 30) -> Result:
        self.answers["ready"] = (1, "the backup was not looked at yet") if node == "backup1" else (0, "")
        return super().run(node, argv, seconds=seconds)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[CheckOutcome]:
    """What each check answers: the last one of these."""
    given = [green("good")]
    monkeypatch.setattr(outcomes.Question, "ask", lambda *_: given[-1])
    monkeypatch.setattr("lab.learning.panel.PATIENCE", 0.0)
    monkeypatch.setattr("lab.learning.attempt.PATIENCE", 0.0)
    return given


@pytest.fixture
def page(answers: list[CheckOutcome], tmp_path: Path) -> Iterator[Served]:
    """The page of the lesson of the backup, with four of five tasks green."""
    engine = Lesson5("golden", Capabilities("memory", CAN.kernel | {"fuse"}, sized_volumes=True))
    begun = starting.start(lesson(5), engine, Silent())
    engine.answers |= {"ping": (1, ""), "date": (0, "no load generator here")}
    for task in begun.lesson.data.tasks[:4]:
        begun.check(task, 0)
    assert answers
    with served(
        engine, begun.scene.cluster, panel=LessonPanel(engine, "-n golden"), folder=tmp_path, visitors=False
    ) as made:
        yield made


def _in_view(shown: Page, selector: str) -> bool:
    """Whether an element can be seen: in the window, in the panel that scrolls, and not beneath the buttons."""
    return bool(
        shown.evaluate(
            """selector => {
              const of = (one) => document.querySelector(one).getBoundingClientRect();
              const box = of(selector), bar = of("#lessonBar"), panel = of("#lesson");
              return box.top >= Math.max(0, bar.bottom - 1, panel.top) && box.top < Math.min(innerHeight, panel.bottom);
            }""",
            selector,
        )
    )


def _seen(shown: Page, selector: str) -> None:
    shown.wait_for_selector(selector)
    shown.wait_for_function("() => true")
    for _ in range(40):
        if _in_view(shown, selector):
            return
        shown.wait_for_timeout(50)
    pytest.fail(f"not in view: {selector}")


PRESSED = """verb => {
  const button = document.querySelector(`#lessonActions [data-verb="${verb}"]`);
  if (!button || button.getAttribute("aria-disabled") === "true") return false;
  button.click();
  return true;
}"""


def _press(shown: Page, verb: str) -> None:
    """Presses a button as soon as it can be pressed.

    In one step, so that no check begins between the look and the press, and without Playwright's own scrolling, which
    it tries where a redraw is in the way.
    """
    shown.wait_for_function(PRESSED, arg=verb)


def _opened(page: Served, visit: Callable[..., Opened], size: dict[str, Any]) -> Opened:
    opened = visit(page.address, viewport=size, bypass_csp=True)
    opened.page.wait_for_selector('[data-task="restore"].next details[open]')
    return opened


@SIZES
def test_the_newest_answer_is_in_view_beneath_the_buttons(
    page: Served, visit: Callable[..., Opened], answers: list[CheckOutcome], size: dict[str, Any]
) -> None:
    opened = _opened(page, visit, size)
    shown = opened.page
    answers.append(red("other-files", LONG, "kept/a"))
    for _ in range(2):  # the second answer is the same text, which is not drawn again
        _press(shown, "check")
        _seen(shown, '[data-task="restore"] .answer .said')
        shown.evaluate("document.getElementById('lesson').scrollTop = 0")
    for number in (2, 3, 4):  # that for the reason, which came twice, is the last
        _press(shown, "hint")
        _seen(shown, f'[data-task="restore"] .answer .hints > li:nth-child({number})')
        assert _in_view(shown, '[data-task="restore"] .answer .hints > li:last-child')
    assert shown.locator('#lessonActions [data-verb="check"]').is_visible()
    assert size is PHONE or shown.evaluate("scrollY") == 0, "the picture stays where it is"
    assert opened.errors == []


def test_news_during_a_press_do_not_take_the_click(
    page: Served, visit: Callable[..., Opened], answers: list[CheckOutcome]
) -> None:
    opened, watcher = _opened(page, visit, SCREEN), _opened(page, visit, SCREEN)
    answers.append(red("other-files", LONG, "kept/a"))
    opened.page.focus('#lessonActions [data-verb="check"]')
    opened.page.hover('#lessonActions [data-verb="hint"]')
    opened.page.mouse.down()
    watcher.page.click('#lessonActions [data-verb="check"]')
    watcher.page.wait_for_selector('[data-task="restore"] .answer .said')
    opened.page.wait_for_function(NEWS)
    opened.page.evaluate(DRAWN)
    opened.page.mouse.up()
    _seen(opened.page, '[data-task="restore"] .answer .hints > li')


def test_a_press_during_a_check_waits_for_its_answer(
    page: Served, visit: Callable[..., Opened], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server refuses a second action meanwhile, so none is offered; the focus stays."""
    begun, answered = threading.Event(), threading.Event()

    def held(*_: object) -> CheckOutcome:
        begun.set()
        assert answered.wait(60), "the check was never let end"
        return red("other-files", LONG, "kept/a")

    monkeypatch.setattr(outcomes.Question, "ask", held)
    opened = _opened(page, visit, SCREEN)
    shown = opened.page
    hint = shown.locator('#lessonActions [data-verb="hint"]')
    shown.click('#lessonActions [data-verb="check"]')
    assert begun.wait(30), "the check did not begin"
    try:
        assert hint.get_attribute("aria-disabled") == "true"
        hint.focus()
        shown.keyboard.press("Enter")
        assert shown.inner_text("#lessonSaid").startswith("… lab learn check")
    finally:
        answered.set()
    shown.wait_for_selector('[data-task="restore"].failed')
    hint.click()  # Playwright waits until it can be pressed
    _seen(shown, '[data-task="restore"] .answer .hints > li:nth-child(1)')
    assert shown.inner_text("#lessonSaid").startswith("hint 1 of ")
    assert shown.evaluate("document.activeElement.dataset.verb") == "hint"
    assert opened.errors == []


@SIZES
def test_a_green_task_is_folded_and_can_be_checked_again(
    page: Served, visit: Callable[..., Opened], answers: list[CheckOutcome], size: dict[str, Any]
) -> None:
    opened = _opened(page, visit, size)
    shown = opened.page
    assert not shown.locator('[data-task="dump"] .said').is_visible(), "the answer of a green task is folded"
    shown.click('#lessonActions [data-verb="check"]')
    shown.wait_for_selector('[data-task="restore"].done')
    assert shown.locator("#lessonActions [data-verb]").count() == 0
    answers.append(red("no-copy", LONG))
    shown.click('[data-task="files"] summary')
    shown.click('[data-task="files"] [data-verb="check"]')
    shown.wait_for_selector('[data-task="files"].failed')
    _seen(shown, '[data-task="files"] .answer .said')
    summary = shown.inner_text('[data-task="files"] summary')
    assert "red; was green at " in summary
    assert "4 of 5 green, 1 not any more" in shown.inner_text("#lesson")
    colour = "getComputedStyle(document.querySelector('[data-task=\"files\"] .said')).color"
    green_colour = "getComputedStyle(document.querySelector('[data-task=\"dump\"] .mark-word')).color"
    assert shown.evaluate(colour) != shown.evaluate(green_colour)
    assert opened.errors == []


def test_a_wide_picture_names_what_is_beside_it_and_shows_nodes_by_hand(
    page: Served, visit: Callable[..., Opened]
) -> None:
    opened = _opened(page, visit, PHONE)
    shown = opened.page
    shown.wait_for_selector("#node-backup1.by-hand")
    assert "by hand" in str(shown.text_content("#node-backup1 .state"))
    shown.wait_for_function("document.getElementById('pictureBox').scrollLeft > 0")
    inside = """name => { const box = document.getElementById("pictureBox").getBoundingClientRect(),
      node = document.querySelector(`#node-${name} .box`).getBoundingClientRect();
      return node.left >= box.left - 6 && node.right <= box.right + 6; }"""
    assert shown.evaluate(inside, "backup1")
    shown.wait_for_selector("#moreLeft:not([hidden])")
    assert shown.inner_text("#moreLeft").startswith("◂ client")
    shown.click("#moreLeft")
    shown.wait_for_selector("#moreRight:not([hidden])")
    assert "backup1 ▸" in shown.inner_text("#moreRight")
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    wide = _opened(page, visit, SCREEN).page
    assert not wide.locator("#moreRight").is_visible()
    assert opened.errors == []


def test_scenarios_for_other_clusters_are_disabled_with_the_reason(page: Served, visit: Callable[..., Opened]) -> None:
    opened = _opened(page, visit, SCREEN)
    shown = opened.page
    shown.wait_for_selector("#scenario option", state="attached")
    options = shown.eval_on_selector_all("#scenario option", "all => all.map(one => [one.disabled, one.textContent])")
    assert options[0] == [False, "none for this cluster"]
    assert all(disabled for disabled, _ in options[1:])
    assert any("vip-holder-hangs (the cluster has no VIP)" in text for _, text in options)
    assert shown.locator("#play").is_disabled()
    shown.click("#node-backup1")
    names = shown.eval_on_selector_all('[aria-label="Freeze: service"] option', "all => all.map(one => one.value)")
    assert names == ["mounts", "schedule"]
    assert opened.errors == []


def test_a_page_whose_cluster_is_gone_names_the_lesson(page: Served, visit: Callable[..., Opened]) -> None:
    opened = _opened(page, visit, SCREEN)
    starting.reset(page.page.collector.backend, Silent())
    opened.page.wait_for_selector("#verdict.dead")
    banner = "the cluster 'golden' does not exist any more; 'lab learn start 5 -n golden' creates it again"
    assert opened.page.inner_text("#stale") == banner
    opened.page.wait_for_selector("#taught", state="hidden")
    assert opened.errors == []
