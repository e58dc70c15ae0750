"""The YAML config of a search: schema, reading, settings from the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from nas.core.checks import did_you_mean
from nas.core.errors import ConfigError
from nas.core.yaml_text import YamlError, parse_yaml
from nas.engine.plan import DEFAULT_ALGORITHM
from nas.engine.search_state import LoopSettings
from nas.training.halving import Halving

Model = TypeVar("Model", bound=BaseModel)


class Closed(BaseModel):
    """A mapping with these keys and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _number(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject truth values: YAML reads `yes` and `on` as true, which would count as 1."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and {int, float} & {annotation, *get_args(annotation)}:
            raise ValueError("should be a number")
        return value


class Part(BaseModel):
    """A component by name, with its settings: `name`, or a mapping `{name: ..., setting: value}`."""

    model_config = ConfigDict(extra="allow", frozen=True)
    name: str

    @property
    def settings(self) -> dict[str, Any]:
        """Everything but the name."""
        return dict(self.model_extra or {})


def _part(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


AnyPart = Annotated[Part, BeforeValidator(_part, json_schema_input_type=str | Part)]


class ObjectivePart(Closed):
    """A built-in objective by name, or yours: `name` and `function`, or `file.py:function` alone.

    `settings` are for built-in objectives measured on the space's networks, such as `latency`. `noise` is the standard deviation
    of one measurement (0: exact); `companions` are further values of the evaluation that inform about this one.
    """

    name: str
    function: str | None = None
    unit: str | None = None
    maximize: bool | None = None
    cheap: bool | None = None
    best: float | None = None
    reference: float | None = None
    settings: dict[str, Any] | None = None
    noise: float | None = Field(default=None, ge=0)
    companions: list[str] | None = None


class Budget(Closed):
    """End of a search: after `evaluations`, or (without new candidates) after `seconds`.

    The time limit applies only after `at_least` evaluations.
    """

    evaluations: int = Field(default=100, ge=1)
    seconds: float | None = Field(default=None, gt=0)
    at_least: int = Field(default=0, ge=0)


class HalvingPart(Closed):
    """Successive halving: new architectures get the budget `first`; one in `eta` continues at each rung, up to `last`.

    `first: 0` evaluates them without training, for an evaluator of inherited weights such as `tuning`.
    """

    first: int = Field(default=1, ge=0)
    last: int = Field(default=9, ge=1)
    eta: float = Field(default=3.0, gt=1)


AnyObjective = Annotated[ObjectivePart, BeforeValidator(_part, json_schema_input_type=str | ObjectivePart)]


def _budget(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"evaluations": value} if number else value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, dict) else value


class SearchConfig(Closed):
    """The config of a search. Each component is a name from `nas list`, or `file.py:Name`."""

    space: AnyPart
    objectives: list[AnyObjective] = Field(
        default_factory=lambda: [ObjectivePart(name=n) for n in ("error", "params", "madds")], min_length=1
    )
    limits: list[str] = Field(default_factory=list)
    target: Annotated[str, Field(min_length=1)] | dict[str, Any] | None = None
    algorithm: AnyPart = Part(name=DEFAULT_ALGORITHM)
    evaluator: AnyPart | None = Part(name="training")
    executor: AnyPart = Part(name="ray")
    budget: Annotated[Budget, BeforeValidator(_budget, json_schema_input_type=int | Budget)] = Budget()
    fidelity: float | None = Field(default=None, gt=0)
    halving: HalvingPart | None = None
    keep_weights: bool = True
    warm_start: str | None = Field(default=None, min_length=1)
    initial: list[str | int | list[int] | dict[str, Any]] = Field(default_factory=list)
    stop: Annotated[
        list[dict[str, Any]],
        BeforeValidator(_listed, json_schema_input_type=list[dict[str, Any]] | dict[str, Any]),
    ] = Field(default_factory=list)
    seed: int = Field(default=0, ge=0, lt=2**63)
    concurrency: int | None = Field(default=None, ge=1)
    ordered: bool = True
    max_failures: float = Field(default=0.5, ge=0, le=1)
    quiet_s: float | None = Field(default=None, gt=0)
    callbacks: list[AnyPart] = Field(default_factory=list)
    csv: bool = False
    out: str = "runs/search"

    @property
    def loop(self) -> LoopSettings:
        """The settings of the loop: the budget, and the keys with the same names."""
        own = {f.name: getattr(self, f.name) for f in fields(LoopSettings) if hasattr(self, f.name)}
        halving = None if self.halving is None else Halving(**self.halving.model_dump())
        return LoopSettings(**{**own, **self.budget.model_dump(), "halving": halving})


def read_config(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file, unchecked. Raises `ConfigError` for a file without one."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"config: no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config: cannot read {path}: {error}") from error
    try:
        values = parse_yaml(text)
    except YamlError as error:
        raise ConfigError(f"config: {path} {error}") from None
    if not isinstance(values, dict):
        what = "is empty" if values is None else f"holds a {type(values).__name__}"
        raise ConfigError(f"config: {path} {what}; expected a mapping such as 'space: nasbench101'")
    return values


def override(values: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """A copy with `a.b=value` settings applied; values are YAML, such as 3, true or [a, b]."""
    changed: dict[str, Any] = {k: _copy(v) for k, v in values.items()}
    for setting in settings:
        key, equals, text = setting.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            raise ConfigError(f"--set {setting!r}: expected key=value or key.part=value")
        try:
            value = parse_yaml(text)
        except YamlError as error:
            raise ConfigError(f"--set {setting!r}: the value {error}") from None
        put(changed, path, value)
    return changed


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, dict) else value


def put(values: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Set a nested entry; expand a component or budget in short form to a mapping first."""
    *parents, last = path
    for parent in parents:
        inner = values.get(parent)
        if isinstance(inner, str):
            inner = {"name": inner}
        elif isinstance(inner, int) and parent == "budget":
            inner = {"evaluations": inner}
        elif inner is None:
            default = SearchConfig.model_fields.get(parent)
            inner = {"name": default.default.name} if default and isinstance(default.default, Part) else {}
        elif not isinstance(inner, dict):
            raise ConfigError(f"--set {'.'.join(path)}: {parent!r} has no parts")
        values[parent] = inner
        values = inner
    values[last] = value


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested entries by dotted path."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def check_config(values: Mapping[str, Any]) -> SearchConfig:
    """The checked config. Raises `ConfigError` with a line per error."""
    return checked(SearchConfig, values)


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """The values as a `model`. Raises `ConfigError` with a line per error."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError("config: " + "; ".join(_explain(e, model) for e in error.errors())) from None


_EXPECTED = {
    "Part": "should be a name, or a mapping such as {name: NAME, setting: value}",
    "ObjectivePart": "should be a name, or a mapping such as {name: latency, function: file.py:latency}",
    "HalvingPart": "should be a mapping such as {first: 2, last: 18, eta: 3}",
    "Budget": "should be a whole number, or a mapping such as {evaluations: 100, seconds: 3600}",
}


def _explain(error: Any, model: type[BaseModel]) -> str:
    place = [p for p in error["loc"] if not str(p).startswith("function-")]
    where = ".".join(map(str, place))
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}{did_you_mean(str(place[-1]), _keys_at(model, place[:-1]))}"
    if error["type"] == "missing":
        return f"{where!r} is missing"
    if error["type"] == "value_error":
        said = str(error["ctx"]["error"])
    elif error["type"] == "model_type":
        said = _EXPECTED.get(error["ctx"]["class_name"], "should be a mapping")
    else:
        said = (
            error["msg"].replace("Input should be", "should be").replace("after validation, not", "but has")
        )
    return f"{where}: {said[0].lower()}{said[1:]}, got {error['input']!r:.200}"


def _keys_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys of the mapping at a path within a model, ignoring lists."""
    for step in place:
        if isinstance(step, str):
            model = next(_models_in(model.model_fields[step].annotation), model)
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models within a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
