"""One hypothesis profile for all: tracing has no deadline."""

from hypothesis import settings

settings.register_profile("traces", deadline=None, max_examples=25)
settings.load_profile("traces")
