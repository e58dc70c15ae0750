"""Callbacks that log a search elsewhere, by name. To add one, add its file and a line here.

A callback checks for its packages when it is made and loads them when its search begins.
"""

from __future__ import annotations

from nas.engine.callbacks import Callback
from nas.monitor.trackers.mlflow import MLflow
from nas.monitor.trackers.tensorboard import TensorBoard
from nas.monitor.trackers.wandb import WandB

CALLBACKS: dict[str, type[Callback]] = {"mlflow": MLflow, "tensorboard": TensorBoard, "wandb": WandB}
