"""`python cli.py …`: the same as the installed command `mobilenet-profiler`."""

from mobilenet_profiler.cli import main

main()
