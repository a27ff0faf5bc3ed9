"""Every block of output in the README is what the program prints."""

import re
import shlex
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```console\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


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
    assert (captured.out + captured.err).replace("\u00a0", " ").strip() == output.strip()
    assert code in (0, 1, 2)


def test_the_readme_names_every_command_and_every_option() -> None:
    text = README.read_text(encoding="utf-8")
    for name in ("table", "explain", "models", "conventions", "operations"):
        assert f"mobilenet-profiler {name}" in text
    shown = "".join(map(read_help, ("table", "explain", "conventions", "operations")))
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
    import mobilenet_profiler as mp

    (example,) = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "my_variant.toml"
    file.write_text(example.replace("# final_endpoint", "final_endpoint"))
    trace = mp.trace(file)
    # 16 channels at 80x80, then a depthwise 3x3 and 32 channels.
    assert trace.total.macs == 80 * 80 * 16 * (27 + 9 + 32)
    missing = set(find_options()) - set(re.findall(r"^(?:# )?(\w+) =", example, re.MULTILINE))
    assert missing == {"rows"}


def find_options() -> tuple[str, ...]:
    from mobilenet_profiler.zoo.catalogue import list_models

    return list_models()[0].options
