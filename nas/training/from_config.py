"""The evaluators that train, and the space of segmentations, as configs name them. Importing this loads no torch."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nas.core.errors import ConfigError
from nas.core.evaluator import Evaluate
from nas.core.kinds import check_class
from nas.core.lazy import Lazy
from nas.core.objectives import companion_names
from nas.core.plugins import find, make
from nas.core.space import SearchSpace
from nas.spaces.making import make_space


def training(
    *,
    space: SearchSpace,
    data: Any = "digits",
    recipe: Any = None,
    threads: int = 1,
    device: str | None = None,
    proxies: Sequence[str] = (),
    robustness: Mapping[str, Any] | None = None,
    task: Any = "classification",
    companions: Sequence[str] | None = None,
) -> Evaluate:
    """Train each candidate for `task` on `data` (each a name, or a mapping with `name`) by `recipe` (a mapping).

    `data` may be the path of a folder of images or of a Parquet file, and from Python a `nas.training.data.base.DataSource`.
    `proxies` names zero-cost proxies to report beside (docs/proxies.md). `robustness` has the settings of
    `nas.training.robustness.Robustness`, which then evaluates each trained network on corrupted images too. `companions` names
    the values that inform the search about its objectives (None: the losses and the soft error).
    """
    from nas.training import TrainingEvaluator, recipe_from_config

    described = data_source(data)
    also: tuple[Any, ...] = ()
    if robustness is not None:
        from nas.training.robustness import Robustness

        also = (make("robustness", Robustness, robustness, "robustness"),)
    evaluator = TrainingEvaluator(
        space,  # type: ignore[arg-type]
        described,
        recipe_from_config(recipe or {}),
        threads,
        device,
        also=also,
        task=_task(task),
        companions=_companions(companions),
    )
    if not proxies:
        return evaluator
    from nas.training.proxies import WithProxies

    return WithProxies(evaluator, tuple(proxies))


def trained_on(data: Any, settings: Mapping[str, Any] | None, space: SearchSpace) -> Evaluate:
    """The evaluator `training` with the data and other settings of a call from Python; both may be None.

    Raises `ConfigError` for a wrong setting, data that are named twice, or a space without networks.
    """
    given = dict(settings or {})
    if data is not None:
        if "data" in given:
            raise ConfigError("training: 'data' is given twice; remove it from training")
        given["data"] = data
    return make("evaluator", training, given, "training", space=space)  # type: ignore[no-any-return]


def data_source(given: Any) -> Any:
    """A data set by name, path or settings; an object with `load` unchanged."""
    from nas.training import data_from_config

    if isinstance(given, (str, os.PathLike, Mapping)):
        return data_from_config(_named(os.fspath(given) if isinstance(given, os.PathLike) else given))
    if isinstance(given, type) or not callable(getattr(given, "load", None)):
        raise ConfigError(
            "data: expected the path of a folder of images, the name of a data set, a mapping with `name`, or an object "
            f"with load() and check(), got {given!r:.200}"
        )
    return given


def _task(described: Any) -> Any:
    """A task of classifiers by its name: the built-in one, or a custom class."""
    settings = dict(_named(described))
    name = settings.pop("name", None)
    if not isinstance(name, str):
        raise ConfigError(f"task: expected a name, or a mapping with `name`, got {described!r}")
    found = find("task", name)
    if name not in TASKS:
        expected = "a class with prepare, loss and judge"
        check_class("task", name, found, expected, "prepare", "loss", "judge")
    return make("task", found, settings, name)


def segmentation_space(
    *,
    backbone: Any = "muxnet-imagenet",
    head: Any = "c1",
    picture: Sequence[int] | None = None,
    num_classes: int | None = None,
    in_channels: int | None = None,
) -> SearchSpace:
    """Segmentation networks: every architecture of `backbone` (a space) with one `head` (c1 or ppm).

    Both are a name, or a mapping with `name`; costs are those of the whole network for one image. Its size `picture`
    [height, width], classes and channels follow the data; give `picture` where images have several sizes.
    """
    from nas.training.tasks.segmentation.settings import HeadSettings
    from nas.training.tasks.segmentation.space import SegmentationSpace

    described = dict(_named(backbone))
    if "name" not in described:
        raise ConfigError(f"backbone: expected a name, or a mapping with `name`, got {backbone!r}")
    body = make_space(str(described.pop("name")), described)
    settings: HeadSettings = make("head", HeadSettings, _named(head), "of a segmentation")
    return SegmentationSpace(body, settings, picture, num_classes=num_classes, in_channels=in_channels)


def segmentation(
    *,
    space: SearchSpace,
    data: Mapping[str, Any],
    recipe: Any = None,
    task: Mapping[str, Any] | None = None,
    threads: int = 1,
    device: str | None = None,
    companions: Sequence[str] | None = None,
) -> Evaluate:
    """Train each candidate of a `segmentation` space on `data` (a mapping with `name`) by `recipe`.

    `task` holds the settings of augmentation, class weights and test (docs/segmentation.md). `companions` names the values
    that inform the search about its objectives (None: the losses).
    """
    from nas.training import TrainingEvaluator, recipe_from_config
    from nas.training.tasks.segmentation.data import masks_from_config
    from nas.training.tasks.segmentation.task import segmentation as segmentation_task

    settled = make("task", segmentation_task, task or {}, "segmentation")
    how = recipe_from_config({"base": "camvid", **(recipe or {})})
    described = masks_from_config(data)
    return TrainingEvaluator(
        space,  # type: ignore[arg-type]
        described,
        how,
        threads,
        device,
        task=settled,
        companions=_companions(companions),
    )


def _companions(given: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if given is None else companion_names(given, "companions")


def _named(value: Any) -> Any:
    """A mapping with `name`, for a name alone."""
    return {"name": value} if isinstance(value, str) else value


EVALUATORS: dict[str, Callable[..., Evaluate]] = {"training": training, "segmentation": segmentation}
SPACES: dict[str, Callable[..., SearchSpace]] = {"segmentation": segmentation_space}
TASKS: dict[str, Callable[..., Any]] = {"classification": Lazy("nas.training.task", "Classification")}
