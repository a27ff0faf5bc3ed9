"""Networks to count, one file a family, each beside its paper."""
