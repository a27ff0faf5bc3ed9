"""Where the numbers of a figure come from, in the words of its caption. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mobilenet_profiler.comparing import name_convention
from mobilenet_profiler.cost import Trace
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.profile import Profile

_MOST_NAMES = 4


def describe_networks(sweep: Sweep) -> str:
    """The networks of a sweep, and how many cells."""
    names = [model.partition(" ")[0] for model in sweep.models]
    shown = ", ".join(dict.fromkeys(names[:_MOST_NAMES]))
    rest = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    count = len(sweep.results)
    return f"{shown}{rest}, {count:,} network{'s' * (count != 1)}"


def describe_convention(sweep: Sweep) -> str:
    """How counts are counted, and of how many images where that is not one."""
    images = sweep.settings.get("batch") or 1
    among = f" of {images} images" if images != 1 else ""
    return f"Counts{among} exact, convention {sweep.convention}."


def describe_latency(sweep: Sweep, shown: str = "with its 95% interval") -> str:
    """How times were measured and where: `Latency: median of a pass …, cpu, 1 thread, …`."""
    setup = [describe_setting(*item) for item in sweep.setup.items() if item[1] not in (None, "")]
    names = dict.fromkeys(result.machine for result in sweep.results if result.machine)
    machines = sweep.machines or {name: {} for name in names}  # a CSV file has their names alone
    where = "; ".join(describe_place(name, machine) for name, machine in machines.items())
    how = ", ".join(part for part in setup if part)
    return f"Latency: median of a pass {shown}{', ' if how else ''}{how}" + (
        f"; {where}." if where else "."
    )


def describe_setting(name: str, value: Any) -> str:
    """One thing about how times were measured; '' for what is not so."""
    if isinstance(value, bool):
        return name.replace("_", " ") if value else ""
    if name == "threads":
        return f"{value} thread{'s' * (value != 1)}"
    return str(value) if name in ("device", "dtype") else f"{name.replace('_', ' ')} {value}"


def describe_place(name: str, environment: Mapping[str, Any]) -> str:
    """A machine, and when it measured, where that is known."""
    date = str(environment.get("date", ""))[:10]
    return ", ".join(filter(None, (describe_machine(name, environment), date)))


def describe_machine(name: str, machine: Mapping[str, Any]) -> str:
    """A machine by its processor or GPU, else by its name."""
    for part in ("gpu", "cpu"):
        known = machine.get(part)
        model = known.get("model") if isinstance(known, Mapping) else None
        if model:
            return str(model)
    return name


def list_sources(results: Iterable[CellResult]) -> str:
    """The sources of accuracies, each once: `arXiv 1704.04861, Table 8`."""
    accuracies = [result.accuracy for result in results if result.accuracy]
    sources = dict.fromkeys(accuracy.source for accuracy in accuracies if accuracy.source)
    return join_places(tuple(sources)) or "without a source"


def join_places(sources: Sequence[str]) -> str:
    """Tables of one paper together: `arXiv 1704.04861, Tables 8 and 9`."""
    papers: dict[str, list[str]] = {}
    for source in sources:
        paper, comma, place = source.rpartition(", ")
        papers.setdefault(paper if comma else source, []).append(place if comma else "")
    return "; ".join(
        ", ".join(filter(None, (paper, _join(sorted(own))))) for paper, own in papers.items()
    )


def _join(places: Sequence[str]) -> str:
    """`Table 8` and `Table 9` as `Tables 8 and 9`; any others with commas between."""
    numbers = [place.removeprefix("Table ") for place in places]
    if len(places) < 2 or not all(place.startswith("Table ") for place in places):
        return ", ".join(places)
    return f"Tables {', '.join(numbers[:-1])} and {numbers[-1]}"


def describe_memory(sweep: Sweep) -> str:
    """What the peak of activations is."""
    device = sweep.setup.get("memory_device") or sweep.setup.get("device")
    where = f" on {device}" if device else ""
    return f"Memory: predicted peak of all activations held at once{where}, without weights."


def title_macs(trace: Trace, quantity: str) -> str:
    """What a quantity of a trace is called at an axis: FLOPs where its convention counts these."""
    convention = trace.convention
    if quantity != "macs" or convention is None or not convention.rules:
        return quantity.replace("macs", "MACs").replace("_", " ")
    return convention.unit


def describe_trace(trace: Trace) -> str:
    """A network and how it is counted; what no number includes is told too."""
    calls = sum(item.calls for item in trace.uncounted)
    missing = f" Not counted: {calls:,} call{'s' * (calls != 1)} of operations." if calls else ""
    return f"{trace.label}. Counts exact, convention {name_convention(trace)}.{missing}"


def describe_run(profile: Profile) -> str:
    """A network, how it ran, on which machine and when; without a full stop."""
    where = describe_place("", profile.environment)
    of = "training step" if profile.setup.mode == "train" else "pass"
    return f"{profile.label}{f' ({where})' if where else ''}: medians of a {of}"


def describe_profile(profile: Profile) -> str:
    """The same, and how its network is counted."""
    counts = f"Counts exact, convention {name_convention(profile.trace)}."
    return f"{describe_run(profile)}. {counts}"
