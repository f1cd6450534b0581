"""Markdown as a tree of plain values, for a page that sets texts as text and takes no HTML from anywhere.

A block is a text, or a list: the tag, and its content. Tags are those of `TAGS`; anything else is shown as text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from lab.learning.text import FOLDED

if TYPE_CHECKING:
    from collections.abc import Sequence

Block: TypeAlias = "str | list[Block]"

TAGS = frozenset(
    {"p", "ul", "ol", "li", "blockquote", "pre", "code", "strong", "em", "h3", "h4", "br", "hr"}
    | {"details", "summary", "table", "thead", "tbody", "tr", "th", "td"}
)
LEAST_HEADING, LAST_HEADING = 3, 4  # those of the page itself come before
_PARSED = MarkdownIt("commonmark", {"html": False}).enable("table")


def blocks(markdown: str) -> list[Block]:
    """The blocks of a text; a `<details>` of it is one that can be unfolded."""
    tree: list[Block] = []
    end = 0
    for match in FOLDED.finditer(markdown):
        tree += _plain(markdown[end : match.start()])
        tree.append(["details", ["summary", *_inside(match[1].strip())], *_plain(match[2])])
        end = match.end()
    return tree + _plain(markdown[end:])


def _plain(markdown: str) -> list[Block]:
    return _all(SyntaxTreeNode(_PARSED.parse(markdown)).children)


def _inside(markdown: str) -> list[Block]:
    """A text without blocks, such as a heading."""
    return _all(SyntaxTreeNode(_PARSED.parseInline(markdown)).children)


def _all(nodes: Sequence[SyntaxTreeNode]) -> list[Block]:
    return [block for node in nodes for block in _block(node)]


def _block(node: SyntaxTreeNode) -> list[Block]:
    if node.type in {"text", "html_inline", "html_block"}:
        return [node.content] if node.content else []
    if node.type == "softbreak":
        return [" "]
    if node.type == "code_inline":
        return [["code", node.content]]
    if node.type in {"fence", "code_block"}:
        return [["pre", ["code", node.content]]]
    content = _all(node.children)
    tag = node.tag
    if node.type == "heading":
        tag = f"h{min(max(int(tag[1:]), LEAST_HEADING), LAST_HEADING)}"
    return [[tag, *content]] if tag in TAGS else content
