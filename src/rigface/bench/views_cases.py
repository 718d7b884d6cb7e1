"""What the views bench fits: every case has a key, and an outcome that is kept as JSON."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import rigface
from rigface.bench.views_fits import (
    ABLATIONS,
    CALIBRATED,
    DEFAULT,
    LINEAR,
    OTHER_EXPRESSION,
    PAPER,
    Recipe,
)
from rigface.bench.views_heads import HEADS
from rigface.bench.views_pictures import DRAWS, LIGHTINGS, MOST_VIEWS, Light
from rigface.errors import UsageError
from rigface.export.files import write_atomic

VIEWS = (1, 2, 3, 4, 5, 8, 16)
FEW = 5
"""Photos of the ablation, of the spoiled sets, and of the comparisons."""
FORMAT = 1
"""Of the outcomes; raise it when the pictures, the metric or what is stored changes."""
_CODE = (
    "cameras",
    "evidence",
    "fit",
    "geometry",
    "models",
    "perception",
    "render",
    "rig",
    "solve",
    "terms",
)
NAN = float("nan")

Spoiled = Literal["", "stranger", "nobody"]


@dataclass(frozen=True)
class Case:
    """One fit."""

    head: str
    draw: int
    views: int
    light: Light = "fixed"
    recipe: Recipe = DEFAULT
    spoiled: Spoiled = ""
    """The last photo shows somebody else, or nobody."""

    @property
    def key(self) -> str:
        """Names the file."""
        words = [self.head, f"draw{self.draw}", f"{self.views}views", self.light, self.recipe.name]
        return "-".join([*words, self.spoiled] if self.spoiled else words).replace(" ", "_")

    @property
    def line(self) -> str:
        """For people."""
        spoiled = f", the last one shows {self.spoiled}" if self.spoiled else ""
        return (
            f"{self.head}, draw {self.draw}, {self.views} views, {self.light} light, "
            f"{self.recipe.name}{spoiled}"
        )


@dataclass(frozen=True)
class Outcome:
    """What came of one case."""

    rmse: float = NAN
    """Millimetres; NaN without a face."""
    scale: float = NAN
    """Size of the scan over that of the result, by the alignment; 1 with known cameras."""
    cpu: float = NAN
    """Processor seconds of the call."""
    run: str = ""
    """The process it was measured in: only times of one run are compared."""
    ok: bool = False
    """The fit passed its own quality gate."""
    reason: str | None = None
    """Why there is no face, or why it did not pass."""
    warnings: tuple[str, ...] = ()
    face: str = ""
    """Digest of the fitted vertices: equal for faces that are equal to the bit."""

    @property
    def fitted(self) -> bool:
        """There is a face, good or not."""
        return self.rmse == self.rmse

    def names(self, file: Path) -> bool:
        """Whether a warning or the reason of a failure names this photo."""
        return any(file.name in text for text in (*self.warnings, self.reason or ""))


@dataclass(frozen=True)
class Scope:
    """How much of the benchmark is run."""

    heads: tuple[str, ...] = HEADS
    draws: int = DRAWS
    views: tuple[int, ...] = VIEWS
    lights: tuple[Light, ...] = LIGHTINGS
    others: bool = True
    """Also the other recipes, the ablation and the spoiled sets."""
    command: bool = True
    """Also the whole `rigface photo`."""

    @property
    def whole(self) -> bool:
        """Nothing is left out but draws, whose number the report names."""
        return replace(self, draws=DRAWS) == Scope()


QUICK = Scope(("lee_perry_smith", "SIMPOP_01"), 1, (1, 2, FEW), ("fixed",), False, False)


def some(draws: int | None, heads: tuple[str, ...]) -> Scope:
    """The benchmark on fewer draws or heads; raises UsageError for those that there are not."""
    count = DRAWS if draws is None else draws
    if not 1 <= count <= DRAWS:
        raise UsageError(f"--draws {draws}: there are 1 to {DRAWS} draws of each head")
    unknown = sorted(set(heads) - set(HEADS))
    if unknown:
        raise UsageError(f"--heads {' '.join(unknown)}: available are {', '.join(HEADS)}")
    return Scope(heads or HEADS, count)


def cases(scope: Scope) -> Iterator[Case]:
    """Draw by draw over all heads, so that a run that is stopped has seen every head."""
    for draw in range(scope.draws):
        for head in scope.heads:
            for light in scope.lights:
                yield from (Case(head, draw, views, light) for views in scope.views)
            if scope.others:
                yield from _others(head, draw)


def _others(head: str, draw: int) -> Iterator[Case]:
    yield Case(head, draw, FEW, recipe=PAPER)
    for recipe in (LINEAR, CALIBRATED):
        yield from (Case(head, draw, views, recipe=recipe) for views in (FEW, MOST_VIEWS))
    for recipe in (OTHER_EXPRESSION, *ABLATIONS):
        yield Case(head, draw, FEW, recipe=recipe)
    yield Case(head, draw, FEW, spoiled="stranger")
    yield Case(head, draw, FEW, spoiled="nobody")


@dataclass(frozen=True)
class Kept:
    """Outcomes on disk, so that a long run can be taken up again."""

    folder: Path

    @staticmethod
    def under(cache: Path) -> "Kept":
        """Of this version of the code: a changed recipe is measured again."""
        return Kept(cache / f"fits-{FORMAT}-{code_digest()}")

    def get(self, case: Case) -> Outcome | None:
        """None where the case has not been run, or its file cannot be read."""
        try:
            told = json.loads(self._file(case).read_text(encoding="utf-8"))
            told["warnings"] = tuple(told["warnings"])
            return Outcome(**told)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def put(self, case: Case, outcome: Outcome) -> None:
        """Raises OutputError if the file cannot be written."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # NaN is written as such: the file is read by `get` alone.
        write_atomic(self._file(case), json.dumps(asdict(outcome), indent=1) + "\n")

    def _file(self, case: Case) -> Path:
        return self.folder / f"{case.key}.json"


def code_digest() -> str:
    """Of the modules that a fit runs through, and of the data they read."""
    package = Path(rigface.__file__).parent
    files = [file for name in _CODE for file in sorted((package / name).rglob("*.py"))]
    files += sorted(file for file in (package / "assets").iterdir() if file.is_file())
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(package)).encode() + file.read_bytes())
    return digest.hexdigest()[:12]
