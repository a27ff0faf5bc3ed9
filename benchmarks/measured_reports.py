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
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

import mobilenet_profiler as mp
from mobilenet_profiler.cli.output import write_figure, write_text
from mobilenet_profiler.grid.axes import make_axis
from mobilenet_profiler.grid.cells import Cell
from mobilenet_profiler.grid.results import CellResult, Sweep
from mobilenet_profiler.measured.columns import make_sheet
from mobilenet_profiler.measured.kept import decode_ceiling, encode_ceiling
from mobilenet_profiler.measured.profile import Profile
from mobilenet_profiler.measured.remarks import list_remarks
from mobilenet_profiler.measured.roofline import Ceiling
from mobilenet_profiler.measured.rows import add_up_times, make_timed_rows
from mobilenet_profiler.measured.summary import describe_machine
from mobilenet_profiler.published.accuracies import find_accuracies
from mobilenet_profiler.render.ceiling import render_ceiling_markdown
from mobilenet_profiler.render.networks import render_grid, render_latencies, render_shares
from mobilenet_profiler.render.profile import render_markdown
from mobilenet_profiler.render.profile_json import render_profile
from mobilenet_profiler.render.text import escape_markdown

ALPHAS, RESOLUTIONS = (1.0, 0.75, 0.5, 0.25), (224, 192, 160, 128)
OTHERS = ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small", "resnet50", "vgg16")
PASSES = {"pairs": 120, "others": 60}
DRAWN = ("mobilenet_v1_100_224", "mobilenet_v2", "resnet50", "vgg16")
CHECKPOINTS = "mobilenet_v1_md"  # whose accuracies the pairs have
ALONG = ("mobilenet_v1_100_224", "resnet50")  # drawn along their depth, and against MACs


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
    for name in ALONG:
        if name in profiles:
            draw_layers(profiles[name], folder, name)
    draw_pairs(list_pairs(profiles), folder)
    write_text(render_summary(folder.name, profiles), str(folder / "README.md"))


def draw_roof(profile: Profile, ceiling: Ceiling, path: Path) -> None:
    """The layers of one network under the ceilings."""
    from mobilenet_profiler.cli.profile import draw as draw_profile

    write_figure(draw_profile(profile, ceiling), str(path))


def draw_layers(profile: Profile, folder: Path, name: str) -> None:
    """The layers of one network in their order, and their times against their MACs."""
    from mobilenet_profiler.render.plot.depth import draw_depth
    from mobilenet_profiler.render.plot.residuals import draw_residuals

    width = "page" if len(profile.trace.counted) > 40 else "column"
    write_figure(draw_depth(profile, width=width), str(folder / f"{name}_depth.svg"))
    write_figure(draw_residuals(profile), str(folder / f"{name}_residuals.svg"))


def draw_pairs(pairs: Sequence[Profile], folder: Path) -> None:
    """Accuracy against latency over all pairs, latency over alpha and resolution, and the
    latency of each against its MACs."""
    from mobilenet_profiler.render.plot.heatmap import draw_heatmap
    from mobilenet_profiler.render.plot.residuals import draw_residuals
    from mobilenet_profiler.render.plot.tradeoff import draw_tradeoff

    sweep = gather_pairs(pairs)
    write_figure(draw_tradeoff(sweep, "latency"), str(folder / "tradeoff.svg"))
    write_figure(draw_heatmap(sweep, "latency"), str(folder / "heatmap.svg"))
    write_figure(draw_residuals(sweep), str(folder / "residuals.svg"))


def gather_pairs(pairs: Sequence[Profile]) -> Sweep:
    """The profiles of MobileNet V1 as a sweep, with the accuracies of its checkpoints."""
    specs = [profile.trace.spec for profile in pairs]
    accuracies = find_accuracies(specs, CHECKPOINTS)
    first = pairs[0]
    results = [
        CellResult(
            Cell("mobilenet_v1", read_point(profile.trace.spec)),
            *(profile.trace.label, profile.trace.spec, profile.trace.total),
            latency=add_up_times(profile).latency,
            machine="this",
            accuracy=accuracy,
        )
        for profile, accuracy in zip(pairs, accuracies, strict=True)
    ]
    axes = make_axis("alpha", ALPHAS), make_axis("resolution", RESOLUTIONS)
    results.sort(key=lambda own: (-own.cell.point["alpha"], -own.cell.point["resolution"]))
    setup = {name: getattr(first.setup, name) for name in ("device", "threads", "dtype", "batch")}
    machines = {"this": first.environment}
    return Sweep(("mobilenet_v1",), axes, tuple(results), setup=setup, machines=machines)


def read_point(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Where a pair stands on both axes."""
    return {"alpha": spec["options"].get("alpha", 1.0), "resolution": spec["inputs"][0][-1]}


def list_pairs(profiles: Mapping[str, Profile]) -> list[Profile]:
    """The profiles of MobileNet V1, the most MACs first."""
    pairs = [profile for name, profile in profiles.items() if name.startswith("mobilenet_v1_")]
    return sorted(pairs, key=lambda profile: -profile.trace.total.macs)


def render_summary(name: str, profiles: dict[str, Profile]) -> str:
    """All networks side by side: latency, shares, the grid, and what to know of them."""
    first = next(iter(profiles.values()))
    pairs = list_pairs(profiles)
    others = [profiles[name] for name in OTHERS if name in profiles]
    return "\n".join(
        [
            f"# {name.replace('_', ' ')}\n",
            *describe_run(first),
            "## Latency\n",
            render_latencies([*pairs, *others]),
            "MobileNet V1 by alpha (down) and resolution (across), milliseconds:\n",
            render_grid(pairs),
            "![Accuracy against latency](tradeoff.svg) ![Latency against MACs](residuals.svg)\n",
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
        plot += f", [depth]({name}_depth.svg)" if name in ALONG else ""
        plot += f", [times against MACs]({name}_residuals.svg)" if name in ALONG else ""
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
