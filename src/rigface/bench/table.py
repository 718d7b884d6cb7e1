"""Rows of a benchmark: on the console, as JSON, and as a block of docs/benchmarks.md."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rigface.bench.machine import Machine
from rigface.export.files import write_atomic


@dataclass(frozen=True)
class Row:
    """One measured figure, and the limit it was asked to keep (None: only reported)."""

    what: str
    on: str
    value: float | int
    unit: str
    limit: float | int | None = None
    better: Literal["lower", "higher"] = "lower"

    @property
    def ok(self) -> bool:
        """Within the limit; a value that is not finite never is."""
        if not math.isfinite(self.value):
            return False
        if self.limit is None:
            return True
        return self.value <= self.limit if self.better == "lower" else self.value >= self.limit

    def record(self) -> dict[str, Any]:
        """The row of the JSON file; a value that is not finite becomes null."""
        value = self.value if math.isfinite(self.value) else None
        return {
            "what": self.what,
            "on": self.on,
            "value": value,
            "unit": self.unit,
            "limit": self.limit,
            "better": self.better,
            "ok": self.ok,
        }


@dataclass(frozen=True)
class Grid:
    """A further table that is no list of limits: an ablation, a sweep over K."""

    title: str
    header: tuple[str, ...]
    rows: list[tuple[str, ...]]


@dataclass(frozen=True)
class Report:
    """Everything that one benchmark says."""

    name: str
    """Names the block in the docs: lower case letters, digits, hyphens."""
    title: str
    rows: list[Row]
    machine: Machine
    notes: list[str] = field(default_factory=list)
    """Data, metric, variable counts, alignment: one sentence each."""
    grids: list[Grid] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(row.ok for row in self.rows)


def show(report: Report) -> None:
    """Print the report on the console, in colour where the terminal has it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title=report.title)
    for header, justify in (("what", "left"), ("on", "left"), ("value", "right")):
        table.add_column(header, justify=justify)  # type: ignore[arg-type]
    table.add_column("limit", justify="right")
    table.add_column("ok")
    for row in report.rows:
        mark = "" if row.limit is None and row.ok else "[green]yes[/]" if row.ok else "[red]NO[/]"
        table.add_row(row.what, row.on, _value_text(row), _limit_text(row), mark)
    console.print(table)
    for grid in report.grids:
        extra = Table(*grid.header, title=grid.title)
        for cells in grid.rows:
            extra.add_row(*cells)
        console.print(extra)
    for note in [*report.notes, report.machine.line()]:
        console.print(note, style="dim", markup=False, highlight=False)


def write_json(rows: Sequence[Row], path: Path) -> None:
    """The list of rows; raises `OutputError` if the file cannot be written."""
    records = [row.record() for row in rows]
    write_atomic(path, json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def update_docs(report: Report, path: Path) -> None:
    """Replace the block `<!-- bench:NAME -->` ... `<!-- /bench:NAME -->` of a Markdown file.

    A file or block that does not exist is added at the end. Raises `OutputError` if the file
    cannot be written.
    """
    start, end = f"<!-- bench:{report.name} -->", f"<!-- /bench:{report.name} -->"
    block = f"{start}\n{markdown(report)}\n{end}"
    text = path.read_text(encoding="utf-8") if path.exists() else "# Benchmarks\n"
    pattern = re.compile(re.escape(start) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda _: block, text, count=1)
    else:
        text = text.rstrip("\n") + "\n\n" + block + "\n"
    write_atomic(path, text)


def markdown(report: Report) -> str:
    """The report as Markdown."""
    lines = [f"## {report.title}", ""]
    lines += [f"- {note}" for note in report.notes]
    lines += [f"- Machine: {report.machine.line()}", ""]
    cells = [
        (row.what, row.on, _value_text(row), _limit_text(row), _ok_text(row)) for row in report.rows
    ]
    lines += _markdown_table(("what", "on", "value", "limit", "ok"), cells)
    for grid in report.grids:
        lines += ["", f"### {grid.title}", "", *_markdown_table(grid.header, grid.rows)]
    return "\n".join(lines)


def format_number(value: float | int) -> str:
    """Three significant digits, no exponent, integers as they are."""
    if not math.isfinite(value):
        return "not measured" if math.isnan(value) else "infinite"
    if value == int(value):
        return str(int(value))
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}"


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    escaped = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    return lines + ["| " + " | ".join(row) + " |" for row in escaped]


def _value_text(row: Row) -> str:
    number = format_number(row.value)
    return f"{number} {row.unit}".rstrip() if math.isfinite(row.value) else number


def _limit_text(row: Row) -> str:
    if row.limit is None:
        return ""
    return ("≤ " if row.better == "lower" else "≥ ") + f"{format_number(row.limit)} {row.unit}"


def _ok_text(row: Row) -> str:
    if row.limit is None and row.ok:
        return ""
    return "yes" if row.ok else "**no**"
