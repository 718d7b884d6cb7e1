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
    pictures: int | None = None,
    draws: int | None = None,
    heads: tuple[str, ...] = (),
    cache: Path | None = None,
) -> bool:
    """Measure, print, write; True if every limit was kept.

    `pictures` is the number per head of the photo benchmark (default: all of them). `draws` and
    `heads` are those of the views benchmark (default: all), `cache` is where it keeps its fits. A
    quick run, and a views benchmark of some draws or heads, is printed only: docs/benchmarks.md of
    the checkout keeps the full table.

    Raises UsageError for an unknown name, InputError for missing data, OutputError for a file
    that cannot be written.
    """
    from dataclasses import replace

    from rich.console import Console

    from rigface.bench.table import show, update_docs, write_json
    from rigface.errors import UsageError

    console = Console(stderr=True, highlight=False, markup=False)
    partial = quick
    if name == "registration":
        from rigface.bench.registration import QUICK, Scope, registration_report

        scope = replace(QUICK if quick else Scope(), robustness=robustness)
        report = registration_report(data, scope, console.print)
    elif name == "photo":
        from rigface.bench.photo import QUICK as QUICK_PHOTO
        from rigface.bench.photo import Scope as PhotoScope
        from rigface.bench.photo import photo_report, some_shots

        whole = PhotoScope() if pictures is None else PhotoScope(shots=some_shots(pictures))
        report = photo_report(data, QUICK_PHOTO if quick else whole, console.print)
    elif name == "prior":
        from rigface.bench.prior import prior_report

        report = prior_report(data, quick, console.print)
    elif name == "skinning":
        from rigface.bench.skinning import skinning_report

        figure = DOCS / "figures" / "jnr_sizes.png" if DOCS.is_dir() else None
        report = skinning_report(data, quick, console.print, figure)
    elif name == "views":
        from rigface.bench.views import views_report
        from rigface.bench.views_cases import QUICK as QUICK_VIEWS
        from rigface.bench.views_cases import some

        views_scope = QUICK_VIEWS if quick else some(draws, heads)
        partial = not views_scope.whole
        report = views_report(data, views_scope, console.print, cache=cache)
    else:
        known = "registration, prior, photo, views, skinning"
        raise UsageError(f"unknown benchmark {name!r}; available: {known}.")
    show(report)
    if json_path is not None:
        write_json(report.rows, json_path)
    if DOCS.is_dir() and not partial:
        update_docs(report, DOCS / "benchmarks.md")
    return report.ok
