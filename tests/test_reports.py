"""Every file under reports/ is what its command or its samples make, byte for byte."""

import re
import shlex
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run
from mobilenet_profiler.measured.columns import make_sheet
from mobilenet_profiler.measured.kept import decode_ceiling
from mobilenet_profiler.measured.rows import add_up_times, make_timed_rows
from mobilenet_profiler.measured.saved import read_profile
from mobilenet_profiler.render.profile import render_markdown

REPORTS = Path(__file__).parents[1] / "reports"
_LISTED = re.compile(r"\(exact/(\S+)\) \| `mobilenet-profiler (.*)` \|")
LISTED = _LISTED.findall((REPORTS / "README.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("name", "command"), LISTED)
def test_an_exact_report_is_what_its_command_makes(
    name: str,
    command: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    assert run(shlex.split(command)) == 0
    if "-o" not in command.split():
        (tmp_path / name).write_text(capsys.readouterr().out, encoding="utf-8")
    made = {path.relative_to(tmp_path): path for path in tmp_path.rglob("*") if path.is_file()}
    assert made
    for place, path in made.items():
        assert path.read_bytes() == (REPORTS / "exact" / place).read_bytes(), place


def test_every_exact_report_is_listed() -> None:
    places = [REPORTS / "exact" / name for name, _ in LISTED]
    files = {path for path in (REPORTS / "exact").rglob("*") if path.is_file()}
    assert {path for path in files if not {path, *path.parents} & set(places)} == set()
    assert all(path.exists() for path in places)


def test_every_picture_that_a_readme_shows_is_there() -> None:
    for file in REPORTS.rglob("*.md"):
        for name in re.findall(r"!\[[^]]*\]\(([^)]+)\)", file.read_text(encoding="utf-8")):
            assert (file.parent / name).is_file(), f"{file}: {name}"


RUNS = sorted(path for path in REPORTS.glob("measured/*/*") if path.is_dir())


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_tables_of_measured_reports_are_made_from_their_samples(folder: Path) -> None:
    ceiling = decode_ceiling((folder.parent / "ceiling.json").read_text(encoding="utf-8"))
    files = sorted(folder.glob("*.json"))
    assert len(files) == 21
    for file in files:
        profile = read_profile(file)
        assert profile.environment["date"][:10] in folder.parent.name
        shown = render_markdown(make_sheet(profile, make_timed_rows(profile), ceiling))
        assert shown == file.with_suffix(".md").read_text(encoding="utf-8")


@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_the_tables_of_all_networks_are_made_from_their_samples(folder: Path) -> None:
    reports = pytest.importorskip("benchmarks.measured_reports")
    profiles = {path.stem: read_profile(path) for path in sorted(folder.glob("*.json"))}
    shown = reports.render_summary(folder.name, profiles)
    assert shown == (folder / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["mobilenet_v1_100_224", "resnet50"])
@pytest.mark.parametrize("folder", RUNS, ids=lambda path: path.name)
def test_measured_layers_and_what_lies_between_close_within_five_per_cent(
    folder: Path, name: str
) -> None:
    assert abs(add_up_times(read_profile(folder / f"{name}.json")).closing.value) < 0.05
