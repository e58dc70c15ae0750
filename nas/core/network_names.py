"""The forms in which a text names a network."""

from __future__ import annotations

import re

MUXNET = re.compile(r"r\d+/")  # the beginning of a MUXNet's text form
CELL = re.compile(r"[01]+-\d*")  # a cell of NASBench-101
TIMM = "timm/"  # the beginning of the name of a network of timm
OWN = re.compile(r"([^:]+:\w+):(.+)", re.DOTALL)  # file.py:Space:TEXT
