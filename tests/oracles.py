"""Published tables, read from tests/data; each file names its source in its first line."""

import csv
from pathlib import Path

DATA = Path(__file__).parent / "data"
ALPHAS = (1.0, 0.75, 0.5, 0.25)
RESOLUTIONS = (224, 192, 160, 128)


def read_oracle(name: str) -> list[dict[str, str]]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# "), f"{name} names no source"
    return list(csv.DictReader(lines[1:]))
