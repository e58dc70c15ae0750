"""The compact text form of a network: one token a block, without characters special to a shell or a table.

For example (muxnet_m begins so): ``r224/stem24/ds24/ir24:k3s2e4/sp:k3e4g2x2/ir40:k3.5.7s2e4/...``

Tokens are joined by "/": ``r`` resolution, ``stem`` width (``s1`` after it: stride 1; then ``p``: max pooling;
then the activation of stem and head, swish when absent), optionally ``se`` the squeeze-and-excitation ratio of
all ir and sp blocks (0.75 when absent), the blocks, ``head`` width (0: none; ``n`` and the width of a neck after
it). A block is its kind and width (sp keeps its input's), then, after ":", any of

    k3.5.7   kernels                    (3)      s2       stride                              (1)
    e4       expansion                  (1)      v0.25    squeeze-and-excitation ratio        (see below)
    p0.25    share processed, sp only   (0.5)    h4       groups of the channel shuffle       (2)
    g2       channels a group, sp only  (1)      m-0+     signs of spatial multiplexing       (none)
    q24      width of hard squeeze-and-excitation  w2.2   groups of the 1x1s, ir only         (1.1)
    relu, swish, relu6, hswish  activation (see below)
    x2       this many such blocks, last of all  (1)

with the value in brackets when absent. Squeeze-and-excitation is 0.25 in ds when absent, none in dsa and sn; the
activation is the stem's if that has one written, else ReLU before the second ir block and swish from there on.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby

from nas.core.errors import ArchitectureError, ConfigError
from search_spaces.muxnet.spec import Activation, BlockKind, BlockSpec, NetworkSpec

_SIGNS = {"-": -1, "0": 0, "+": 1}
_LETTERS = {sign: letter for letter, sign in _SIGNS.items()}
_DS_SE, _SE = 0.25, 0.75
_NUMBER = r"\d+(?:\.\d+)?"
_ACT = "relu6|relu|hswish|swish"
_BLOCK = re.compile(r"(dsa|ds|ir|sp|sn)(\d*)(?::(\S+))?")
_OPTION = re.compile(
    rf"k(?P<k>\d+(?:\.\d+)*)|s(?P<s>\d+)|e(?P<e>{_NUMBER})|v(?P<v>{_NUMBER})|p(?P<p>{_NUMBER})"
    r"|h(?P<h>\d+)|g(?P<g>\d+)|m(?P<m>[-0+]+)|q(?P<q>\d+)|w(?P<w>\d+\.\d+)"
    rf"|(?P<a>{_ACT})|x(?P<x>\d{{1,2}})"
)


def format_spec(spec: NetworkSpec) -> str:
    """The text form; `parse_spec` gives the same specification back."""
    ratios = Counter(b.se for b in spec.blocks if b.kind in (BlockKind.IR, BlockKind.SP))
    ratio = ratios.most_common(1)[0][0] if ratios else _SE
    stem = f"stem{spec.stem}" + ("s1" if spec.stem_stride == 1 else "") + ("p" if spec.stem_pool else "")
    tokens = [f"r{spec.resolution}", stem + ("" if spec.act is Activation.SWISH else spec.act.value)]
    if ratio != _SE:
        tokens.append(f"se{ratio:g}")
    irs = 0
    described = []
    for block in spec.blocks:
        irs += block.kind is BlockKind.IR
        described.append(_format_block(block, ratio, _default_act(irs, spec.act)))
    for token, group in groupby(described):
        count = len(list(group))
        repeat = "" if count == 1 else f"x{count}" if ":" in token else f":x{count}"
        tokens.append(token + repeat)
    return "/".join([*tokens, f"head{spec.head}" + (f"n{spec.neck}" if spec.neck else "")])


def parse_spec(text: str) -> NetworkSpec:
    """Read the text form. Raises `ArchitectureError` naming the wrong token and the expected form.

    Whether the network can be built at its resolution is not checked here (see `check_network`).
    """
    tokens = text.strip().split("/")
    try:
        resolution = int(_take(tokens, r"r(\d+)", "r and the resolution, such as r224")[1])
        stem = _take(tokens, rf"stem(\d+)(s[12])?(p)?({_ACT})?", "stem and its width, such as stem24")
        act = Activation(stem[4] or "swish")
        ratio = _SE
        if tokens and tokens[0].startswith("se"):
            ratio = float(_take(tokens, rf"se({_NUMBER})", "se and a ratio, such as se0.25")[1])
        head = _take(tokens, r"head(\d+)(?:n(\d+))?", "head and its width, such as head1280", last=True)
        blocks = _parse_blocks(tokens, int(stem[1]), ratio, act)
        stride = 1 if stem[2] == "s1" else 2
        return NetworkSpec(
            resolution,
            int(stem[1]),
            blocks,
            int(head[1]),
            stride,
            act,
            stem[3] is not None,
            int(head[2] or 0),
        )
    except ArchitectureError as error:
        raise ArchitectureError(f"network {text!r}: {error}") from None
    except ConfigError as error:
        raise ArchitectureError(f"network {text!r}: {error}") from error


def _default_act(irs: int, stem: Activation) -> Activation:
    """Activation of a block without one in the text; `irs` counts the ir blocks up to and with it."""
    if stem is not Activation.SWISH:
        return stem
    return Activation.RELU if irs < 2 else Activation.SWISH


def _default_se(kind: BlockKind, ratio: float) -> float:
    """Squeeze-and-excitation ratio of a block without one in the text; `ratio` is that of the network."""
    return {BlockKind.DS: _DS_SE, BlockKind.DSA: 0.0, BlockKind.SN: 0.0}.get(kind, ratio)


def _format_block(block: BlockSpec, ratio: float, act: Activation) -> str:
    default_se = _default_se(block.kind, ratio)
    options = [
        "k" + ".".join(map(str, block.kernels)) if block.kernels != (3,) or _needs_k(block) else "",
        f"s{block.stride}" if block.stride != 1 else "",
        f"e{block.expansion:g}" if block.expansion != 1 else "",
        f"v{block.se:g}" if block.se != default_se else "",
        f"p{block.split:g}" if block.split != 0.5 else "",
        f"h{block.shuffle}" if block.shuffle != 2 else "",
        f"g{block.group}" if block.group != 1 else "",
        "m" + "".join(_LETTERS[s] for s in block.scales) if block.scales else "",
        f"q{block.squeeze}" if block.squeeze else "",
        f"w{block.pointwise[0]}.{block.pointwise[1]}" if block.pointwise != (1, 1) else "",
        block.act.value if block.act is not act else "",
    ]
    name = "sp" if block.kind is BlockKind.SP else f"{block.kind.value}{block.width}"
    joined = "".join(options)
    return f"{name}:{joined}" if joined else name


def _needs_k(block: BlockSpec) -> bool:
    """Kernels are written even when 3, for reading; only ds and its like leave them out."""
    return block.kind in (BlockKind.IR, BlockKind.SP)


def _take(tokens: list[str], pattern: str, expected: str, last: bool = False) -> re.Match[str]:
    """Remove the first (or last) token and match it."""
    token = tokens.pop(-1 if last else 0) if tokens else ""
    match = re.fullmatch(pattern, token)
    if match is None:
        raise ArchitectureError(f"token {token!r}: expected {expected}")
    return match


def _parse_blocks(tokens: list[str], stem: int, ratio: float, act: Activation) -> tuple[BlockSpec, ...]:
    blocks: list[BlockSpec] = []
    width, irs = stem, 0
    for token in tokens:
        match = _BLOCK.fullmatch(token)
        if match is None:
            raise ArchitectureError(
                f"token {token!r}: expected a block, such as ds24, ir40:k3s2e4 or sp:k5e6x2"
            )
        kind = BlockKind(match[1])
        if (kind is BlockKind.SP) == bool(match[2]):
            raise ArchitectureError(f"token {token!r}: expected a width, and none after sp")
        width = int(match[2]) if match[2] else width
        options = _options(token, match[3] or "")
        for _ in range(int(options.get("x", "1"))):
            irs += kind is BlockKind.IR
            blocks.append(_block(kind, width, options, ratio, _default_act(irs, act)))
    return tuple(blocks)


def _options(token: str, text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None or match.lastgroup is None:
            raise ArchitectureError(f"token {token!r}: no option begins at {text[at:]!r}")
        if match.lastgroup in options:
            raise ArchitectureError(f"token {token!r}: option {match[0]!r} comes twice")
        options[match.lastgroup] = match[match.lastgroup]
        at = match.end()
    return options


def _block(kind: BlockKind, width: int, options: dict[str, str], ratio: float, act: Activation) -> BlockSpec:
    return BlockSpec(
        kind,
        width,
        kernels=tuple(int(k) for k in options.get("k", "3").split(".")),
        stride=int(options.get("s", "1")),
        expansion=_number(options.get("e", "1")),
        se=float(options["v"]) if "v" in options else _default_se(kind, ratio),
        act=Activation(options["a"]) if "a" in options else act,
        split=float(options.get("p", "0.5")),
        shuffle=int(options.get("h", "2")),
        group=int(options.get("g", "1")),
        scales=tuple(_SIGNS[letter] for letter in options.get("m", "")),
        squeeze=int(options.get("q", "0")),
        pointwise=_pair(options.get("w", "1.1")),
    )


def _pair(text: str) -> tuple[int, int]:
    first, second = text.split(".")
    return int(first), int(second)


def _number(text: str) -> float:
    value = float(text)
    return int(value) if value.is_integer() else value
