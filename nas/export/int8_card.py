"""The 8-bit file of an export in words: for the card, the screen and `export.json`."""

from __future__ import annotations

from typing import Any

from nas.core.text import markdown_text
from nas.deployment.measured import Measured
from nas.export.origin import table
from nas.export.quantised import FileValues, Int8Export


def section(export: Int8Export) -> str:
    """The card's section: a table of both files, and the remarks."""
    both = (export.float32, export.int8)
    rows = [
        (f"{split} error, {count:,} images", *(f"{export.error(v, split):.2f}%" for v in both))
        for split, count in export.images.items()
    ]
    rows += [
        ("file, bytes", *(f"{v.size:,}" for v in both)),
        ("weights alone, bytes", *(f"{v.weights:,}" for v in both)),
        ("latency of one image, ms (95% interval)", *(markdown_text(_latency(v)) for v in both)),
        ("peak memory of activations, bytes", *(f"{v.memory:,}" for v in both)),
    ]
    kept = f", with {', '.join(export.float_layers)} in floating point" if export.float_layers else ""
    return (
        f"## In 8 bits\n\n{table(('', '`network.onnx`', '`network.int8.onnx`'), rows)}\n\nErrors: onnxruntime on the files, on every image. "
        f"Quantised with {export.calibration:,} training images, weights per output channel{markdown_text(kept)}. Latency: "
        f"{markdown_text(export.device)}, threads: {export.target.threads}. Weights and peak memory: computed from the graph, without the preprocessing.\n\n"
        + "\n\n".join(markdown_text(line) for line in remarks(export))
    )


def remarks(export: Int8Export) -> list[str]:
    """Whether each file fits the target, and what to do about a collapse or a missing value."""
    lines = []
    target = export.target
    for name, values in (("network.onnx", export.float32), ("network.int8.onnx", export.int8)):
        fits = f"does not fit: {'; '.join(values.faults)}" if values.faults else "fits"
        lines.append(f"Target {target.name}: {name} {fits}.")
        if isinstance(values.latency, str):
            lines.append(f"Latency of {name} not measured: {values.latency}.")
        elif values.latency.unsteadiness > target.timing_settings().tolerance:
            lines.append(f"The latency of {name} is unsteady: repeat the export on a quiet device.")
    if export.lacking_for_int8:
        lines.append(
            f"network.int8.onnx has {' and '.join(export.lacking_for_int8)} around its operators, which the target does not list: a runtime for such "
            "devices merges them into the operators, so they do not count above."
        )
    if export.lacking_for_pixels:
        lines.append(
            f"The preprocessing in the files uses {', '.join(export.lacking_for_pixels)}, which the target does not list."
        )
    if export.collapsed:
        lines.append(
            f"ACCURACY COLLAPSE: quantisation adds {export.added_error:.1f} points of error. Keep sensitive layers in floating point "
            f"(float_layers: of the network, or under int8: in the target), such as the first and the last one, or calibrate with more images than "
            f"{export.calibration} (calibration: under int8: in the target)."
        )
    return lines


def summary(export: Int8Export) -> str:
    """One line for the screen."""
    float32, int8 = export.float32, export.int8
    errors = ", ".join(
        f"{split} error {export.error(int8, split):.2f}% (float {export.error(float32, split):.2f}%)"
        for split in export.images
    )
    return (
        f"int8: {errors}, {int8.size:,} bytes (float {float32.size:,}), latency {_latency(int8, short=True)} "
        f"(float {_latency(float32, short=True)})"
    )


def as_json(export: Int8Export) -> dict[str, Any]:
    """The values for `export.json`."""
    return {
        "target": export.target.name,
        "device": export.device,
        "float_layers": list(export.float_layers),
        "calibration": export.calibration,
        "collapsed": export.collapsed,
        "float32": _values(export, export.float32),
        "int8": _values(export, export.int8),
    }


def _values(export: Int8Export, values: FileValues) -> dict[str, Any]:
    latency = values.latency
    return {
        **{f"{split}_error": export.error(values, split) for split in export.images},
        "file_size": values.size,
        "model_size": values.weights,
        "peak_memory": values.memory,
        "latency": latency.milliseconds if isinstance(latency, Measured) else None,
        "fits": not values.faults,
        "reasons": list(values.faults),
    }


def _latency(values: FileValues, short: bool = False) -> str:
    found = values.latency
    if isinstance(found, str):
        return "not measured"
    median = f"{found.milliseconds:.3g}"
    return f"{median} ms" if short else f"{median} ({found.low:.3g} to {found.high:.3g})"
