"""What is remembered from one trace to the next, within bounds."""

from __future__ import annotations

from typing import Generic, TypeVar

LIMIT = 4_096  # things remembered: a network has hundreds; a sweep must not grow

T = TypeVar("T")


class Memory(Generic[T]):
    """At most LIMIT things by key; where it is full, a sixteenth goes, the oldest first."""

    def __init__(self) -> None:
        self._known: dict[object, T] = {}
        self.find = self._known.get

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: object, value: T) -> None:
        """Remember a thing under a key."""
        if len(self._known) >= LIMIT:
            for old in list(self._known)[: max(1, LIMIT // 16)]:
                del self._known[old]
        self._known[key] = value

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
