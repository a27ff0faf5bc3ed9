"""Figures: pure functions of what was measured, by matplotlib's Figure, never its pyplot."""
