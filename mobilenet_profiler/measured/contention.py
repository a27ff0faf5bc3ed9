"""Whether other work disturbed a measurement, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from mobilenet_profiler.measured.profile import Contention

# Shares of time. The layers of a quiet machine close within 5% of the whole; what is lost to
# others may be less than half of that before it is worth a word.
STEAL = 0.02
WAITED = 0.02
# The thread that calls the network runs, or spins until the others are done: it never sleeps.
# What it lacks of the time was spent elsewhere; 5% leaves room for a swapped page at the start.
SLEPT = 0.05
# Below this share of what its threads could use a process is short of processors, if it was
# also interrupted: a network of small layers does not fill its threads on an idle machine.
FAIR = 0.9
# Interruptions a second of processor time: up to 50 on an idle Linux, by work of its own that
# takes microseconds; 140 to 260 beside busy processes, which compete at every slice of 3 ms.
INTERRUPTED = 100
# Of the cores, busy with other work: that much can take the memory's bandwidth and the clock
# from a process that waits for no core.
OTHERS = 0.25
# Evidence below this is one slice of somebody's, or a tick of the kernel's clock (10 ms) or two.
LEAST = 50_000_000


def list_contention_warnings(contention: Contention, passes: int, threads: int) -> list[str]:
    """A sentence for each sign that others had a part of the machine, with what to do; often none.

    passes: of the network while it was counted. threads: of one operation on the CPU, or 0
    where a GPU computes and the host may sleep meanwhile.
    """
    competition = list(_warn_of_competition(contention, passes, threads))
    return [
        *_warn_of_threads(contention, threads),
        *_warn_of_steal(contention),
        *(competition or _warn_of_others(contention, threads)),
        *_warn_of_sleep(contention, passes, threads),
    ]


def _warn_of_threads(contention: Contention, threads: int) -> Iterator[str]:
    if threads > contention.cores:
        cores = _count(contention.cores, "core")
        yield f"{threads} threads on {cores} take turns: use --threads {contention.cores}"


def _warn_of_steal(contention: Contention) -> Iterator[str]:
    """The time that a hypervisor gave to other guests."""
    steal = contention.steal or 0.0
    if steal >= STEAL and steal * contention.wall * contention.cores >= LEAST:
        yield (
            f"the hypervisor took {steal:.0%} of the processor: "
            "measure again when its other guests are quiet, or on a machine of your own"
        )


def _warn_of_competition(contention: Contention, passes: int, threads: int) -> Iterator[str]:
    """Threads that were ready and had no processor: counted, or told by interruptions."""
    if threads > contention.cores:
        return  # they compete with each other
    waited, could = contention.waited, contention.wall * threads
    if waited is not None:
        ready = contention.cpu + waited
        found = waited >= max(WAITED * ready, LEAST)
        seen = f"waited {waited / ready:.0%} of its time for a processor" if found else ""
    else:
        found = _is_interrupted(contention) and contention.cpu < FAIR * could and could >= LEAST
        share = f"{contention.cpu / could:.0%} of the processor time" if found else ""
        seen = f"had {share} that its {_count(threads, 'thread')} could use"
    if found:
        switches = _count(contention.involuntary, "involuntary switch")
        switches += f" in {_count(passes, 'pass')}"
        fewer = f" or use --threads {threads - 1}" if threads > 1 else ""
        yield f"the process {seen} ({switches}): stop other work{fewer}"


def _is_interrupted(contention: Contention) -> bool:
    return contention.involuntary * 1_000_000_000 >= INTERRUPTED * contention.cpu


def _warn_of_sleep(contention: Contention, passes: int, threads: int) -> Iterator[str]:
    """Time in which not even the thread that calls the network ran, nor wanted to."""
    if contention.waited is None and _is_interrupted(contention):
        return  # what it lacks it may have wanted
    slept = contention.wall - contention.cpu - (contention.waited or 0)
    if threads and slept >= max(SLEPT * contention.wall, LEAST):
        seen = f"{_count(contention.voluntary, 'voluntary switch')} in {_count(passes, 'pass')}"
        yield (
            f"the process slept {slept / contention.wall:.0%} of the time ({seen}): see "
            "that memory is not swapped and that the network waits for no disk, lock or thread"
        )


def _warn_of_others(contention: Contention, threads: int) -> Iterator[str]:
    """Work that takes no core from this process, but shares caches, memory and clock with it."""
    others, cores = contention.others, _count(contention.cores, "core")
    if others is None:
        yield from _warn_of_load(contention, threads)
    elif others >= OTHERS * contention.cores and others * contention.wall >= LEAST:
        yield (
            f"other work kept {others:.1f} of {cores} busy: "
            "stop it, for it shares caches, memory and the clock"
        )


def _warn_of_load(contention: Contention, threads: int) -> Iterator[str]:
    """The same by the load of the minute before, where nothing better is known.

    A run like this one just before leaves a load of `threads`; from half of the cores on
    beyond it, others share physical cores with this process where each runs two threads.
    """
    load, cores = contention.load, contention.cores
    if load is not None and load - max(threads, 1) > max(cores / 2, 0.5):
        yield (
            f"load {load:.1f} on {_count(cores, 'core')} when the measurement began: "
            "stop other work, or wait until it is done"
        )


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith(("s", "ch")) else "s")
    return f"{number:,} {noun if number == 1 else plural}"
