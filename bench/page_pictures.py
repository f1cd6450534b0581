"""docs/page.png and docs/page.gif, of a real failover: `python -m bench.page_pictures [-n NAME] [-f TOPOLOGY]`.

The cluster has to be up. The holder of the VIP is cut off for five seconds, as a button of the page does it.
"""

from __future__ import annotations

import argparse
import base64
import shutil
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import ViewportSize, sync_playwright

from lab.backends import backend
from lab.page.security import Tokens
from lab.page.server import Page, PageServer, listening
from lab.topology import Placement, find, load
from tests.browser import NAMES

if TYPE_CHECKING:
    from playwright.sync_api import Page as Window

DOCS = Path(__file__).parents[1] / "docs"
SIZE: ViewportSize = {"width": 1280, "height": 720}
BEFORE_SECONDS, CUT_SECONDS, LONGEST_SECONDS, ATTEMPTS = 14.0, 5, 25.0, 4
MEASURED = '[data-promise="vip-moves"][data-result="holds"]'
FRAME_SECONDS = 0.5
MOST_BYTES = 1_000_000
TOKENS = Tokens("pictures-change", "pictures-read")


def main() -> None:
    """Takes both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", "--name", default="www")
    parser.add_argument("-f", "--file", default="full")
    chosen = parser.parse_args()
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    opened = listening(None)
    port = opened.getsockname()[1]
    page = Page(backend(Placement(), chosen.name), load(find(chosen.file), name=chosen.name), port=port, tokens=TOKENS)
    server = PageServer(page)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]})
    thread.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
            window = browser.new_page(viewport=SIZE)
            window.goto(f"http://127.0.0.1:{port}/?token={TOKENS.change}")
            frames = _failover(window)
            made = browser.new_page().evaluate(Path(__file__).with_name("gif.js").read_text(encoding="utf-8"), frames)
            browser.close()
    finally:
        server.end()
        thread.join()
        opened.close()
    content = base64.b64decode(made)
    if len(content) > MOST_BYTES:
        raise SystemExit(f"the animation has {len(content)} bytes, at most {MOST_BYTES} are wanted")
    (DOCS / "page.gif").write_bytes(content)
    print(f"{DOCS / 'page.png'}, {DOCS / 'page.gif'}: {len(content) // 1024} KiB, {len(frames)} frames")


def _failover(window: Window) -> list[dict[str, Any]]:
    """The frames of a failover; the picture is kept when the promise shows its figure and holds."""
    for _ in range(ATTEMPTS):
        window.wait_for_selector("body:not(.stale) #verdict.ready", timeout=60_000)
        window.wait_for_timeout(BEFORE_SECONDS * 1000)
        holder = window.get_attribute("#vip", "data-holder")
        window.click('[data-pick="holder"]')
        window.select_option("#for", f"{CUT_SECONDS}s")
        frames, kept = [_frame(window, 120)], False
        window.click('[data-do="cut"]')
        begun = time.monotonic()
        while time.monotonic() < begun + LONGEST_SECONDS:
            due = time.monotonic() + FRAME_SECONDS
            frames.append(_frame(window, round(FRAME_SECONDS * 100)))
            moved = window.get_attribute("#vip", "data-holder") != holder
            if not kept and moved and window.locator(MEASURED).count():
                window.screenshot(path=str(DOCS / "page.png"))
                kept = True
            if kept and window.locator(f"#node-{holder}.ready").count() and time.monotonic() > begun + CUT_SECONDS + 2:
                frames[-1]["hold"] = 300
                return frames
            window.wait_for_timeout(max(0.0, due - time.monotonic()) * 1000)
    raise SystemExit("the machine is too busy: 'vip-moves' was not measured to hold")


def _frame(window: Window, hold: int) -> dict[str, Any]:
    content = base64.b64encode(window.screenshot()).decode()
    return {"png": f"data:image/png;base64,{content}", "hold": hold}


if __name__ == "__main__":
    main()
