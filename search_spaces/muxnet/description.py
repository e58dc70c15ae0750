"""A network block by block: rows for a table, and a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from nas.core.records import Block
from search_spaces.muxnet.cost import Cost, block_cost, head_cost, linear_cost, stem_cost
from search_spaces.muxnet.spec import BlockKind, BlockSpec, NetworkSpec, check_network, halved, placed

_SIGNS = {-1: "-", 0: "0", 1: "+"}
_COLOURS = {
    "stem": "#8d99ae",
    "ds": "#f2b950",
    "ir": "#5a9bd5",
    "sp": "#6abf8a",
    "dsa": "#f2b950",
    "sn": "#c58fd0",
    "head": "#8d99ae",
    "neck": "#8d99ae",
    "basic": "#5a9bd5",
    "conv": "#5a9bd5",
}


def describe(
    spec: NetworkSpec, resolution: int | None = None, *, num_classes: int = 1000, in_channels: int = 3
) -> list[Block]:
    """The network from stem to classifier; parameters and MAdds add up to those of `network_cost`.

    At `resolution` pixels, the specification's own when None. Raises `ConfigError` when it cannot be built there.
    """
    spec = spec if resolution is None else spec.at(resolution)
    check_network(spec)
    size = halved(spec.resolution, spec.stem_stride)
    cost = stem_cost(in_channels, spec.stem, size)
    size = halved(size, 2) if spec.stem_pool else size
    text = f"k3 s{spec.stem_stride}" + (", 3x3 max pooling s2" if spec.stem_pool else "")
    rows = [Block("stem", text, (spec.stem, size, size), cost.params, cost.madds)]
    width = spec.stem
    for place in placed(spec):
        width, size = place.block.width, place.out_size
        cost = block_cost(place)
        rows.append(
            Block(
                place.block.kind.value, block_text(place.block), (width, size, size), cost.params, cost.madds
            )
        )
    if spec.head:
        cost = head_cost(width, spec.head, size)
        rows.append(Block("head", "k1", (spec.head, size, size), cost.params, cost.madds))
    if spec.neck:
        cost = linear_cost(spec.pooled, spec.neck)
        rows.append(Block("neck", spec.act.value, (spec.neck,), cost.params, cost.madds))
    cost = linear_cost(spec.features, num_classes)
    rows.append(Block("classifier", "", (num_classes,), cost.params, cost.madds))
    return rows


def sum_of(rows: Sequence[Block]) -> Cost:
    """Parameters and MAdds of the whole network."""
    return Cost(sum(row.params for row in rows), sum(row.madds for row in rows))


def block_text(block: BlockSpec) -> str:
    """A block in the letters of the text form, separated by spaces."""
    words = ["k" + ".".join(map(str, block.kernels)), f"s{block.stride}"]
    if block.kind in (BlockKind.IR, BlockKind.SP):
        words.append(f"e{block.expansion:g}")
    if block.kind is BlockKind.SP:
        words.append(f"split {block.split:g}")
        if block.scales:
            words.append("scales " + "".join(_SIGNS[s] for s in block.scales))
        else:
            words.append(f"group {block.group}")
    if block.pointwise != (1, 1):
        words.append("1x1 in groups " + ".".join(map(str, block.pointwise)))
    words.append(
        f"hard se of {block.squeeze}" if block.squeeze else f"se {block.se:g}" if block.se else "no se"
    )
    words.append(block.act.value)
    return " ".join(words)


def to_svg(
    spec: NetworkSpec, resolution: int | None = None, *, num_classes: int = 1000, in_channels: int = 3
) -> str:
    """A drawing of `describe`, as `draw` makes it."""
    rows = describe(spec, resolution, num_classes=num_classes, in_channels=in_channels)
    return draw(rows, spec.resolution if resolution is None else resolution)


def draw(rows: Sequence[Block], resolution: int) -> str:
    """An SVG drawing of a network: one box a row, as wide as its share of the MAdds and labelled with its numbers."""
    total = sum_of(rows)
    most = max(row.madds for row in rows)
    height, left, width = 26, 210, 300
    lines = [
        f'<text x="10" y="20" font-weight="bold">{total.params:,} parameters, {total.madds:,} MAdds at '
        f"{resolution}x{resolution}</text>"
    ]
    for i, row in enumerate(rows):
        y = 34 + i * height
        bar = max(2.0, width * row.madds / most)
        shape = " x ".join(map(str, row.shape))
        title = f"{row.kind} {row.text}: {row.params:,} parameters, {row.madds:,} MAdds"
        lines.append(
            f"<g><title>{escape(title)}</title>"
            f'<text x="10" y="{y + 15}">{row.kind}</text><text x="90" y="{y + 15}">{shape}</text>'
            f'<rect x="{left}" y="{y}" width="{bar:.1f}" height="{height - 6}" rx="3" '
            f'fill="{_COLOURS.get(row.kind, "#b0a8b9")}"/>'
            f'<text x="{left + bar + 8:.1f}" y="{y + 15}">{row.madds / 1e6:.2f}M'
            f'<tspan fill="#666"> {row.params / 1e3:,.1f}k  {escape(row.text)}</tspan></text></g>'
        )
    bottom = 44 + len(rows) * height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{bottom}" viewBox="0 0 860 {bottom}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )
