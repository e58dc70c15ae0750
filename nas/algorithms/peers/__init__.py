"""Optimisers of other packages as algorithms, for comparison. To add one, add its class and a line here.

Their packages are loaded on the first proposal, so listing them needs none.
"""

from __future__ import annotations

from nas.algorithms.peers.optuna_search import OptunaGP, OptunaNSGA2, OptunaNSGA3, OptunaTPE
from nas.algorithms.peers.pymoo_search import PymooMOEAD, PymooNSGA2, PymooNSGA3
from nas.algorithms.peers.syne_tune_search import SyneTuneEvolution
from nas.core.algorithm import Algorithm

PEERS: dict[str, type[Algorithm]] = {
    "pymoo-nsga2": PymooNSGA2,
    "pymoo-nsga3": PymooNSGA3,
    "pymoo-moead": PymooMOEAD,
    "optuna-nsga2": OptunaNSGA2,
    "optuna-nsga3": OptunaNSGA3,
    "optuna-tpe": OptunaTPE,
    "optuna-gp": OptunaGP,
    "syne-tune-evolution": SyneTuneEvolution,
}
