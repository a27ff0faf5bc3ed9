"""Figures of a user's own: read as written, refused with file and line."""

from pathlib import Path

import pytest

import mobilenet_profiler as mp
from mobilenet_profiler.published.files import read_expectation, read_figures

DRAFT = """\
alpha = 0.5

[[figure]]
quantity = "macs"
printed = "149M"
convention = "paper"
place = "Table 2"

[[rows]]
type = "Conv"
depth = 32

[[figure]]
quantity = "params"
printed = "1.3"
unit = "M"
options = "resolution=160"
"""


def write(folder: Path, text: str, name: str = "draft.toml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def test_the_figures_of_a_draft_are_read_with_their_lines(tmp_path: Path) -> None:
    file = write(tmp_path, DRAFT)
    first, second = read_figures(file, "mobilenet_v1 alpha=0.5")
    assert (first.text, first.convention, first.model) == (
        "149 M",
        "paper",
        "mobilenet_v1 alpha=0.5",
    )
    assert (second.text, second.convention) == ("1.3 M", "macs")
    assert second.model == "mobilenet_v1 alpha=0.5 resolution=160"
    assert (first.line, second.line) == (f"{file}:5", f"{file}:15")
    assert (first.name, second.name) == ("draft/table-2/macs", "draft/resolution-160/params")


def test_a_csv_file_has_the_columns_of_those_that_are_shipped(tmp_path: Path) -> None:
    text = "place,model,quantity,of,printed,unit\nTable 1,mobilenet_v1,macs,,569,M\n"
    (figure,) = read_figures(write(tmp_path, text, "own.csv"))
    assert (figure.text, figure.model, figure.source) == ("569 M", "mobilenet_v1", "own")
    assert figure.line.endswith("own.csv:2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha = 0.5\n", "draft.toml: there is no figure; give each a [[figure]] table"),
        ("alpha = \n", "draft.toml:1: not TOML"),
        ('[[figure]]\nprinted = "1M"\n', "draft.toml:1: the figure has no 'quantity'"),
        ('\n[[figure]]\nquantity = "macs"\n', "draft.toml:2: the figure has no 'printed'"),
        ('[[figure]]\nquantity = "macs"\nprinted = ""\n', "draft.toml:3: the figure has no"),
        (
            '[[figure]]\nquantity = "macs"\nprinted = 2.60\n',
            "draft.toml:3: printed must be a text, given 2.6; write printed",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "lots"\n',
            "draft.toml:3: 'lots' is no number as printed",
        ),
        (
            '[[figure]]\nquantity = "maks"\nprinted = "1M"\n',
            "draft.toml:2: unknown quantity 'maks' (did you mean 'macs'?)",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1M"\n\nconvention = "papr"\n',
            "draft.toml:5: unknown convention 'papr' (did you mean 'paper'?)",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1M"\nwhere = "here"\n',
            "draft.toml:4: unknown key of a figure 'where'",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1M"\nunit = "M"\n',
            "draft.toml:3: printed '1M' has a unit of its own beside 'M'",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1"\nunit = "Q"\n',
            "draft.toml:3: unknown unit 'Q'",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1M"\nknown_difference = { reason = "x" }\n',
            "draft.toml:4: a known difference must have 'count', a text",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1M"\nknown_difference = "x"\n',
            "draft.toml:4: known_difference must be a table",
        ),
        *(
            (
                '[[figure]]\nquantity = "macs"\nprinted = "1M"\n'
                f'known_difference = {{ count = "1", reason = "x", instead = {instead} }}\n',
                f"draft.toml:4: {message}",
            )
            for instead, message in (
                ("3", "a reading must be a table, given 3"),
                ('{ digits = "3" }', "digits of a reading must be a whole number, given '3'"),
                ("{ digits = 0 }", "digits of a reading must be at least 1, given 0"),
                ("{ times = true }", "times of a reading must be a whole number, given True"),
                ("{ model = 3 }", "model of a reading must be a text, given 3"),
                ("{ modle = 3 }", "unknown key of a reading 'modle' (did you mean 'model'?)"),
            )
        ),
        ("figure = 3\n", "draft.toml: figures must be tables"),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1MB"\n',
            "draft.toml:3: unit 'MB' is none of macs; allowed: no unit, k, K, M, G, B, T",
        ),
        (
            '[[figure]]\nquantity = "macs_share"\nprinted = "93.0"\n',
            "draft.toml:3: a number without a unit is none of macs_share; allowed: %",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "0.0G"\n',
            "draft.toml:3: printed '0.0G' is zero",
        ),
        (
            '[[figure]]\nquantity = "macs"\nprinted = "1e400"\n',
            "draft.toml:3: '1e400' is no number",
        ),
        (
            f'[[figure]]\nquantity = "macs"\nprinted = "{"9" * 5000}"\n',
            "draft.toml:3: '999999999999999999999999999999…' is no number",
        ),
        (
            'figure = [{ quantity = "maks", printed = "1" }]',
            "draft.toml: figure 1: unknown quantity",
        ),
    ],
)
def test_what_cannot_be_read_is_one_line_with_file_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(mp.UsageError) as caught:
        read_figures(write(tmp_path, text), "mobilenet_v1")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_figure_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(mp.UsageError, match=r"draft.toml:3: the figure names no model"):
        read_figures(write(tmp_path, DRAFT))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own.csv", "quantity,printed\nmacs,1M,3\n", r"own.csv:2: the line has not as many"),
        ("own.csv", "quantity,printed\n", r"own.csv: there is no figure"),
        ("own.csv", "quantity\nmacs\n", r"own.csv:2: the figure has no 'printed'"),
    ],
)
def test_a_csv_file_that_cannot_be_read_names_its_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(mp.UsageError, match=message):
        read_figures(write(tmp_path, text, name), "mobilenet_v1")


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(mp.UsageError, match="cannot read"):
        read_figures(tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(mp.UsageError, match="is no text in UTF-8"):
        read_figures(tmp_path / "bytes.toml")


def test_a_heading_inside_a_text_shifts_no_line(tmp_path: Path) -> None:
    text = 'name = """\n[[figure]]\n"""\n[[figure]]\nquantity = "maks"\nprinted = "1M"\n'
    with pytest.raises(mp.UsageError, match=r"draft.toml:5: unknown quantity"):
        read_figures(write(tmp_path, text), "mobilenet_v1")


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = "quantity,printed,printed\nmacs,1M,2M\n"
    with pytest.raises(mp.UsageError, match=r"own.csv:1: a column stands twice"):
        read_figures(write(tmp_path, text, "own.csv"), "mobilenet_v1")


def test_what_a_terminal_would_obey_is_not_shown(tmp_path: Path) -> None:
    text = '[[figure]]\nquantity = "macs"\nprinted = "1M"\nsubject = "bad\\u001b[31m\\nrow"\n'
    (figure,) = read_figures(write(tmp_path, text), "mobilenet_v1")
    assert figure.subject == "bad [31m row"


def test_an_expectation_is_a_figure() -> None:
    figure = read_expectation("macs=325M", "mobilenet_v1 alpha=0.75", "paper")
    assert (figure.quantity, figure.text, figure.convention) == ("macs", "325 M", "paper")
    part = read_expectation("macs_share@pointwise 1x1=94.86%", "mobilenet_v1")
    assert (part.of, part.text) == ("pointwise 1x1", "94.86 %")


@pytest.mark.parametrize("text", ["macs", "macs=", "=3M", "macs=x", "mac=3M"])
def test_an_expectation_that_is_none_is_refused_as_it_was_given(text: str) -> None:
    with pytest.raises(mp.UsageError) as caught:
        read_expectation(text, "mobilenet_v1")
    assert text in str(caught.value)
