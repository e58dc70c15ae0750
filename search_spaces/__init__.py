"""The search spaces that come with the framework, one folder each."""
