"""The 15 common corruptions of Hendrycks and Dietterich (ICLR 2019), at five severities, for 32 and 224 pixels.

Written from the definitions in the paper's published code, over numpy, scipy and Pillow; the parameters are theirs.
One differs: frost uses generated windows instead of photographs.
"""

from __future__ import annotations

from nas.training.corruptions.apply import CORRUPTIONS, KINDS, Corruption, corrupt, corrupt_all

__all__ = ["CORRUPTIONS", "KINDS", "Corruption", "corrupt", "corrupt_all"]
