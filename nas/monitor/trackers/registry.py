"""The callbacks that come with the framework, by name. A new one is a file and a line here.

Packages that only one needs are looked for when it is made, and loaded when its search begins.
"""

from __future__ import annotations

from nas.engine.callbacks import Callback
from nas.monitor.trackers.mlflow import MLflow
from nas.monitor.trackers.tensorboard import TensorBoard

CALLBACKS: dict[str, type[Callback]] = {"mlflow": MLflow, "tensorboard": TensorBoard}
