"""A picture of a plan: Mermaid, Graphviz' dot, or SVG. Pure text."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from lab.recipes import manifest
from lab.recipes.apps import declared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lab.plan.model import NodePlan, Plan
    from lab.recipes.declared import Picture

BOX, GAP, ROW, COLUMN = (150, 44), 20, 64, 230


def tiers(plan: Plan) -> list[list[NodePlan]]:
    """The nodes, tier by tier, in the direction in which a request goes."""
    return [plan.role(role) for role in sorted({node.role for node in plan.nodes}, key=_place)]


def edges(plan: Plan) -> list[tuple[str, str]]:
    """Who speaks to whom."""
    columns = tiers(plan)
    front = [nodes for nodes in columns if _picture(nodes).front]
    others = [nodes for nodes in columns if not _picture(nodes).front]
    balancers = next((nodes for nodes in front if nodes[0].holds_vip), front[-1])
    balanced = {listener.role for listener in plan.listeners}
    pairs = list(pairwise(front))
    like = declared().like.role
    pairs += [(left, plan.role(app)) for left, right in pairwise(front) if right[0].role == like for app in plan.apps]
    pairs += [(nodes, plan.role(role)) for nodes in columns for role in _picture(nodes).to]
    pairs += [(balancers, nodes) for nodes in others if nodes[0].role in balanced]
    return [(left.name, right.name) for lefts, rights in pairs for left in lefts for right in rights]


def _picture(nodes: list[NodePlan]) -> Picture:
    return manifest(nodes[0].role).own.picture


def _place(role: str) -> tuple[int, str]:
    return manifest(role).own.picture.place, role


def mermaid(plan: Plan) -> str:
    """For Markdown that a forge renders."""
    lines = ["flowchart LR"]
    for nodes in tiers(plan):
        shared = plan.vip and any(node.holds_vip for node in nodes)
        title = f"{nodes[0].role}, VIP {plan.vip}" if shared else nodes[0].role
        lines.append(f'  subgraph {nodes[0].role}["{title}"]')
        lines += [f'    {node.name}["{node.name}<br/>{node.address}"]' for node in nodes]
        lines.append("  end")
    return "\n".join(lines + [f"  {left} --> {right}" for left, right in edges(plan)])


def dot(plan: Plan) -> str:
    """For Graphviz."""
    lines = ["digraph cluster {", "  rankdir=LR;", "  node [shape=box, style=filled, fontname=sans];"]
    for nodes in tiers(plan):
        for node in nodes:
            fill = manifest(node.role).own.picture.fill
            lines.append(f'  "{node.name}" [label="{node.name}\\n{node.address}", fillcolor="{fill}"];')
    return "\n".join([*lines, *(f'  "{left}" -> "{right}";' for left, right in edges(plan)), "}"])


@dataclass(frozen=True)
class Grid:
    """Sizes of a picture: of a node's box, the margin, and the distances of two rows and two columns."""

    box: tuple[int, int] = BOX
    gap: int = GAP
    row: int = ROW
    column: int = COLUMN
    head: int = 24


@dataclass(frozen=True)
class Places:
    """Where everything of a picture is; `spots`: the upper left corner of each node's box."""

    width: float
    height: float
    spots: Mapping[str, tuple[float, float]]


def places(plan: Plan, grid: Grid) -> Places:
    """The places of all nodes: a column a tier, each centred."""
    columns = _columns(plan)
    tallest = max(len(nodes) for nodes in columns)
    width = len(columns) * grid.column - (grid.column - grid.box[0]) + 2 * grid.gap
    spots = {}
    for column, nodes in enumerate(columns):
        top = grid.gap + grid.head + (tallest - len(nodes)) * grid.row / 2
        for row, node in enumerate(nodes):
            spots[node.name] = (grid.gap + column * grid.column, top + row * grid.row)
    return Places(width, tallest * grid.row + 2 * grid.gap + grid.head, spots)


def svg(plan: Plan) -> str:
    """A picture that needs no other program: a column a tier. Nodes and edges have ids and classes."""
    placed = places(plan, Grid())
    width, height, spots = placed.width, placed.height, placed.spots
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<style>text { font: 13px system-ui, sans-serif }</style>",
        f'<title>the cluster {escape(plan.cluster)}</title><rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for left, right in edges(plan):
        (x1, y1), (x2, y2) = spots[left], spots[right]
        parts.append(
            f'<line class="edge" id="{edge_id(left, right)}" x1="{x1 + BOX[0]}" y1="{y1 + BOX[1] / 2}" x2="{x2}" '
            f'y2="{y2 + BOX[1] / 2}" stroke="#8a94a3"/>'
        )
    parts += [_box(node, spots[node.name]) for nodes in _columns(plan) for node in nodes]
    held = next((node for node in plan.nodes if node.holds_vip), None)
    if plan.vip and held:
        x, _ = spots[held.name]
        parts.append(
            f'<text x="{x + BOX[0] / 2}" y="{GAP + 8}" text-anchor="middle" fill="#1f4e8c">VIP {plan.vip}</text>'
        )
    return "\n".join([*parts, "</svg>"])


def edge_id(left: str, right: str) -> str:
    """The id of an edge in a picture."""
    return f"edge-{left}-{right}"


def _columns(plan: Plan) -> list[list[NodePlan]]:
    columns: dict[str, list[NodePlan]] = {}
    for nodes in tiers(plan):
        role = nodes[0].role
        above = _picture(nodes).column
        columns.setdefault(above if above in columns else role, []).extend(nodes)
    return list(columns.values())


def _box(node: NodePlan, at: tuple[float, float]) -> str:
    x, y = at
    middle, fill = x + BOX[0] / 2, manifest(node.role).own.picture.fill
    return (
        f'<g class="node" id="node-{node.name}">'
        f'<rect x="{x}" y="{y}" width="{BOX[0]}" height="{BOX[1]}" rx="6" fill="{fill}" '
        f'stroke="#5b6675"/><text x="{middle}" y="{y + 19}" text-anchor="middle" font-weight="600">{escape(node.name)}'
        f'</text><text x="{middle}" y="{y + 35}" text-anchor="middle" fill="#454d59">{node.address}</text></g>'
    )


FORMATS = {"mermaid": mermaid, "dot": dot, "svg": svg}
