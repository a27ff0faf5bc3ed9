"""Every block of output in the README is what the program prints."""

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.cli import run

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)

COMMANDS = (
    *("table", "explain", "conventions", "operations", "verify", "published", "compare", "check"),
    *("profile", "ceiling", "fit", "sweep", "plot", "report"),
)


def split_block(block: str) -> list[tuple[str, str]]:
    """The commands of a block, each with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


SHOWN = [shown for block in BLOCKS for shown in split_block(block)]


def test_the_readme_shows_the_main_command_first() -> None:
    assert SHOWN[0][0] == "mobilenet-profiler table --alpha 0.75 --resolution 128"


@pytest.mark.parametrize(("command", "output"), SHOWN, ids=lambda text: text[:60].strip())
def test_output_in_the_readme_is_what_the_program_prints(
    command: str,
    output: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    program, *arguments = shlex.split(command)
    assert program == "mobilenet-profiler"
    code = run(arguments)
    captured = capsys.readouterr()
    printed = (captured.out + captured.err).replace("\u00a0", " ").strip()
    # A line of three dots stands for lines left out.
    shown = map(re.escape, re.split(r"^…\n", output.strip(), flags=re.MULTILINE))
    assert re.fullmatch(r"(?:.*\n)+?".join(shown), printed)
    assert code in (0, 1, 2)


def test_the_readme_names_every_command_and_every_option() -> None:
    text = README.read_text(encoding="utf-8")
    for command in (*COMMANDS, "models"):
        assert f"mobilenet-profiler {command}" in text
    shown = "".join(map(read_help, COMMANDS))
    options = set(re.findall(r"--[a-z-]+", shown))
    assert {"--alpha", "--cross-check"} <= options
    assert not {option for option in options if f"`{option}`" not in text} - {"--help"}


def read_help(command: str) -> str:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as shown:
        run([command, "--help"])
    return shown.getvalue()


def test_every_option_in_the_variant_of_the_readme_is_accepted(tmp_path: Path) -> None:
    example = find_toml("[[rows]]")
    file = tmp_path / "my_variant.toml"
    file.write_text(example.replace("# final_endpoint", "final_endpoint"))
    trace = mp.trace(file)
    # 16 channels at 80x80, then a depthwise 3x3 and 32 channels.
    assert trace.total.macs == 80 * 80 * 16 * (27 + 9 + 32)
    missing = set(find_options()) - set(re.findall(r"^(?:# )?(\w+) =", example, re.MULTILINE))
    assert missing == {"rows"}


def test_the_draft_of_the_readme_agrees(tmp_path: Path) -> None:
    file = tmp_path / "my_variant.toml"
    file.write_text(find_toml("[[figure]]"), encoding="utf-8")
    known = mp.verify(file)
    assert known.count() == {"agrees": 3, "known difference": 0, "differs": 0, "listed": 0}


def find_toml(holding: str) -> str:
    blocks = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = (block for block in blocks if holding in block)
    return str(found)


def find_options() -> tuple[str, ...]:
    from mobilenet_profiler.zoo.catalogue import list_models

    return list_models()[0].options


NET = """
from torch import nn

class Net(nn.Sequential):
    def __init__(self, width=WIDTH):
        super().__init__(nn.Conv2d(3, width, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
"""


@pytest.mark.parametrize(("width", "code"), [(8, 0), (16, 1)])
def test_the_recipes_of_the_readme_pass_within_the_budget_and_fail_over_it(
    tmp_path: Path, width: int, code: int
) -> None:
    section = README.read_text(encoding="utf-8").partition("## Keep a model under budget")[2]
    (job,) = re.findall(r"run: \|\n(.*?)```", section, re.DOTALL)
    (example,) = re.findall(r"```python\n(.*?)```", section.partition("## Commands")[0], re.DOTALL)
    (saving,) = re.findall(r"`(mobilenet-profiler table models/net.py[^`]*)`", section)
    (tmp_path / "models").mkdir()
    network = tmp_path / "models" / "net.py"
    network.write_text(NET.replace("WIDTH", "8"))
    assert run_recipe(saving, tmp_path) == 0
    (tmp_path / "test_budget.py").write_text(tighten(example))
    network.write_text(NET.replace("WIDTH", str(width)))
    assert run_recipe(tighten(textwrap.dedent(job)), tmp_path) == code
    summary = (tmp_path / "summary.md").read_text()
    assert ("over budget" in summary) == bool(code)
    assert ("<details>" in summary) == bool(code)
    assert run_recipe("python -m pytest -q -p no:cacheprovider test_budget.py", tmp_path) == code


def tighten(recipe: str) -> str:
    """The recipe with a limit for a convolution of 8 channels on 222x222 positions."""
    return recipe.replace("300M", str(222 * 222 * 8 * 27))


def run_recipe(script: str, folder: Path) -> int:
    """Its exit code where GitHub runs it: `bash -eo pipefail`."""
    programs = {"mobilenet-profiler": "-m mobilenet_profiler", "python -m": "-m"}
    for name, arguments in programs.items():
        script = re.sub(rf"^{name}", f"{shlex.quote(sys.executable)} {arguments}", script)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(mp.__file__).parents[1]),
        "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
    }
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script]
    return subprocess.run(command, cwd=folder, env=environment, check=False).returncode
