"""Ridge regression on all columns and all products of two.

The kernel (1 + u.v)^2 stands for those features (Rasmussen and Williams, 2006, section 4.2.2), so the cost depends on
the number of rows, not on the thousands of products.
"""

from __future__ import annotations

from nas.core.records import FloatArray
from surrogates._kernel_ridge import KernelRidge


class PairwiseRidge(KernelRidge):
    """Ridge on columns and products of two, the penalty by leave-one-out; std of the Bayesian linear model."""

    def _kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        kernel: FloatArray = (1.0 + a @ b.T) ** 2
        return kernel

    def _own(self, a: FloatArray) -> FloatArray:
        own: FloatArray = (1.0 + (a * a).sum(axis=1)) ** 2
        return own
