"""A space of segmentation networks: every architecture of a backbone's space, with one head. Loads no torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nas.core.bounds import check_time
from nas.core.errors import ConfigError
from nas.core.records import Architecture, FloatArray
from nas.core.space import HasFeatures, HasVariation, SearchSpace
from nas.core.task_spec import Size, TaskSpec, Unset, UnsetSize
from nas.training.tasks.segmentation.cost import head_cost, padded
from nas.training.tasks.segmentation.settings import HeadSettings

if TYPE_CHECKING:
    from nas.training.tasks.segmentation.network import SegmentationNetwork

_MUTANTS = 1000  # drawn until one differs in its body


class SegmentationSpace(SearchSpace):
    """The genes, the texts, the variation and the encodings are those of `backbone`; `build` and `cost` of the whole.

    Architectures of the backbone's space that differ in their classifiers alone are one architecture here.
    Costs are those of one image of (height, width) pixels, `picture`, with `num_classes` classes and `in_channels`
    channels. Settings left out follow the data of a search (`for_task`). Raises `ConfigError` for a backbone's space
    without bodies or without its own variation.
    """

    def __init__(
        self,
        backbone: SearchSpace,
        head: HeadSettings,
        picture: Sequence[int] | None = None,
        *,
        num_classes: int | None = None,
        in_channels: int | None = None,
    ) -> None:
        if not (isinstance(backbone, HasFeatures) and isinstance(backbone, HasVariation)):
            raise ConfigError(
                f"backbone {getattr(backbone, 'name', backbone)!r}: expected a space with build_features, "
                f"features_cost, mutate and crossover"
            )
        sides = None if picture is None else tuple(picture)
        if sides is not None and (
            len(sides) != 2 or any(isinstance(s, bool) or not isinstance(s, int) or s < 1 for s in sides)
        ):
            raise ConfigError(f"picture: expected height and width in pixels, got {picture!r}")
        if num_classes is not None and num_classes < 2:
            raise ConfigError(f"num_classes: expected at least 2, got {num_classes}")
        self.name = f"{backbone.name}-{head.name}"
        self.backbone = backbone
        self.head = head
        self.picture: Size | None = None if sides is None else (sides[0], sides[1])
        self.num_classes = num_classes
        self.in_channels: int = Unset(3) if in_channels is None else in_channels
        self.cardinalities = backbone.cardinalities
        self.first_numeric = backbone.first_numeric

    def for_task(self, task: TaskSpec) -> SegmentationSpace:
        """The same space for this task. Raises `ConfigError` where a given setting contradicts it."""
        changed = copy.copy(self)
        changed.num_classes = task.count("num_classes", _or_unset(self.num_classes))
        changed.in_channels = task.count("in_channels", self.in_channels)
        if self.picture is None or isinstance(self.picture, UnsetSize):
            changed.picture = None if task.image_size is None else UnsetSize(task.image_size)
        else:
            task.size("picture", self.picture)
        return changed

    def sample(self, rng: np.random.Generator) -> Architecture:
        return self.canonical(self._ours(self.backbone.sample(rng)))

    def is_valid(self, architecture: Architecture) -> bool:
        return architecture.space == self.name and self.backbone.is_valid(self._theirs(architecture))

    def canonical(self, architecture: Architecture) -> Architecture:
        assert isinstance(self.backbone, HasFeatures)
        return self._ours(self.backbone.body(self._theirs(architecture)))

    def mutate(self, architecture: Architecture, rng: np.random.Generator) -> Architecture:
        """As in the backbone's space, until the network changes; the same one where all mutants have its body."""
        assert isinstance(self.backbone, HasVariation)
        parent = self.canonical(architecture)
        for _ in range(_MUTANTS):
            check_time()
            child = self.canonical(self._ours(self.backbone.mutate(self._theirs(architecture), rng)))
            if child != parent:
                return child
        return parent

    def crossover(self, first: Architecture, second: Architecture, rng: np.random.Generator) -> Architecture:
        """As in the backbone's space."""
        assert isinstance(self.backbone, HasVariation)
        return self.canonical(
            self._ours(self.backbone.crossover(self._theirs(first), self._theirs(second), rng))
        )

    def encode(self, architectures: Sequence[Architecture]) -> FloatArray:
        return self.backbone.encode([self._theirs(a) for a in architectures])

    @property
    def encodings(self) -> Mapping[str, Callable[[Sequence[Architecture]], FloatArray]]:
        """Those of the backbone's space."""

        def bound(
            encode: Callable[[Sequence[Architecture]], FloatArray],
        ) -> Callable[[Sequence[Architecture]], FloatArray]:
            return lambda architectures: encode([self._theirs(a) for a in architectures])

        return {name: bound(encode) for name, encode in self.backbone.encodings.items()}

    def format(self, architecture: Architecture) -> str:
        return self.backbone.format(self._theirs(architecture))

    def parse(self, text: str) -> Architecture:
        return self.canonical(self._ours(self.backbone.parse(text)))

    def cost(self, architecture: Architecture) -> Mapping[str, float]:
        """Exact `params` and `madds` of body and head, for one image, padded as the network pads it."""
        assert isinstance(self.backbone, HasFeatures)
        if self.num_classes is None:
            raise ConfigError(
                f"space {self.name!r}: num_classes: unknown without data; set it, or give the data"
            )
        if self.picture is None:
            raise ConfigError(
                f"space {self.name!r}: picture: the image size is unknown (no data, several sizes, or too many images "
                "for memory): set the size that costs are counted for, picture: [height, width]"
            )
        stride = self.head.output_stride
        body = self.backbone.features_cost(
            self._theirs(architecture), padded(self.picture, stride), stride, self.in_channels
        )
        head = head_cost(self.head, int(body["width"]), self.num_classes, int(body["pixels"]))
        return {name: body[name] + head[name] for name in ("params", "madds")}

    def build(
        self, architecture: Architecture, *, num_classes: int | None = None, in_channels: int | None = None
    ) -> SegmentationNetwork:
        """The whole network, for images of any size."""
        from nas.training.tasks.segmentation.network import SegmentationNetwork

        assert isinstance(self.backbone, HasFeatures)
        classes = self.num_classes if num_classes is None else num_classes
        if classes is None:
            raise ConfigError(f"space {self.name!r}: num_classes: unknown without data; set it")
        channels = self.in_channels if in_channels is None else in_channels
        return SegmentationNetwork(
            self.backbone.build_features(self._theirs(architecture), in_channels=channels),
            self.head,
            num_classes=classes,
            in_channels=channels,
        )

    def _theirs(self, architecture: Architecture) -> Architecture:
        return Architecture(self.backbone.name, architecture.genes)

    def _ours(self, architecture: Architecture) -> Architecture:
        return Architecture(self.name, architecture.genes)


def _or_unset(count: int | None) -> int:
    return Unset(0) if count is None else count
