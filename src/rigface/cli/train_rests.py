"""`rigface train rests`: what faces have and ASM's bones cannot bend the template to."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rigface.cli.checks import check_learned_file, check_population
from rigface.cli.messages import EXIT_GOOD
from rigface.errors import InputError
from rigface.progress import open_progress


@dataclass(frozen=True)
class RestsCommand:
    """Learn rest shapes: offsets of the template behind the identity prior, for several photos.

    Writes a safetensors file and its model card beside it. Some 10 minutes. Needs the package
    anny==0.6.2."""

    ict: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of ICT-FaceKit."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path(
        "rest_shapes.safetensors"
    )
    """The file to write; the model card gets the same name with .md."""
    count: int = 160
    """Shapes, at most 400."""
    ict_heads: int = 400
    """ICT identities to draw."""
    anny_per_group: int = 25
    """Anny heads to draw for each of 4 ages x 4 ancestries."""
    anny_weight: float = 0.3
    """Share of Anny's heads in the second moment."""
    seed: int = 0
    """Seed of everything that is drawn."""
    quiet: bool = False
    """Print errors only."""

    json = False

    def run(self) -> int:
        self._check()
        from rigface.learn.population import PopulationConfig
        from rigface.learn.rest_shapes import RestRecipe, train_rest_shapes

        recipe = RestRecipe(
            PopulationConfig(self.ict_heads, self.anny_per_group, self.anny_weight, seed=self.seed),
            self.count,
        )
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            train_rest_shapes(self.ict, self.out, recipe, progress)
        if not self.quiet:
            print(f"{self.out}  rest shapes\n{self.out.with_suffix('.md')}  their model card")
        return EXIT_GOOD

    def _check(self) -> None:
        """What cannot work is said before torch is even imported."""
        check_learned_file(self.out)
        check_population(self.ict_heads, self.anny_per_group, self.anny_weight)
        most = min(400, self.ict_heads + 16 * self.anny_per_group)
        if not 1 <= self.count <= most:
            raise InputError(f"--count {self.count}; expected 1 to {most} shapes of so many heads.")
