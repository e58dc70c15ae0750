"""The single-shot detector over any backbone, and its detections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from nas.core.checks import check_numbers
from nas.core.errors import ConfigError
from nas.training.tasks.detection.anchors import AnchorPlan, anchors
from nas.training.tasks.detection.boxes import decode, suppress
from nas.training.tasks.detection.heads import EXTRAS, STYLES, Extra, Style
from nas.training.tasks.detection.loss import Outputs


@runtime_checkable
class Backbone(Protocol):
    """A network that gives maps (b, widths[i], h / strides[i], w / strides[i]), the finest first."""

    widths: tuple[int, ...]
    strides: tuple[int, ...]

    def __call__(self, x: Tensor) -> list[Tensor]: ...


class Detector(nn.Module):
    """Images (b, 3, h, w) to (logits (b, n, classes + 1), offsets (b, n, 4), anchors (n, 4)).

    Class 0 of the logits is background. The maps are those of the backbone, at `strides` if given, and after
    the last of them as many `extras` as the plan has anchors for. Raises `ConfigError` when the plan has fewer maps than
    the backbone or more than all of them, or the backbone has none at one of the strides.
    """

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        plan: AnchorPlan,
        *,
        style: Style = STYLES["ssdlite"],
        extras: Sequence[Extra] = EXTRAS,
        strides: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(backbone, Backbone):
            raise ConfigError(
                "backbone: expected a network with `widths` and `strides` that returns a list of maps"
            )
        if num_classes < 1:
            raise ConfigError(f"num_classes: expected at least 1, got {num_classes}")
        self.used = _used(backbone, strides)
        own = len(self.used)
        if not own <= plan.maps <= own + len(extras):
            raise ConfigError(
                f"anchors: expected a plan for {own} to {own + len(extras)} maps, got one for {plan.maps}"
            )
        self.plan, self.num_classes = plan, num_classes
        self.backbone = backbone
        self.extras = nn.ModuleList()
        widths = [backbone.widths[i] for i in self.used]
        for extra in extras[: plan.maps - own]:
            self.extras.append(style.extra(widths[-1], extra))
            widths.append(extra.out)
        pairs = list(zip(widths, plan.per_cell, strict=True))
        self.classifiers = nn.ModuleList(style.predictor(w, n * (num_classes + 1)) for w, n in pairs)
        self.regressors = nn.ModuleList(style.predictor(w, n * 4) for w, n in pairs)
        for part in (self.extras, self.classifiers, self.regressors):
            part.apply(_initialise)

    def forward(self, x: Tensor) -> Outputs:
        maps = _maps(self.backbone(x), self.used, self.extras)
        logits = _predictions(maps, self.classifiers, self.num_classes + 1)
        sizes = tuple((int(m.shape[-2]), int(m.shape[-1])) for m in maps)
        return logits, _predictions(maps, self.regressors, 4), anchors(self.plan, sizes, x.device)


class BoxesAndScores(nn.Module):
    """A detector as it is exported: images (b, *shape) to one tensor (b, n, 4 + classes), a row for each anchor.

    A row has the box (left, top, right, bottom, in fractions of the image) and the probability of every class, without the
    background. The user applies non-maximum suppression. The anchors are those of images
    of `shape` (channels, height, width): other sizes do not fit.
    """

    anchors: Tensor

    def __init__(self, detector: Detector, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.backbone, self.extras = detector.backbone, detector.extras
        self.classifiers, self.regressors = detector.classifiers, detector.regressors
        self.used, self.num_classes = detector.used, detector.num_classes
        with torch.no_grad():
            *_, boxes = detector.eval()(torch.zeros(1, *shape))
        self.register_buffer("anchors", boxes)

    def forward(self, x: Tensor) -> Tensor:
        maps = _maps(self.backbone(x), self.used, self.extras)
        logits = _predictions(maps, self.classifiers, self.num_classes + 1)
        boxes = decode(_predictions(maps, self.regressors, 4), self.anchors).clamp(0, 1)
        return torch.cat([boxes, logits.softmax(-1)[..., 1:]], -1)


def _maps(found: list[Tensor], used: tuple[int, ...], extras: nn.ModuleList) -> list[Tensor]:
    """The maps to predict from: the used ones of the backbone, and one after each of the `extras`."""
    maps = [found[i] for i in used]
    for extra in extras:
        maps.append(extra(maps[-1]))
    return maps


def _predictions(maps: list[Tensor], predictors: nn.ModuleList, size: int) -> Tensor:
    """`size` numbers for every anchor of every map, (b, n, size)."""
    found = [predict(m).permute(0, 2, 3, 1) for predict, m in zip(predictors, maps, strict=True)]
    return torch.cat([x.reshape(x.shape[0], -1, size) for x in found], 1)


def _used(backbone: Backbone, strides: Sequence[int] | None) -> tuple[int, ...]:
    """Positions of the maps that the head uses."""
    wanted = backbone.strides if strides is None else tuple(sorted(strides))
    missing = [s for s in wanted if s not in backbone.strides]
    if missing:
        raise ConfigError(f"strides: expected some of {backbone.strides}, got {missing}")
    return tuple(backbone.strides.index(s) for s in wanted)


def _initialise(module: nn.Module) -> None:
    """Convolutions normal with std 0.03 (Sandler et al.), or smaller for wide plain ones so that logits begin near 0."""
    if isinstance(module, nn.Conv2d):
        fan_in = module.weight[0].numel()
        nn.init.normal_(module.weight, 0.0, 0.03 if module.bias is not None else math.sqrt(2.0 / fan_in))
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@dataclass(frozen=True, slots=True)
class Detections:
    """The detections in one image, by falling score: boxes (k, 4) in fractions, scores (k,), labels (k,) from 0."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor


@dataclass(frozen=True, slots=True)
class Reading:
    """Settings that turn outputs into detections: scores below `score` are dropped, at most `candidates` are compared, `most` kept."""

    score: float = 0.01
    overlap: float = 0.45
    candidates: int = 400
    most: int = 200

    def __post_init__(self) -> None:
        check_numbers("detection: reading", self)


@torch.no_grad()
def detections(outputs: Outputs, reading: Reading = Reading()) -> list[Detections]:
    """The detections of every image of a batch, on the CPU."""
    logits, offsets, boxes = (x.float() for x in outputs)
    scores = logits.softmax(-1)[..., 1:].flatten(1)  # (b, n * classes)
    classes = logits.shape[-1] - 1
    best, at = scores.topk(min(reading.candidates, scores.shape[1]), dim=1)
    found = decode(offsets, boxes).clamp(0, 1).gather(1, (at // classes)[..., None].expand(-1, -1, 4))
    labels = at % classes
    seen = []
    for row in range(len(best)):
        sure = best[row] >= reading.score
        b, s, k = found[row][sure], best[row][sure], labels[row][sure]
        kept = suppress(b, s, k, reading.overlap)[: reading.most]
        seen.append(Detections(b[kept].cpu(), s[kept].cpu(), k[kept].cpu()))
    return seen
