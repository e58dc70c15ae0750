"""Values, contracts, errors and helpers for every package; imports no other package of nas."""
