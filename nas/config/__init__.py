"""Search configurations: the YAML schema, and the assembly of a search from it."""
