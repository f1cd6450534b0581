"""A mount that takes another one's place, in a mount namespace of the test's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab_node import exchange

if TYPE_CHECKING:
    from collections.abc import Callable


NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
SCRIPT = """
set -e
cd {folder} && mkdir new old
mount -t tmpfs new new && touch new/newer
mount -t tmpfs old old && touch old/older && exec 3< old/older
cat > program << 'END'
import sys
sys.path.insert(0, "{library}")
from lab_node import exchange
{how}
exchange.main(b"new", b"old")
END
{python} program
ls old new
[ "$(grep -c " {folder}/old " /proc/self/mounts)" = 1 ]
cat <&3
"""


@pytest.fixture
def exchanged(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    if subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "x", "/mnt"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount in a namespace")
    library = Path(exchange.__file__).parents[1]

    def run(how: str, text: str = SCRIPT) -> subprocess.CompletedProcess[str]:
        script = text.format(folder=tmp_path, python=sys.executable, library=library, how=how)
        return subprocess.run([*NAMESPACE, "sh", "-c", script], check=False, capture_output=True, text=True)

    return run


@pytest.mark.parametrize("how", ["", "exchange.BENEATH = 1 << 20"], ids=["beneath", "an-earlier-kernel"])
def test_one_takes_the_others_place_and_what_is_open_stays_so(
    exchanged: Callable[..., subprocess.CompletedProcess[str]], how: str
) -> None:
    done = exchanged(how)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["new:", "old:", "newer"]


ENDED = """
set -e
cd {folder} && mkdir new old
mount -t tmpfs old old && touch old/older
cat > program << 'END'
import sys
sys.path.insert(0, "{library}")
from lab_node import exchange
{how}
exchange.main(b"new", b"old", b"nosymfollow")
END
! {python} program || exit 3
ls old
"""


@pytest.mark.parametrize("how", ["", "exchange.BENEATH = 1 << 20"], ids=["beneath", "an-earlier-kernel"])
def test_where_the_mount_has_ended_the_other_one_stays(
    exchanged: Callable[..., subprocess.CompletedProcess[str]], how: str
) -> None:
    done = exchanged(how, ENDED)
    assert (done.returncode, done.stdout, done.stderr) == (0, "older\n", "")


LINKS = """
set -e
cd {folder} && mkdir new old folder && echo text > folder/file
mount -t tmpfs new new && echo own > new/file && ln -s file new/link && ln -s {folder}/folder new/folder
cat > program << 'END'
import sys
sys.path.insert(0, "{library}")
from lab_node import exchange
{how}
exchange.main(b"new", b"old", b"nosymfollow")
END
{python} program
cat old/file
cat old/link old/folder/file 2>&1 || true
"""


FOLLOWED = (
    "followed, where the program that reads them does so: mount_setattr: Function not implemented; it takes Linux 5.14"
)


@pytest.mark.parametrize(
    ("how", "lines"),
    [
        (
            "",
            [
                "own",
                "cat: old/link: Too many levels of symbolic links",
                "cat: old/folder/file: Too many levels of symbolic links",
            ],
        ),
        (
            "exchange.MOUNT_SETATTR = 100000",
            [
                f"symbolic links in old are {FOLLOWED}",
                "own",
                "own",
                "text",
            ],
        ),
    ],
    ids=["sealed", "an-earlier-kernel"],
)
def test_no_link_of_a_mount_is_followed_where_nothing_was_mounted_before(
    exchanged: Callable[..., subprocess.CompletedProcess[str]], how: str, lines: list[str]
) -> None:
    done = exchanged(how, LINKS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == lines
