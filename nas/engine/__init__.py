"""The search loop's parts: what watches over a search while it runs."""
