"""A NAS-Bench-201 cell in words and as a small SVG image, without any plotting library."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.nasbench201.cell import EDGES, OPERATIONS, PUBLISHED
from search_spaces.nasbench201.cost import Skeleton, network_cost

_NODES = ((70, 190), (250, 115), (430, 275), (610, 190))  # centres, pixels
_NAMES = ("input", "1", "2", "output")
_WIDTH, _HEIGHT, _RADIUS = 680, 320, 28
# Position of each edge's label, and the control point of its curve; in the order of the genes.
_THROUGH = ((160, 152), (250, 232), (340, 195), (340, 18), (430, 152), (520, 232))
_BEND = (None, None, None, (340, -140), None, None)  # the edge from input to output passes over all others
_COLOURS = ("#ffffff", "#e8e8e8", "#c7e9c0", "#c6dbef", "#fdd0a2")


def published(operations: Sequence[int]) -> str:
    """The benchmark's own text for the cell: `|nor_conv_3x3~0|+|...|`."""
    nodes = []
    for end in (1, 2, 3):
        edges = [i for i, (target, _) in enumerate(EDGES) if target == end]
        nodes.append("|" + "|".join(f"{PUBLISHED[operations[i]]}~{EDGES[i][1]}" for i in edges) + "|")
    return "+".join(nodes)


def describe(operations: Sequence[int], skeleton: Skeleton) -> str:
    """One line for the network, one for the benchmark's own text, then one per edge."""
    params, madds = network_cost(operations, skeleton)
    widths = "/".join(str(channels) for channels, _ in skeleton.stages)
    lines = [
        f"3 stages of {skeleton.cells_per_stage} cells, {widths} channels, {params:,} parameters, "
        f"{madds:,} multiply-adds",
        published(operations),
    ]
    return "\n".join(
        [
            *lines,
            *(
                f"{_NAMES[s]} -> {_NAMES[e]}: {OPERATIONS[op]}"
                for op, (e, s) in zip(operations, EDGES, strict=True)
            ),
        ]
    )


def to_svg(operations: Sequence[int]) -> str:
    """The four nodes, and each edge with its operation; an edge of 'none' is left out."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" font-family="sans-serif" font-size="13" role="img">',
        f"<title>{''.join(map(str, operations))}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    ]
    shown = [edge for edge, op in enumerate(operations) if op]
    lines += [_edge(edge) for edge in shown]
    lines += [_label(edge, operations[edge]) for edge in shown]
    lines += [_node(place, name) for place, name in zip(_NODES, _NAMES, strict=True)]
    return "\n".join([*lines, "</svg>"])


def _edge(edge: int) -> str:
    end, start = EDGES[edge]
    (x1, y1), (x2, y2) = _NODES[start], _NODES[end]
    bx, by = _BEND[edge] or ((x1 + x2) / 2, (y1 + y2) / 2)
    sx, sy = _towards((x1, y1), (bx, by))
    ex, ey = _towards((x2, y2), (bx, by))
    return (
        f'<path d="M{sx:.0f},{sy:.0f} Q{bx:.0f},{by:.0f} {ex:.0f},{ey:.0f}" fill="none" stroke="#555" '
        'stroke-width="1.4" marker-end="url(#head)"/>'
    )


def _towards(start: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """The point of a node's rim that faces another point."""
    dx, dy = other[0] - start[0], other[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    return start[0] + _RADIUS * dx / length, start[1] + _RADIUS * dy / length


def _label(edge: int, operation: int) -> str:
    x, y = _THROUGH[edge]
    name = OPERATIONS[operation]
    width = 8 * len(name) + 12
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - 11}" width="{width}" height="22" rx="5" '
        f'fill="{_COLOURS[operation]}" stroke="#888"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle">{name}</text>'
    )


def _node(place: tuple[int, int], name: str) -> str:
    x, y = place
    return (
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="#e8e8e8" stroke="#555"/>'
        f'<text x="{x}" y="{y + 5}" text-anchor="middle">{name}</text>'
    )
