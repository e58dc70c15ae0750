"""A cell in words and as a small SVG image, without any plotting library."""

from __future__ import annotations

from html import escape

from search_spaces.nasbench101.cell import OPERATIONS, Cell
from search_spaces.nasbench101.cost import Skeleton, network_cost, vertex_channels

_WIDTH, _HEIGHT = 118, 28  # of a vertex, pixels
_COLUMN, _ROW = 140, 62
_MARGIN = 16
_LANE = 8  # between edges that pass a different number of layers
_COLOURS = {
    "input": "#e8e8e8",
    "output": "#e8e8e8",
    OPERATIONS[0]: "#c6dbef",
    OPERATIONS[1]: "#c7e9c0",
    OPERATIONS[2]: "#fdd0a2",
}


def _names(cell: Cell) -> list[str]:
    return ["input", *(OPERATIONS[op] for op in cell.ops), "output"]


def describe(cell: Cell, skeleton: Skeleton) -> str:
    """One line for the cell, then one per vertex: operation, channels in each stack, successors."""
    params, madds = network_cost(cell, skeleton)
    widths = [vertex_channels(cell, width) for _, width, _ in skeleton.stages]
    lines = [
        f"{cell.num_vertices} vertices, {cell.num_edges} edges, "
        f"{params:,} parameters, {madds:,} multiply-adds"
    ]
    for v, name in enumerate(_names(cell)):
        channels = "/".join(str(stack[v]) for stack in widths) + " channels" if v else ""
        following = ", ".join(str(y) for x, y in cell.edges if x == v)
        lines.append(f"{v} {name:<15} {channels} {'-> ' + following if following else ''}".rstrip())
    return "\n".join(lines)


def to_svg(cell: Cell) -> str:
    """The cell as a layered graph, input on top; edges that pass over a layer are bent around it."""
    layers = _layers(cell)
    places = _places(layers)
    widest = max(layers.count(layer) for layer in layers)
    centre = _COLUMN * widest * 5 / 8 + _LANE * max(layers) + _MARGIN
    width, height = round(2 * centre), _ROW * max(layers) + _HEIGHT + 2 * _MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(f'{cell.adjacency}-{cell.operations}')}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>',
    ]
    for x, y in cell.edges:
        side = 1 if (x + y) % 2 else -1
        lines.append(_edge(places[x], places[y], side * _bend(layers, layers[x], layers[y]), centre))
    lines += [_vertex(places[v], v, name, centre) for v, name in enumerate(_names(cell))]
    return "\n".join([*lines, "</svg>"])


def _layers(cell: Cell) -> list[int]:
    """Length of the longest path from the input to each vertex."""
    layers = [0] * cell.num_vertices
    for x, y in cell.edges:  # sorted by y, so the layer of x is final
        layers[y] = max(layers[y], layers[x] + 1)
    return layers


def _places(layers: list[int]) -> list[tuple[float, float]]:
    """Centre of each vertex, x counted from the middle of the image."""
    places, seen = [], [0] * (max(layers) + 1)
    for layer in layers:
        x = (seen[layer] - (layers.count(layer) - 1) / 2) * _COLUMN
        seen[layer] += 1
        places.append((x, _MARGIN + _HEIGHT / 2 + layer * _ROW))
    return places


def _bend(layers: list[int], above: int, below: int) -> float:
    """Distance from the middle at which an edge clears the layers between; 0 between neighbouring layers."""
    passed = [layers.count(layer) for layer in range(above + 1, below)]
    return max(passed) * _COLUMN / 2 + _LANE * len(passed) if passed else 0.0


def _edge(start: tuple[float, float], end: tuple[float, float], bend: float, centre: float) -> str:
    """A line, or a curve that passes at about `bend` right (if negative, left) of the middle."""
    (x1, y1), (x2, y2) = start, end
    y1, y2 = y1 + _HEIGHT / 2, y2 - _HEIGHT / 2
    x1, x2 = x1 + bend / 6, x2 + bend / 6
    # The middle of a cubic curve lies three quarters of the way to its two control points.
    c1, c2 = (bend / 0.75, bend / 0.75) if bend else (x1, x2)
    third = (y2 - y1) / 3
    return (
        f'<path d="M{x1 + centre:.0f},{y1:.0f} C{c1 + centre:.0f},{y1 + third:.0f} '
        f'{c2 + centre:.0f},{y2 - third:.0f} {x2 + centre:.0f},{y2:.0f}" '
        'fill="none" stroke="#555" stroke-width="1.3" marker-end="url(#head)"/>'
    )


def _vertex(place: tuple[float, float], number: int, name: str, centre: float) -> str:
    x, y = place[0] + centre, place[1]
    return (
        f'<rect x="{x - _WIDTH / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{_WIDTH}" height="{_HEIGHT}" '
        f'rx="6" fill="{_COLOURS[name]}" stroke="#555"/>'
        f'<text x="{x:.0f}" y="{y + 4:.0f}" text-anchor="middle">{number} {escape(name)}</text>'
    )
