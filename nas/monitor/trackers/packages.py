"""Optional packages of callbacks."""

from __future__ import annotations

from importlib.util import find_spec

from nas.core.errors import ConfigError


def check_installed(callback: str, package: str, *modules: str) -> None:
    """Raise `ConfigError` with the command that installs what is missing; nothing is loaded."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"callback {callback}: needs {package}, which is not installed: pip install 'multiobjective-nas[{callback}]'"
        )
