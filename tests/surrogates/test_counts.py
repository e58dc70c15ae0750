"""Counts of choices: what genes with the same number of choices have together."""

from __future__ import annotations

from nas.core.records import Architecture
from nas.core.space import SearchSpace
from search_spaces.nasbench201 import NASBench201
from surrogates.candidates import candidates_for_search, encodings_of
from surrogates.counts import Counts


class Mixture(SearchSpace):
    name = "mixture"
    cardinalities = (2, 3, 2, 5, 3)


def test_each_group_of_equal_cardinality_has_a_column_for_each_choice() -> None:
    rows = Counts(Mixture.cardinalities)(
        [Architecture("mixture", (0, 2, 1, 4, 2)), Architecture("mixture", (1, 0, 1, 0, 1))]
    )
    assert rows.tolist() == [[1, 1, 0, 0, 2], [0, 2, 1, 1, 0]]


def test_there_is_nothing_to_count_without_two_genes_alike_or_with_many_choices() -> None:
    assert not Counts((2, 3, 4))
    assert not Counts((100, 100))


def test_a_search_tries_counts_where_the_space_has_no_summary() -> None:
    assert candidates_for_search(Mixture(), encodings_of(Mixture()))["gp-counts"].encoding == "genes+counts"
    bench = NASBench201()
    assert "gp-counts" not in candidates_for_search(bench, encodings_of(bench))
