"""The callbacks that come with the framework, by name. A new one is a file and a line here.

Packages that only one needs are looked for when it is made, and loaded when its search begins.
"""

from __future__ import annotations

from nas.callbacks.base import Callback
from nas.callbacks.mlflow import MLflow
from nas.callbacks.tensorboard import TensorBoard

CALLBACKS: dict[str, type[Callback]] = {"mlflow": MLflow, "tensorboard": TensorBoard}
