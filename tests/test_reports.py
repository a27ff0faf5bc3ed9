"""Every file under reports/exact is what its command prints, byte for byte."""

import re
import shlex
from pathlib import Path

import pytest

from mobilenet_profiler.cli import run

REPORTS = Path(__file__).parents[1] / "reports"
LISTED = re.findall(r"\((exact/\S+)\) \| `(.*)` \|", (REPORTS / "README.md").read_text())


@pytest.mark.parametrize(("name", "command"), LISTED)
def test_an_exact_report_is_what_its_command_prints(
    name: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(shlex.split(command)[1:]) == 0
    assert capsys.readouterr().out == (REPORTS / name).read_text(encoding="utf-8")


def test_every_exact_report_is_listed() -> None:
    files = {str(file.relative_to(REPORTS)) for file in (REPORTS / "exact").iterdir()}
    assert files == {name for name, _ in LISTED}
