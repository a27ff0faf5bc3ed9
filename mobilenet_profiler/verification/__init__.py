"""Counts beside published figures.

`rule.py` says when a count and a printed number agree, `measures.py` what a figure's
quantity is of a trace, `verdicts.py` puts the two together, `conventions.py` looks for the
convention that a figure would fit. All are pure: the traces come from the caller.
"""
