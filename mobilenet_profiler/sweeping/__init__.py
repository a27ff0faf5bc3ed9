"""From a grid to what each of its networks costs, here, in other processes or on a cluster."""
