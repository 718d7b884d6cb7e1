import json

import pytest

from rigface.bench.machine import Machine, describe_machine
from rigface.bench.table import (
    Grid,
    Report,
    Row,
    format_number,
    markdown,
    show,
    update_docs,
    write_json,
)
from rigface.errors import OutputError

MACHINE = Machine("a CPU", 2, 24.0, "no GPU", "Linux x86_64", {"torch": "2.13"}, "abc1234")
ROWS = [
    Row("mean error", "a scan", 0.187, "mm", 0.20),
    Row("coverage", "a scan", 0.94, "", 0.95, "higher"),
    Row("peer | other", "a scan", 0.9365, "mm"),
    Row("failed", "a scan", float("nan"), "mm"),
]


def report(rows: list[Row] | None = None) -> Report:
    grid = Grid("Bones", ("K", "mean"), [("1", "0.25 mm")])
    return Report("toy", "A toy benchmark", rows or ROWS, MACHINE, ["All of it made up."], [grid])


def test_a_row_is_judged_by_its_direction():
    assert [row.ok for row in ROWS] == [True, False, True, False]
    assert Row("x", "y", 0.20, "mm", 0.20).ok
    assert Row("x", "y", 3, "", 3, "higher").ok
    assert not Row("x", "y", float("inf"), "s", 10).ok
    assert not report().ok
    assert report(ROWS[:1]).ok


def test_json_has_the_promised_fields(tmp_path):
    write_json(ROWS, tmp_path / "rows.json")
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert list(rows[0]) == ["what", "on", "value", "unit", "limit", "better", "ok"]
    assert rows[0]["value"] == 0.187
    assert rows[3]["value"] is None
    assert rows[3]["ok"] is False
    with pytest.raises(OutputError):
        write_json(ROWS, tmp_path / "no" / "rows.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.18749, "0.187"), (12.345, "12.3"), (1932, "1932"), (0, "0"), (1234.6, "1235"),
     (0.00234, "0.00234"), (-0.5, "-0.500"), (float("inf"), "infinite"),
     (float("nan"), "not measured")],
)  # fmt: skip
def test_numbers_are_short_and_plain(value, text):
    assert format_number(value) == text


def test_markdown_says_where_and_how_it_was_measured():
    text = markdown(report())
    for part in ("A toy benchmark", "All of it made up.", "a CPU, 2 cores", "abc1234", "### Bones"):
        assert part in text
    assert "| mean error | a scan | 0.187 mm | ≤ 0.200 mm | yes |" in text
    assert "≥ 0.950" in text
    assert "**no**" in text
    assert "peer \\| other" in text


def test_a_block_of_the_docs_is_replaced_and_the_rest_left_alone(tmp_path):
    path = tmp_path / "benchmarks.md"
    path.write_text(
        "# Ours\n\nbefore\n\n<!-- bench:other -->\nkept\n<!-- /bench:other -->\nafter\n"
    )
    update_docs(report(), path)
    first = path.read_text()
    update_docs(report(ROWS[:1]), path)
    second = path.read_text()
    for text in (first, second):
        assert text.startswith("# Ours\n\nbefore")
        assert "<!-- bench:other -->\nkept\n<!-- /bench:other -->\nafter" in text
        assert text.count("<!-- bench:toy -->") == 1
    assert "coverage" in first
    assert "coverage" not in second
    update_docs(report(ROWS[:1]), path)
    assert path.read_text() == second


def test_docs_that_do_not_exist_are_begun(tmp_path):
    update_docs(report(), tmp_path / "benchmarks.md")
    assert (tmp_path / "benchmarks.md").read_text().startswith("# Benchmarks\n")


def test_the_console_shows_every_row(capsys):
    show(report())
    printed = capsys.readouterr().out
    for word in ("mean error", "coverage", "NO", "0.187", "Bones", "abc1234"):
        assert word in printed


def test_this_machine_can_be_described():
    machine = describe_machine()
    assert machine.cores >= 1
    assert machine.memory_gib > 0.1
    assert {"python", "torch", "warp", "numpy"} <= set(machine.versions)
    assert machine.commit in machine.line()
