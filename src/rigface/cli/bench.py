"""`rigface bench NAME`: the tables of docs/benchmarks.md, measured again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rigface.cli.messages import EXIT_GOOD, EXIT_QUALITY_GATE


@dataclass(frozen=True)
class BenchCommand:
    """Measure a benchmark, print its table and renew docs/benchmarks.md."""

    name: tyro.conf.Positional[Literal["registration", "prior", "photo", "views", "skinning"]]
    """Which benchmark."""
    quick: bool = False
    """A version of it that takes less than a minute, `views` less than two."""
    rows: Annotated[Path | None, tyro.conf.arg(name="json", metavar="FILE")] = None
    """File for the rows: what, on, value, unit, limit, better, ok."""
    robustness: bool = False
    """Also the spoiled scans: turned, cut, noisy, decimated, with outliers."""
    pictures: int | None = None
    """Pictures of each head in the photo benchmark, at most 30; default: all."""
    draws: int | None = None
    """Draws of cameras of each head in the views benchmark, at most 10; default: all."""
    heads: tuple[str, ...] = ()
    """Heads of the views benchmark; default: all."""
    cache: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Where the views benchmark keeps its fits, to be taken up again; default: temporary folder."""
    data: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the public scans; default: RIGFACE_DATA, else ../shared/data."""

    json = False

    def run(self) -> int:
        from rigface.bench import run_benchmark

        good = run_benchmark(
            self.name,
            quick=self.quick,
            json_path=self.rows,
            data=self.data,
            robustness=self.robustness,
            pictures=self.pictures,
            draws=self.draws,
            heads=self.heads,
            cache=self.cache,
        )
        return EXIT_GOOD if good else EXIT_QUALITY_GATE
