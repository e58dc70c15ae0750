"""Callbacks that log a search elsewhere: TensorBoard and MLflow. Their names are in `nas.monitor.trackers.registry`."""
