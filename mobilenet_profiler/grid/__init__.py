"""Sweeps: grids of networks, what is known of each cell, and what follows. No torch."""
