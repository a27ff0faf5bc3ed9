"""Conventions of counting: what other tools, papers and documents call a model's cost.

A convention is a file in `data/`: which operations count how much, what its params
are, and where that was read. `catalogue.py` finds them, `counting.py` applies one to a
Trace, `comparison.py` says why two numbers differ, `view.py` shows a Trace in one.
"""

DEFAULT = "macs"  # ours
