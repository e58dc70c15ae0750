"""Radial basis functions: a cubic spline near the data, with a linear tail.

Powell, "The theory of radial basis function approximation in 1990", 1992, as used in surrogate optimisation by
Regis and Shoemaker, INFORMS Journal on Computing 2007, section 2.1. The errors of leaving one point out follow from
one factorisation (Rippa, Advances in Computational Mathematics 1999, section 2), and choose the smoothing.
"""

from __future__ import annotations

from scipy.spatial.distance import cdist

from nas.core.records import FloatArray
from surrogates._kernel_ridge import KernelRidge

# The prior variance of the tail's coefficients. r^3 is positive definite but for linear functions (where its
# eigenvalues are about -4 times the tail's own); so large a variance makes up for them and hardly binds the tail.
_TAIL = 100.0


class RBF(KernelRidge):
    """Cubic radial basis functions with a linear tail, smoothed by leave-one-out; std from the same errors."""

    def _kernel(self, a: FloatArray, b: FloatArray) -> FloatArray:
        kernel: FloatArray = cdist(a, b) ** 3 + _TAIL * (1.0 + a @ b.T)
        return kernel

    def _own(self, a: FloatArray) -> FloatArray:
        own: FloatArray = _TAIL * (1.0 + (a * a).sum(axis=1))
        return own
