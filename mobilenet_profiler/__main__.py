"""`python -m mobilenet_profiler`."""

from mobilenet_profiler.cli import main

main()
