"""Build a search space from its name and settings."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas.core.errors import ConfigError
from nas.core.kinds import is_subclass, returns
from nas.core.plugins import find, make, registry
from nas.core.space import GIVEN, SearchSpace
from nas.spaces.from_config import declared_space


def make_space(name: str, settings: Mapping[str, Any], base: Path | None = None) -> SearchSpace:
    """Build a space from its name and settings, or as declared by `parameters`; relative paths start at `base`.

    Raises `ConfigError` for a wrong name, type or setting; never calls an object that is not a space.
    """
    if "parameters" in settings:
        return declared_space(name, settings, base)
    found = find("space", name, base)
    if isinstance(found, SearchSpace):
        if settings:
            raise ConfigError(
                f"space {name!r} is an object, which takes no settings; remove {', '.join(settings)}"
            )
        return found
    if name not in registry("space") and not (is_subclass(found, SearchSpace) or returns(found, SearchSpace)):
        what = f"the class {found.__name__}" if isinstance(found, type) else type(found).__name__
        raise ConfigError(
            f"space {name!r}: expected a SearchSpace, got {what}; name a class that derives from nas.SearchSpace, an "
            "object of one, or a function annotated to return one (def small() -> nas.SearchSpace)"
        )
    own = {"base": base} if name in registry("space") else {}  # accepted where paths are among the settings
    space = make("space", found, settings, name, **own)
    if not isinstance(space, SearchSpace):
        raise ConfigError(f"space {name!r}: expected a SearchSpace, got {type(space).__name__}")
    given = {key: settings[key] for key in ("num_classes", "in_channels", "image_size") if key in settings}
    if given and name not in registry("space"):  # whose for_task may ignore its user's settings
        with suppress(AttributeError):
            object.__setattr__(space, GIVEN, given)
    return space
