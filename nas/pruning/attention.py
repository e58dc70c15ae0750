"""Attention whose number of heads can be cut, in place of modules whose code ties it to the width of their input."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from nas.pruning.running import evaluating, plain_operators


class HeadsAttention(nn.Module):
    """Self-attention with the tensors of an `nn.MultiheadAttention`, under the same names; the heads need not fill the width of the input."""

    _qkv_same_embed_dim = False  # nn.TransformerEncoderLayer then runs this code

    def __init__(self, module: nn.MultiheadAttention) -> None:
        super().__init__()
        self.num_heads, self.batch_first, self.dropout = module.num_heads, module.batch_first, module.dropout
        self.embed_dim = module.embed_dim
        self.in_proj_weight, self.in_proj_bias = module.in_proj_weight, module.in_proj_bias
        self.out_proj = module.out_proj

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **options: Any) -> tuple[Tensor, None]:
        """(b, n, width), or (n, b, width) unless `batch_first`, to the same; with `attn_mask` of `nn.MultiheadAttention`. No weights are returned."""
        if key is not query or value is not query or options.get("key_padding_mask") is not None:
            raise ValueError("only self-attention without padding can be cut")
        x = query if self.batch_first else query.transpose(0, 1)
        mixed = _attend(
            linear(x, self.in_proj_weight, self.in_proj_bias),
            self.num_heads,
            mask=options.get("attn_mask"),
            dropout=self.dropout if self.training else 0.0,
        )
        out = self.out_proj(mixed)
        return (out if self.batch_first else out.transpose(0, 1)), None


class JoinedAttention(nn.Module):
    """Self-attention with the children `qkv` and `proj` of a module such as timm's `Attention`, under the same names."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.num_heads = int(module.num_heads)
        for name, child in module.named_children():
            self.add_module(name, child)

    def forward(self, x: Tensor, attn_mask: Tensor | None = None, **_: Any) -> Tensor:
        """(b, n, width) to the same."""
        norms = [getattr(self, name, None) for name in ("q_norm", "k_norm")]
        drop = getattr(self, "attn_drop", None)
        rate = drop.p if isinstance(drop, nn.Dropout) and self.training else 0.0
        qkv: Any = self.qkv
        mixed = _attend(qkv(x), self.num_heads, mask=attn_mask, dropout=rate, norms=norms)
        for name in ("norm", "proj", "proj_drop"):
            child: Any = getattr(self, name, None)
            mixed = mixed if child is None else child(mixed)
        return mixed


def _attend(
    joined: Tensor, heads: int, mask: Tensor | None, dropout: float, norms: Any = (None, None)
) -> Tensor:
    """Queries, keys and values (b, n, 3 * heads * d), in this order, to (b, n, heads * d)."""
    b, n, _ = joined.shape
    q, k, v = joined.reshape(b, n, 3, heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
    q, k = (t if norm is None else norm(t) for t, norm in zip((q, k), norms, strict=True))
    return scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout).transpose(1, 2).flatten(2)


def with_heads(network: nn.Module, example: Tensor) -> nn.Module:
    """A copy of the network with such attention where the module computes the same; without attention, the network itself."""
    found = [
        (name, HeadsAttention if isinstance(module, nn.MultiheadAttention) else JoinedAttention)
        for name, module in network.named_modules()
        if name and (_is_plain(module) or _is_joined(module))
    ]
    if not found:
        return network
    made = copy.deepcopy(network)
    for name, kind in found:
        parent, _, own = name.rpartition(".")
        original = made.get_submodule(name)
        other = kind(original).train(original.training)  # type: ignore[arg-type]
        if _computes_the_same(original, other):
            setattr(made.get_submodule(parent), own, other)
    try:
        with plain_operators(), evaluating(made):
            made(example)
    except Exception:  # the code around it calls it otherwise
        return network
    return made


def _is_plain(module: nn.Module) -> bool:
    return (
        type(module) is nn.MultiheadAttention
        and module.in_proj_weight is not None
        and module.bias_k is None
        and not module.add_zero_attn
    )


_JOINED = {"qkv", "proj", "q_norm", "k_norm", "attn_drop", "proj_drop", "norm"}  # children whose use is known


def _is_joined(module: Any) -> bool:
    """Attention as in timm: no tensors of its own, and only children whose use is known."""
    children = dict(module.named_children())
    return (
        all(isinstance(children.get(name), nn.Linear) for name in ("qkv", "proj"))
        and set(children) <= _JOINED
        and not any(True for _ in module.parameters(recurse=False))
        and not any(True for _ in module.buffers(recurse=False))
        and isinstance(getattr(module, "num_heads", None), int)
    )


def _computes_the_same(original: nn.Module, other: nn.Module) -> bool:
    """Whether both return the same for random images and weights."""
    first, second = copy.deepcopy(original), copy.deepcopy(other)
    generator = torch.Generator().manual_seed(0)
    for name, tensor in first.named_parameters():
        values = torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) * 0.3
        tensor.data.copy_(values)
        dict(second.named_parameters())[name].data.copy_(values)
    plain = isinstance(original, nn.MultiheadAttention)
    width = original.embed_dim if plain else original.qkv.in_features  # type: ignore[union-attr]
    x = torch.randn(2, 5, int(width), generator=generator)  # type: ignore[arg-type]
    try:
        with plain_operators(), evaluating(first), evaluating(second):
            if plain:
                wanted, out = (m(x, x, x, need_weights=False)[0] for m in (first, second))
            else:
                wanted, out = first(x), second(x)
    except Exception:  # another signature
        return False
    return isinstance(wanted, Tensor) and torch.allclose(out, wanted, rtol=1e-4, atol=1e-5)
