"""Published figures as quotations: what was printed, where, and what it counts.

`data/` holds a CSV file a source, a figure a line, and `sources.toml` and `differences.toml`
beside them. `catalogue.py` reads these, `files.py` a user's own, `figure.py` says what a
figure is. Nothing here counts: `verification` puts figures beside traces.
"""
