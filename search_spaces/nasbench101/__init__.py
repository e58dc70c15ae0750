"""NASBench-101 (Ying et al., ICML 2019)."""
