"""Changes of a topology file that leave everything else in it as the person wrote it, comments included."""

from __future__ import annotations

import contextlib
import io
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from lab import assets
from lab.drafts import drafted
from lab.errors import HostError, SpecError
from lab.reading import text
from lab.topology.loading import DEFAULT_FILE, ROLES, TOPOLOGY, find, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.topology.cluster import Cluster

WIDTH = 4096  # a public key is one line


@dataclass(frozen=True)
class Edit:
    """A changed topology that is not written yet.

    Attributes:
        target: the file to write.
        text: its new content, valid.
        cluster: what that describes.
    """

    target: Path
    text: str
    cluster: Cluster

    @contextmanager
    def drafted(self) -> Iterator[None]:
        """Writes a draft beside the file, which takes its place when the block ends, and is removed when it fails.

        The file is written whole or not at all, with the mode that it had; a link stays one.

        Raises:
            HostError: the folder can't be written; the block is not run.
        """
        target = self.target.resolve()
        with contextlib.ExitStack() as written:
            with self._refused(target):
                draft = written.enter_context(drafted(target))
                draft.write_text(self.text, encoding="utf-8")
                if target.exists():
                    draft.chmod(target.stat().st_mode & 0o777)
            yield
            with self._refused(target):
                written.close()  # the draft takes the file's place

    @contextmanager
    def _refused(self, target: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HostError(
                f"{self.target} can't be written: {error.strerror}",
                where=str(target),
                next_step="copy the topology to a folder of your own, and name it with --file",
            ) from None


def edited(path: Path, target: Path, change: Callable[[Any], None]) -> Edit:
    """Changes what a file says; an outcome that is not valid is refused, and nothing is written yet.

    Args:
        path: the file to read.
        target: where the outcome goes; usually the same.
        change: gets the top level of the document as a mapping, and changes it in place.

    Raises:
        SpecError: the file can't be read, or would not be valid any more.
    """
    assets.use_roles(path.parent / ROLES)
    before = text(path, TOPOLOGY)
    parse(before, str(path))
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, WIDTH
    document = yaml.load(before)
    change(document)
    buffer = io.StringIO()
    yaml.dump(document, buffer)
    return Edit(target, buffer.getvalue(), parse(buffer.getvalue(), str(target)))


def edited_section(file: str | None, section: str, work: Callable[[dict[str, Any]], None], last: str = "") -> Edit:
    """Changes one section of the topology that is meant; one that ships is copied to `cluster.yaml` first.

    Args:
        file: as `--file` says.
        section: a key of the top level, such as `users`; made where it is missing.
        work: gets what the file has in it, by name, and changes that in place.
        last: what the cluster was made from, where the option is left out.

    Returns:
        The change, to be written once it works.

    Raises:
        SpecError: what would come out is not valid.
    """
    path = find(file, last)
    shipped = path in assets.topologies().values()
    target = DEFAULT_FILE if shipped else path
    if shipped and file and target.exists():
        raise SpecError(
            f"'{file}' is a shipped topology, which is not changed, and {target} already exists",
            where="--file",
            next_step=f"omit --file to change {target}, or copy {path} to another file",
        )

    def change(document: Any) -> None:  # noqa: ANN401  ruamel's mapping
        if document.get(section) is None:
            document[section] = {}
        work(document[section])
        if not document[section]:
            del document[section]

    return edited(path, target, change)
