"""Benchmarks: what the tables of docs/benchmarks.md are measured by."""

from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
"""Of a checkout; an installed package has none."""

__all__ = ["run_benchmark"]


def run_benchmark(
    name: str,
    quick: bool = False,
    json_path: Path | None = None,
    data: Path | None = None,
    robustness: bool = False,
) -> bool:
    """Measure, print, write; True if every limit was kept.

    A quick run is printed only: docs/benchmarks.md of the checkout keeps the full table.

    Raises UsageError for an unknown name, InputError for missing data, OutputError for a file
    that cannot be written.
    """
    from dataclasses import replace

    from rich.console import Console

    from rigface.bench.registration import QUICK, Scope, registration_report
    from rigface.bench.table import show, update_docs, write_json
    from rigface.errors import UsageError

    if name != "registration":
        raise UsageError(f"unknown benchmark {name!r}; available: registration.")
    console = Console(stderr=True, highlight=False, markup=False)
    scope = replace(QUICK if quick else Scope(), robustness=robustness)
    report = registration_report(data, scope, console.print)
    show(report)
    if json_path is not None:
        write_json(report.rows, json_path)
    if DOCS.is_dir() and not quick:
        update_docs(report, DOCS / "benchmarks.md")
    return report.ok
