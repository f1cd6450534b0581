"""A stop of httpd while it still waits: the script of the image, with paths below the test's folder."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

IMAGES = Path(__file__).parents[2] / "images"
LIMIT = 20.0


@pytest.mark.parametrize("awaited", ["sites", "PHP-FPM"])
def test_a_stop_ends_httpd_before_it_has_begun(tmp_path: Path, awaited: str) -> None:
    (tmp_path / "httpd.conf").write_text("")
    if awaited == "PHP-FPM":
        (tmp_path / "php-fpm.conf").write_text("")
    text = (IMAGES / "web/rootfs/usr/lib/lab/httpd").read_text()
    for old, new in (
        ("/usr/lib/lab/asking", IMAGES / "base/rootfs/usr/lib/lab/asking"),
        ("/run/php-fpm", tmp_path / "php-fpm"),
        ("/run/lab", tmp_path / "lab"),
        ("/etc/lab", tmp_path),
        ("    pause", f"    echo >> {tmp_path}/waits; pause"),
    ):
        assert old in text, old
        text = text.replace(old, str(new))
    (tmp_path / "httpd").write_text(text)
    process = subprocess.Popen(["bash", str(tmp_path / "httpd"), "/bin/false"])
    end = time.monotonic() + LIMIT
    while not (tmp_path / "waits").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    process.send_signal(signal.SIGWINCH)
    assert process.wait(LIMIT) == 0
