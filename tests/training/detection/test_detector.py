from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from detection_tiny import PLAN, TinyBackbone, tiny_detector
from torch import Tensor, nn

from nas.core.errors import ConfigError
from nas.training.tasks.detection.anchors import SSD300, spread
from nas.training.tasks.detection.augment import Augmentation
from nas.training.tasks.detection.boxes import decode, encode
from nas.training.tasks.detection.build import ReducedVGG
from nas.training.tasks.detection.detector import BoxesAndScores, Detector, Reading, detections
from nas.training.tasks.detection.heads import SSD300_EXTRAS, STYLES
from nas.training.tasks.detection.settings import HeadSettings
from search_spaces.networks import create_features

DRAWS = torch.Generator


def test_a_row_of_outputs_belongs_to_an_anchor() -> None:
    logits, offsets, anchors = tiny_detector(num_classes=3)(torch.zeros(2, 3, 32, 48))
    cells = 8 * 12 + 4 * 6
    assert logits.shape == (2, 4 * cells, 4)
    assert offsets.shape == (2, 4 * cells, 4)
    assert anchors.shape == (4 * cells, 4)


def test_a_prediction_stands_where_its_anchor_is() -> None:
    """What changes in the image's lower right corner changes the rows of the anchors that lie there, and no others."""
    network = tiny_detector(num_classes=1).eval()
    x = torch.zeros(1, 3, 64, 64)
    changed = x.clone()
    changed[..., 56:, 56:] = 1.0
    with torch.no_grad():
        (before, _, anchors), (after, _, _) = network(x), network(changed)
    differ = (before != after).any(-1)[0]
    centres = (anchors[differ, :2] + anchors[differ, 2:]) / 2
    assert differ.any()
    assert (centres > 0.4).all()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", ["muxnet_xs", "resnet18"])
def test_named_networks_become_detectors_that_learn_in_every_part(name: str, style: str) -> None:
    backbone = create_features(name, resolution=64, strides=(8, 16, 32))
    assert isinstance(backbone, nn.Module)
    network = Detector(backbone, 5, spread(0.1, 0.8, 4), style=STYLES[style])
    logits, offsets, anchors = network(torch.randn(2, 3, 64, 64))
    assert logits.shape == (2, len(anchors), 6)
    (logits.square().sum() + offsets.square().sum()).backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_detector_may_stand_on_some_of_the_backbones_maps() -> None:
    network = Detector(TinyBackbone(), 3, spread(0.2, 0.9, 2), strides=(8,))
    assert len(network(torch.zeros(1, 3, 64, 64))[2]) == (64 + 16) * 6


@torch.no_grad()
def test_an_exported_detector_gives_the_evaluated_boxes_and_scores() -> None:
    network, x = tiny_detector(num_classes=3).eval(), torch.rand(2, 3, 32, 32)
    rows = BoxesAndScores(network, (3, 32, 32))(x)
    logits, offsets, anchors = network(x)
    assert rows.shape == (2, len(anchors), 4 + 3)
    torch.testing.assert_close(rows[..., :4], decode(offsets, anchors).clamp(0, 1))
    torch.testing.assert_close(rows[..., 4:].sum(-1), 1 - logits.softmax(-1)[..., 0])
    for row, seen in zip(rows, detections(network(x), Reading(score=0.0, overlap=1.0)), strict=True):
        assert float(row[:, 4:].max()) == pytest.approx(float(seen.scores[0]))
        at = int(row[:, 4:].max(1).values.argmax())
        torch.testing.assert_close(row[at, :4], seen.boxes[0])
        assert int(row[at, 4:].argmax()) == int(seen.labels[0])


@pytest.mark.slow
def test_a_detector_runs_as_onnx(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="exporting needs the extra `onnx`")
    onnxruntime = pytest.importorskip("onnxruntime", reason="running ONNX needs the extra `onnx`")
    network, x = tiny_detector(num_classes=2).eval(), torch.rand(1, 3, 32, 32)
    torch.onnx.export(network, (x,), tmp_path / "detector.onnx", dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(str(tmp_path / "detector.onnx"))
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        for ours, theirs in zip(network(x), found, strict=True):
            torch.testing.assert_close(torch.from_numpy(theirs), ours, atol=1e-5, rtol=1e-4)


def test_ssd300_has_the_published_parameters_and_anchors() -> None:
    with torch.device("meta"):
        body = ReducedVGG(create_features("vgg16", strides=(8, 16)))  # type: ignore[arg-type]
        network = Detector(body, 20, SSD300, style=STYLES["ssd"], extras=SSD300_EXTRAS).eval()
        _, _, anchors = network(torch.empty(1, 3, 300, 300))
    assert len(anchors) == 8732
    assert sum(p.numel() for p in network.parameters()) == pytest.approx(26.3e6, rel=0.001)


def test_vggs_finer_map_has_one_length_everywhere() -> None:
    body = ReducedVGG(create_features("vgg16", strides=(8, 16)))  # type: ignore[arg-type]
    with torch.no_grad():
        fine, coarse = body(torch.rand(1, 3, 40, 40))
    torch.testing.assert_close(fine.norm(dim=1), torch.full((1, 5, 5), 20.0))
    assert coarse.shape == (1, 1024, 3, 3)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Detector(nn.Identity(), 3, PLAN), "backbone: expected a network with `widths`"),
        (lambda: Detector(TinyBackbone(), 0, PLAN), "num_classes: expected at least 1, got 0"),
        (lambda: Detector(TinyBackbone(), 3, spread(0.2, 0.9, 1)), "a plan for 2 to 6 maps, got one for 1"),
        (lambda: Detector(TinyBackbone(), 3, spread(0.2, 0.9, 7)), "got one for 7"),
        (
            lambda: Detector(TinyBackbone(), 3, PLAN, strides=(8, 64)),
            r"strides: expected some of \(4, 8\), got \[64\]",
        ),
        (lambda: HeadSettings(name="yolo"), "head: name: unknown 'yolo'"),
        (lambda: HeadSettings(maps=1), "head: maps: expected at least one for each"),
        (lambda: HeadSettings(scales=(0.2,)), "head: scales"),  # type: ignore[arg-type]
        (lambda: HeadSettings(scales=(0.9, 0.2)), "expected scales above 0 that rise"),
        (lambda: ReducedVGG(TinyBackbone()), "body: expected VGG-16"),
    ],
)
def test_parts_that_do_not_fit_are_refused(make: Callable[[], object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        make()


def outputs(*seen: tuple[int, float, list[float]]) -> tuple[Tensor, Tensor, Tensor]:
    """Outputs of a network of two classes that sees these (label, logit, box), an anchor each."""
    anchors = torch.tensor([[0.25, 0.25, 0.75, 0.75]]).repeat(len(seen), 1)
    logits = torch.zeros(1, len(seen), 3)
    for row, (label, value, _) in enumerate(seen):
        logits[0, row, label + 1] = value
    return logits, encode(torch.tensor([box for _, _, box in seen]), anchors)[None], anchors


def test_outputs_become_boxes_with_scores_the_surest_first() -> None:
    first, second = [0.1, 0.2, 0.3, 0.4], [0.6, 0.6, 0.9, 0.8]
    (found,) = detections(outputs((0, 5.0, first), (1, 7.0, second)), Reading(score=0.5))
    assert found.labels.tolist() == [1, 0]
    torch.testing.assert_close(found.boxes, torch.tensor([second, first]))
    assert found.scores[0] == pytest.approx(torch.tensor([0.0, 0.0, 7.0]).softmax(0)[2].item())


def test_of_detections_of_one_object_the_surest_stays() -> None:
    box, near = [0.1, 0.1, 0.4, 0.4], [0.12, 0.1, 0.42, 0.4]
    (found,) = detections(outputs((0, 5.0, box), (0, 6.0, near), (1, 5.0, box)), Reading(score=0.5))
    assert found.labels.tolist() == [0, 1]
    torch.testing.assert_close(found.boxes[0], torch.tensor(near))


def test_boxes_end_at_the_images_edge_and_no_more_than_asked_are_given() -> None:
    many = [(0, 5.0, [x, 0.9, x + 0.05, 1.3]) for x in (0.0, 0.2, 0.4, 0.6)]
    (found,) = detections(outputs(*many), Reading(score=0.5, most=3))
    assert len(found.boxes) == 3
    assert found.boxes.max() == 1.0


def marked(box: tuple[int, int, int, int], side: int = 40) -> tuple[Tensor, Tensor]:
    """A black image with a white box (pixels), and its target."""
    x = torch.zeros(1, 3, side, side)
    left, top, right, bottom = box
    x[..., top:bottom, left:right] = 1.0
    return x, torch.tensor([[[0.0, *(v / side for v in box)]]])


@pytest.mark.parametrize("seed", range(6))
def test_boxes_go_where_their_objects_go(seed: int) -> None:
    """In the changed image the target's box holds the white part, to within a pixel."""
    augmentation = Augmentation(zoom=(0.6, 1.4), stretch=0.3, flip=0.5, flip_vertical=0.5, colour=0.0)
    x, target = marked((12, 16, 26, 24))
    image, moved = augmentation(x, target, DRAWS().manual_seed(seed))
    white = (image[0, 0] > 0.5).nonzero()
    if moved[0, 0, 0] < 0:
        return
    low, high = white.min(0).values.flip(0), white.max(0).values.flip(0) + 1
    assert (moved[0, 0, 1:3] * 40 - low).abs().max() <= 1.0
    assert (moved[0, 0, 3:5] * 40 - high).abs().max() <= 1.0


def test_without_change_images_and_boxes_stay() -> None:
    still = Augmentation(zoom=(1.0, 1.0), stretch=0.0, flip=0.0, colour=0.0)
    x, target = marked((5, 5, 20, 10))
    image, moved = still(x, target, DRAWS().manual_seed(0))
    torch.testing.assert_close(image, x, atol=1e-4, rtol=0)
    torch.testing.assert_close(moved, target)


def test_a_mirrored_box_is_on_the_other_side() -> None:
    mirror = Augmentation(zoom=(1.0, 1.0), stretch=0.0, flip=1.0, colour=0.0)
    image, moved = mirror(*marked((0, 0, 10, 20)), DRAWS().manual_seed(0))
    torch.testing.assert_close(moved[0, 0, 1:], torch.tensor([0.75, 0.0, 1.0, 0.5]))
    assert image[0, 0, 5, 35] > 0.9


def test_an_object_whose_centre_leaves_the_window_is_dropped() -> None:
    near = Augmentation(zoom=(0.2, 0.2), stretch=0.0, flip=0.0, colour=0.0)
    corner = marked((0, 0, 4, 4))
    kept = [float(near(*corner, DRAWS().manual_seed(seed))[1][0, 0, 0]) for seed in range(20)]
    assert -1.0 in kept


@pytest.mark.parametrize(
    "settings", [{"zoom": (0.0, 1.0)}, {"zoom": (2.0, 1.0)}, {"flip": 1.5}, {"colour": -0.1}]
)
def test_augmentations_that_cannot_be_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        Augmentation(**settings)  # type: ignore[arg-type]
