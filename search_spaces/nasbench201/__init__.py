"""NAS-Bench-201 (Dong and Yang, ICLR 2020): 15,625 cells, their costs, and their recorded results."""

from search_spaces.nasbench201.space import NASBench201

__all__ = ["NASBench201"]
