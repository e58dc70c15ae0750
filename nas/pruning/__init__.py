"""Which channels of a network must be cut together, which residual blocks can be removed, and the cut network."""
