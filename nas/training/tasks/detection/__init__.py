"""Detection: objects in boxes (SSD and its kin). Importing this loads no torch."""
