"""`rigface train NAME`: learn what the package ships, again or from other data."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rigface.cli.checks import check_learned_file, check_population
from rigface.cli.messages import EXIT_GOOD
from rigface.cli.train_detector import DetectorCommand
from rigface.cli.train_rests import RestsCommand
from rigface.cli.train_skinning import SkinningCommand
from rigface.errors import InputError
from rigface.progress import open_progress


@dataclass(frozen=True)
class PriorCommand:
    """Learn the identity prior: a Gaussian over ASM's bones from ICT-FaceKit and Anny heads.

    Writes a safetensors file and its model card beside it. Needs the package anny==0.6.2."""

    ict: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of ICT-FaceKit."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("prior.safetensors")
    """The file to write; the model card gets the same name with .md."""
    rank: int = 60
    """Modes, at most 65."""
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
        from rigface.learn.prior import TrainConfig
        from rigface.learn.train import PriorRecipe, train_identity_prior

        recipe = PriorRecipe(
            PopulationConfig(self.ict_heads, self.anny_per_group, self.anny_weight, seed=self.seed),
            TrainConfig(self.rank),
        )
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            train_identity_prior(self.ict, self.out, recipe, progress)
        if not self.quiet:
            print(f"{self.out}  identity prior\n{self.out.with_suffix('.md')}  its model card")
        return EXIT_GOOD

    def _check(self) -> None:
        """What cannot work is said before torch is even imported."""
        check_learned_file(self.out)
        if not 1 <= self.rank <= 65:
            raise InputError(f"--rank {self.rank}; 1 to 65 modes stay under 50,000 numbers.")
        check_population(self.ict_heads, self.anny_per_group, self.anny_weight)


@dataclass(frozen=True)
class TrainCommand:
    """Learn what the package ships, again or from your own data."""

    what: (
        Annotated[PriorCommand, tyro.conf.subcommand("prior")]
        | Annotated[RestsCommand, tyro.conf.subcommand("rests")]
        | Annotated[DetectorCommand, tyro.conf.subcommand("detector")]
        | Annotated[SkinningCommand, tyro.conf.subcommand("skinning")]
    )
    """What to learn."""

    json = False

    def run(self) -> int:
        return self.what.run()
