"""The description of a network adds up, and its drawing is well-formed."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from nas.core.errors import ConfigError
from search_spaces.muxnet import MODELS, network_cost
from search_spaces.muxnet.description import describe, to_svg


@pytest.mark.parametrize("name", MODELS)
def test_the_rows_add_up_to_the_network(name: str) -> None:
    rows = describe(MODELS[name])
    assert (sum(r.params for r in rows), sum(r.madds for r in rows)) == network_cost(MODELS[name])
    assert [r.kind for r in rows] == [
        "stem",
        *(b.kind.value for b in MODELS[name].blocks),
        "head",
        "classifier",
    ]


def test_a_row_has_the_block_in_words_and_the_shape_that_leaves_it() -> None:
    row = describe(MODELS["muxnet_m"])[5]
    assert (row.kind, row.shape, row.params, row.madds) == ("ir", (40, 28, 28), 12_834, 12_321_664)
    assert row.text == "k3.5.7 s2 e4 se 0.75 swish"
    assert describe(MODELS["muxnet_s"])[3].text == "k5 s1 e6 split 0.5 scales -0+ se 0.75 relu"


def test_another_resolution_changes_shapes_and_madds_but_not_parameters() -> None:
    whole, half = describe(MODELS["muxnet_l"]), describe(MODELS["muxnet_l"], 112)
    assert [r.params for r in whole] == [r.params for r in half]
    assert half[-2].shape == (1536, 4, 4)
    assert sum(r.madds for r in half) == network_cost(MODELS["muxnet_l"].at(112)).madds


def test_a_resolution_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="even"):
        describe(MODELS["muxnet_s"], 208)


def test_the_drawing_is_well_formed_and_has_a_box_a_row() -> None:
    svg = ElementTree.fromstring(to_svg(MODELS["muxnet_m"], num_classes=10))
    groups = svg.findall("{http://www.w3.org/2000/svg}g")
    assert len(groups) == len(MODELS["muxnet_m"].blocks) + 3
    assert "k3.5.7.9.11" in "".join(svg.itertext())
