"""`rigface train detector`: how far beside the skin's landmarks the face detector sees them."""

import sys
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from rigface.cli.checks import check_learned_file
from rigface.cli.messages import EXIT_GOOD
from rigface.errors import InputError
from rigface.progress import open_progress


@dataclass(frozen=True)
class DetectorCommand:
    """Learn the face detector's error on renders of ICT-FaceKit and Anny heads.

    Writes a safetensors file and its model card beside it. Some 20 minutes. Needs the packages
    anny==0.6.2 and mediapipe==0.10.21."""

    ict: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of ICT-FaceKit."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path(
        "detector_error.safetensors"
    )
    """The file to write; the model card gets the same name with .md."""
    rank: int = 30
    """Modes of the error, 1 to 100."""
    ict_heads: int = 160
    """ICT identities to draw."""
    anny_per_group: int = 8
    """Anny heads to draw for each of 4 ages x 4 ancestries."""
    views: int = 4
    """Pictures of each head."""
    seed: int = 5
    """Seed of everything that is drawn."""
    quiet: bool = False
    """Print errors only."""

    json = False

    def run(self) -> int:
        self._check()
        from rigface.learn.detector_error import EmConfig
        from rigface.learn.detector_views import ViewsConfig
        from rigface.learn.population import PopulationConfig
        from rigface.learn.train_detector import DetectorRecipe, train_detector_error

        recipe = DetectorRecipe(
            PopulationConfig(self.ict_heads, self.anny_per_group, seed=self.seed),
            ViewsConfig(self.views, seed=self.seed),
            EmConfig(self.rank),
        )
        with closing(open_progress(sys.stderr, self.quiet)) as progress:
            train_detector_error(self.ict, self.out, recipe, progress)
        if not self.quiet:
            print(f"{self.out}  detector's error\n{self.out.with_suffix('.md')}  its model card")
        return EXIT_GOOD

    def _check(self) -> None:
        """What cannot work is said before torch is even imported."""
        check_learned_file(self.out)
        if not 1 <= self.rank <= 100:
            raise InputError(f"--rank {self.rank}; expected 1 to 100 modes.")
        if self.ict_heads < 10 or self.anny_per_group < 3:
            # a fifth of each group is held out
            raise InputError("a population needs at least 10 ICT heads and 3 per group of Anny's.")
        if self.views < 1:
            raise InputError(f"--views {self.views}; expected at least one picture of each head.")
