"""Which kinds of nodes a cluster has, by their resources. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mobilenet_profiler.errors import unknown_name

CPU, GPU = "cpu", "gpu"
_ACCELERATOR = "accelerator_type:"
_OWN = ("CPU", "GPU", "memory", "object_store_memory")  # resources that Ray itself names
_OWN_PREFIXES = (_ACCELERATOR, "node:")


@dataclass(frozen=True, slots=True)
class Node:
    """One node. resources: amounts by name, as Ray has them: CPU, accelerator_type:H100, …"""

    id: str
    resources: Mapping[str, float]

    @property
    def kinds(self) -> tuple[str, ...]:
        """What `--on` may call it: cpu, or gpu and gpu:h100; and its custom resources."""
        own = [name for name in self.resources if not _is_own(name)]
        if not self.resources.get("GPU"):
            return (CPU, *own)
        types = [
            f"{GPU}:{name.removeprefix(_ACCELERATOR).casefold()}"
            for name in self.resources
            if name.startswith(_ACCELERATOR)
        ]
        return (GPU, *types, *own)

    def serves(self, kind: str) -> bool:
        """Whether it is of a kind; capitals make no difference."""
        return kind.casefold() in map(str.casefold, self.kinds)


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith(_OWN_PREFIXES)


def check_kinds(kinds: Iterable[str], nodes: Iterable[Node]) -> None:
    """Refuse a kind that no node is of: UsageError with those that there are."""
    present = list(nodes)
    for kind in kinds:
        if not any(node.serves(kind) for node in present):
            raise unknown_name("kind of node", kind, list_kinds(present))


def list_kinds(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Every kind that there is, each once."""
    return tuple(sorted({kind for node in nodes for kind in node.kinds}))


def choose_device(kind: str, device: str) -> str:
    """Where a kind of node times: on its GPU, unless another GPU was asked for."""
    is_gpu = kind.casefold() == GPU or kind.casefold().startswith(f"{GPU}:")
    return "cuda" if is_gpu and device == "cpu" else device
