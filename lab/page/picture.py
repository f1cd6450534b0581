"""The picture of the page: that of `lab graph`, with a place for the state of each node and edge. Pure text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from lab.export.graph import Grid, edge_id, edges, places

if TYPE_CHECKING:
    from lab.plan import Plan
    from lab.plan.model import NodePlan

GRID = Grid(box=(136, 58), gap=10, row=84, column=166, head=16)
GLYPH = 15  # half of the width of a node's sign, with its margin


def picture(plan: Plan) -> str:
    """The picture as SVG: `g.edge#edge-A-B`, `g.node#node-NAME`, and the sign of the VIP. Styles are the page's."""
    placed = places(plan, GRID)
    width, height = placed.width, placed.height + 4
    label = f'role="group" aria-label="the nodes of the cluster {escape(plan.cluster)}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" id="picture" {label}>',
        '<g id="edges">',
        *(_edge(left, right, placed.spots[left], placed.spots[right]) for left, right in edges(plan)),
        "</g>",
        *(_node(node, placed.spots[node.name]) for node in plan.nodes),
    ]
    if plan.vip:
        parts.append(
            f'<g id="vip" class="hidden" aria-hidden="true"><rect y="-13" width="{GRID.box[0]}" height="17" rx="8"/>'
            f'<text x="{GRID.box[0] / 2}" y="0" text-anchor="middle">VIP {escape(plan.vip)}</text></g>'
        )
    return "\n".join([*parts, "</svg>"])


def _edge(left: str, right: str, start: tuple[float, float], end: tuple[float, float]) -> str:
    x1, y1 = start[0] + GRID.box[0], start[1] + GRID.box[1] / 2
    x2, y2 = end[0], end[1] + GRID.box[1] / 2
    if x2 <= x1:  # the same column: round the outside
        x2 = end[0] + GRID.box[0]
        bend = GRID.column * 0.3
        path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 + bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    else:
        bend = min((x2 - x1) / 2, 60)
        path = f"M{x1:.1f} {y1:.1f}C{x1 + bend:.1f} {y1:.1f} {x2 - bend:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
    # The sign of a cut or of a node out of the pool, near the end, where fewest edges meet.
    share = 0.5 if x2 - x1 < GRID.column else 0.85
    mx, my = x1 + (x2 - x1) * share, y1 + (y2 - y1) * (0.5 if share == 0.5 else 0.94)  # noqa: PLR2004  see above
    return (
        f'<g class="edge" id="{edge_id(left, right)}" data-from="{left}" data-to="{right}">'
        f'<path class="wire" d="{path}"/><path class="flow" d="{path}"/>'
        f'<g class="mark" transform="translate({mx:.1f} {my:.1f})"><circle r="8"/>'
        '<path d="M-4 -4L4 4M4 -4L-4 4"/></g></g>'
    )


def _node(node: NodePlan, at: tuple[float, float]) -> str:
    (x, y), (width, height) = at, GRID.box
    name = escape(node.name)
    return (
        f'<g class="node unknown" id="node-{name}" data-node="{name}" data-role="{escape(node.role)}" '
        f'transform="translate({x:.1f} {y:.1f})" role="button" tabindex="-1" aria-label="{name}: unknown">'
        f'<rect class="box" width="{width}" height="{height}" rx="7"/>'
        f'<g class="sign" transform="translate({GLYPH} 18)"><circle class="disc" r="8.5"/><path class="glyph"/></g>'
        f'<text class="name" x="{GLYPH + 13}" y="25">{name}</text> '
        f'<text class="state" x="9" y="47">unknown</text> '
        f'<g class="badges" transform="translate(0 {height + 2})"></g> '
        f'<g class="faults" transform="translate({width - 4} -4)"></g>'
        f"</g>"
    )
