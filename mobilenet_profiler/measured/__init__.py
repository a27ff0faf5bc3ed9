"""What was measured: samples, their statistics, ceilings, comparisons. Pure; no torch."""
