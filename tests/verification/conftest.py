"""The networks of the figures, traced once for all tests here."""

import pytest

from mobilenet_profiler.trace.tracer import trace
from mobilenet_profiler.verification.verdicts import Networks


@pytest.fixture(scope="session")
def networks() -> Networks:
    return Networks(trace)
