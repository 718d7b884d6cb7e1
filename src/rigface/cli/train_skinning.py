"""`rigface train skinning`: JNR's weights, from ICT-FaceKit or from your own registered heads."""

import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rigface.cli.checks import check_learned_file
from rigface.cli.messages import EXIT_GOOD
from rigface.errors import InputError, UsageError
from rigface.progress import open_progress


@dataclass(frozen=True)
class SkinningCommand:
    """Learn JNR's skinning weights: linear ones for everybody, and a decoder for a person's own.

    Writes a safetensors file and its model card beside it. A run that was stopped continues from
    its --run folder. On several processes: torchrun --nproc-per-node N -m rigface train skinning.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"], metavar="FILE")] = Path("jnr.safetensors")
    """The file to write; the model card gets the same name with .md."""
    ict: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of ICT-FaceKit: 94 identities are drawn from it."""
    heads: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Your own heads instead, at least ten: the fit.ply files of `rigface scan`."""
    stage: Literal["linear", "neural"] = "neural"
    """Linear weights only (minutes), or the decoder too."""
    folder: Annotated[Path | None, tyro.conf.arg(name="run", metavar="DIR")] = None
    """Log, curves and checkpoints; default: the name of --out with .run."""
    recipe: Literal["default", "paper"] = "default"
    """What the shipped file was made with, or the paper's decoder and phases."""
    sets: int | None = None
    """Synthetic weight sets; these numbers are the recipe's where none is given."""
    autoencoder_steps: int | None = None
    """Steps of the first phase."""
    gan_steps: int | None = None
    """Steps of the adversarial phase."""
    vertex_steps: int | None = None
    """Steps on vertices, which the paper has not."""
    batch: int | None = None
    """Weight sets of one step."""
    seed: int = 0
    """Seed of everything that is drawn."""
    quiet: bool = False
    """Print errors only."""

    json = False

    def run(self) -> int:
        self._check()
        from rigface.datasets.ict import load_ict
        from rigface.learn.skinning_heads import ict_skinning_heads, own_heads
        from rigface.learn.stepper import Ranks
        from rigface.learn.train_skinning import PAPER, SkinningRecipe, train_skinning
        from rigface.rig.template_io import load_template

        template, ranks = load_template(), Ranks.join()
        quiet = self.quiet or ranks.rank > 0
        folder = self.out.with_suffix(".run") if self.folder is None else self.folder
        recipe = PAPER if self.recipe == "paper" else SkinningRecipe()
        neural = replace(recipe.neural, **self._told("autoencoder_steps", "gan_steps"))
        neural = replace(neural, **self._told("vertex_steps", "batch", "seed"))
        sets = replace(recipe.sets, **self._told("sets"))
        recipe = replace(recipe, sets=sets, neural=neural, seed=self.seed)
        with closing(open_progress(sys.stderr, quiet)) as progress:
            with progress.stage("heads"):
                if self.heads is not None:
                    heads = own_heads(self.heads, template)
                else:
                    assert self.ict is not None
                    heads = ict_skinning_heads(load_ict(self.ict), template, self.seed)
            for line in heads.skipped:
                print(f"skipped: {line}", file=sys.stderr)

            def say(text: str) -> None:
                progress.update(0.0, text)

            train_skinning(
                heads, template, self.out, folder, recipe, self.stage, progress, say, ranks
            )
        if not quiet:
            print(f"{self.out}  skinning weights\n{self.out.with_suffix('.md')}  their model card")
        return EXIT_GOOD

    def _told(self, *names: str) -> dict[str, int]:
        """Those that were given."""
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def _check(self) -> None:
        """What cannot work is said before torch is even imported."""
        if (self.ict is None) == (self.heads is None):
            raise UsageError("give either --ict (ICT-FaceKit) or --heads (your own), and not both.")
        if self.heads is not None and not self.heads.is_dir():
            raise InputError(f"--heads {self.heads} is no folder.")
        check_learned_file(self.out)
        steps = self._told("autoencoder_steps", "gan_steps", "vertex_steps").values()
        least = {"sets": 1000, "batch": 1}
        if min(steps, default=0) < 0 or any(
            value < least[name] for name, value in self._told(*least).items()
        ):
            raise InputError(
                "expected at least 1,000 --sets, a --batch of 1 or more and no negative steps."
            )
