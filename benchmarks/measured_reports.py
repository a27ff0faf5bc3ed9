"""The measured part of reports/: profiles of many networks, and the tables and plots of them.

    python -m benchmarks.measured_reports reports/measured/NAME [--threads 1,2]
    python -m benchmarks.measured_reports reports/measured/NAME --device cuda --batch 1,64
    python -m benchmarks.measured_reports reports/measured/NAME --draw

The first two measure, on a machine that does nothing else, and draw; the third draws again
from the files alone. Networks of a group are measured in turns.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import product
from pathlib import Path

import mobilenet_profiler as mp
from mobilenet_profiler.cli.output import write_figure, write_text
from mobilenet_profiler.measured.columns import make_sheet
from mobilenet_profiler.measured.kept import decode_ceiling, encode_ceiling
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.roofline import Ceiling
from mobilenet_profiler.measured.rows import make_timed_rows
from mobilenet_profiler.measured.summary import describe_machine
from mobilenet_profiler.render.ceiling import render_ceiling_markdown
from mobilenet_profiler.render.networks import render_grid, render_latencies, render_shares
from mobilenet_profiler.render.profile import render_markdown
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.render.text import escape_markdown

ALPHAS, RESOLUTIONS = (1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128)
OTHERS = ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "resnet50", "vgg16")
PASSES = {"pairs": 120, "others": 60}
DRAWN = ("mobilenet_v1_100_224", "mobilenet_v2", "resnet50", "vgg16")


def make_groups(batch: int) -> dict[str, dict[str, mp.ModelSpec]]:
    """The specs of each group by the name of their file."""
    pairs = {
        f"mobilenet_v1_{round(100 * alpha):03}_{size}": mp.make_spec(
            "mobilenet_v1", alpha=alpha, resolution=size, batch=batch
        )
        for alpha, size in product(ALPHAS, RESOLUTIONS)
    }
    return {"pairs": pairs, "others": {name: mp.make_spec(name, batch=batch) for name in OTHERS}}


def measure(folder: Path, device: str, threads: int | None, batch: int) -> None:
    """A file for each network, all samples in it."""
    from mobilenet_profiler.timing.profiler import profile_specs

    folder.mkdir(parents=True, exist_ok=True)
    for group, specs in make_groups(batch).items():
        profiles = profile_specs(
            list(specs.values()),
            device=device,
            threads=threads,
            iterations=PASSES[group],
            on_progress=lambda done, text: sys.stderr.write(f"\r{done:4.0%} {text[:60]:60}"),
        )
        for name, profile in zip(specs, profiles, strict=True):
            write_text(render_profile(profile), str(folder / f"{name}.json"))
        sys.stderr.write("\n")


def measure_ceiling(folder: Path, device: str) -> None:
    """What the machine can do, beside the profiles."""
    from mobilenet_profiler.cli.ceiling import renew_ceiling

    folder.mkdir(parents=True, exist_ok=True)
    write_text(encode_ceiling(renew_ceiling(device, [])), str(folder / "ceiling.json"))


def draw(folder: Path) -> None:
    """Tables and plots of what lies in a folder."""
    ceiling = decode_ceiling((folder / "ceiling.json").read_text(encoding="utf-8"))
    write_text(render_ceiling_markdown(ceiling), str(folder / "ceiling.md"))
    from mobilenet_profiler.render.plot.ceiling import draw_bandwidths

    write_figure(draw_bandwidths(ceiling), str(folder / "ceiling.png"))
    runs = sorted(path for path in folder.iterdir() if path.is_dir())
    for run in runs:
        draw_run(run, ceiling)


def draw_run(folder: Path, ceiling: Ceiling) -> None:
    """The tables of one run: every network by itself, all side by side, rooflines of a few."""
    profiles = {path.stem: mp.read_profile(path) for path in sorted(folder.glob("*.json"))}
    for name, profile in profiles.items():
        sheet = make_sheet(profile, make_timed_rows(profile), ceiling)
        write_text(render_markdown(sheet), str(folder / f"{name}.md"))
    for name in DRAWN:
        if name in profiles:
            draw_roof(profiles[name], ceiling, folder / f"{name}.png")
    write_text(render_summary(folder.name, profiles), str(folder / "README.md"))


def draw_roof(profile: Profile, ceiling: Ceiling, path: Path) -> None:
    """The layers of one network under the ceilings."""
    from mobilenet_profiler.cli.profile import draw as draw_profile

    write_figure(draw_profile(profile, ceiling), str(path))


def render_summary(name: str, profiles: dict[str, Profile]) -> str:
    """All networks side by side: latency, shares, the grid, and what to know of them."""
    first = next(iter(profiles.values()))
    pairs = [profile for name, profile in profiles.items() if name.startswith("mobilenet_v1_")]
    pairs.sort(key=lambda profile: -profile.trace.total.macs)
    others = [profiles[name] for name in OTHERS if name in profiles]
    return "\n".join(
        [
            f"# {name.replace('_', ' ')}\n",
            *describe_run(first),
            "## Latency\n",
            render_latencies([*pairs, *others]),
            "MobileNet V1 by alpha (down) and resolution (across), milliseconds:\n",
            render_grid(pairs),
            "## Where the time goes\n",
            render_shares([*pairs, *others]),
            *list_files(profiles),
            *list_all_remarks(profiles),
        ]
    )


def describe_run(profile: Profile) -> Iterator[str]:
    """When and where, in words."""
    known, setup = profile.environment, profile.setup
    date = datetime.fromisoformat(known["date"]).strftime("%Y-%m-%d")
    threads = f", {setup.threads} thread{'s' * (setup.threads > 1)}" * (setup.device == "cpu")
    yield (
        f"Measured {date} on {escape_markdown(describe_machine(profile))}, {setup.device}"
        f"{threads}, {setup.dtype}, batch {setup.batch}. Medians with half the width of their 95% "
        "intervals; each JSON file holds every sample and the whole environment.\n"
    )


def list_files(profiles: dict[str, Profile]) -> Iterator[str]:
    """Links to the tables, the samples and the plots."""
    yield "## Each network\n"
    for name in profiles:
        plot = f", [roofline]({name}.png)" if name in DRAWN else ""
        yield f"- {escape_markdown(name)}: [layers]({name}.md), [samples]({name}.json){plot}"
    yield ""


def list_all_remarks(profiles: dict[str, Profile]) -> Iterator[str]:
    """What a reader must know of each, before trusting it."""
    told = [(name, line) for name, profile in profiles.items() for line in list_remarks(profile)]
    if told:
        yield "## Remarks\n"
        yield from (f"- {escape_markdown(name)}: {escape_markdown(line)}" for name, line in told)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", default="1,2", help="on a CPU: a run for each")
    parser.add_argument("--batch", default="1", help="a run for each")
    parser.add_argument("--draw", action="store_true", help="measure nothing")
    given = parser.parse_args(arguments)
    if not given.draw:
        measure_ceiling(given.folder, given.device)
        cpu = given.device == "cpu"
        counts = [int(text) for text in given.threads.split(",")] if cpu else [None]
        for threads, batch in product(counts, map(int, given.batch.split(","))):
            parts = [f"threads_{threads}"] if cpu else []
            run = given.folder / "_".join([*parts, f"batch_{batch}"])
            measure(run, given.device, threads, batch)
    draw(given.folder)


if __name__ == "__main__":
    main()
