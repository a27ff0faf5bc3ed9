"""From a network to a Profile: clocks, the measuring loop, the machine's ceiling."""
