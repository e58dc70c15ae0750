"""Weight sharing: one set of tensors for every network of a space. Importing this loads no torch."""
