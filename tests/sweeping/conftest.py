"""One thread for all here, as where single networks are timed."""

from tests.timing.conftest import one_thread

__all__ = ["one_thread"]
