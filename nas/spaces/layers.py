"""The layers of a network for display: the children of the module, with shapes and exact costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from nas.core.records import Block
from nas.spaces.modules import training_only
from nas.spaces.tracing import Make, trace


def layers(make: Make, shape: tuple[int, ...]) -> list[Block]:
    """A block per child of the network of `make()`, for one input of `shape`; parameters and multiply-adds sum to `trace`'s.

    A child that is used twice has the sum of both uses; the parameters of a shared tensor belong to the first child. What
    the module itself computes is one more block. Raises `ConfigError` as `trace` does.
    """
    watched: list[_Layer] = []

    @contextmanager
    def watch(network: nn.Module, madds: Callable[[], int]) -> Iterator[None]:
        watched.clear()
        seen: set[int] = set()
        with ExitStack() as stack:
            for name, child in network.named_children():
                if name in training_only(network):
                    continue
                layer = _Layer(name, child, madds, seen)
                watched.append(layer)
                for handle in (
                    child.register_forward_pre_hook(layer.begin),
                    child.register_forward_hook(layer.end),
                ):
                    stack.callback(handle.remove)
            yield

    total = trace(make, shape, watch=watch)
    blocks = [layer.block() for layer in watched if layer.uses]
    rest = [int(total[name]) - sum(getattr(b, name) for b in blocks) for name in ("params", "madds")]
    if any(rest) or not blocks:
        blocks.append(Block("network", "outside its children", (), *rest))
    return blocks


class _Layer:
    """One child while the network runs."""

    def __init__(self, name: str, child: nn.Module, madds: Callable[[], int], seen: set[int]) -> None:
        self.name, self.kind, self.uses = name, type(child).__name__, 0
        self._text, self._madds = child.extra_repr() if not list(child.children()) else "", madds
        own = [p for p in child.parameters() if id(p) not in seen]
        seen.update(id(p) for p in own)
        self._params = sum(p.numel() for p in own)
        self._sum, self._start = 0, 0
        self._shape: tuple[int, ...] = ()

    def begin(self, *_: Any) -> None:
        self._start = self._madds()

    def end(self, module: nn.Module, given: Any, out: Any) -> None:
        self.uses += 1
        self._sum += self._madds() - self._start
        if isinstance(out, Tensor):
            self._shape = tuple(out.shape[1:])

    def block(self) -> Block:
        return Block(self.kind, f"{self.name} {self._text}".strip(), self._shape, self._params, self._sum)
