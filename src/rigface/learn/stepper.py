"""The training loop of small networks: seeded steps, resume, logs, several processes."""

import json
import os
import pickle
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rigface.errors import InputError
from rigface.io.atomic import atomic_file

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"


@dataclass(frozen=True)
class Ranks:
    """The processes of `torchrun`, or this one alone."""

    rank: int = 0
    world: int = 1
    device: str = "cpu"

    @staticmethod
    def join() -> "Ranks":
        """Of the environment that torchrun sets; CUDA where there is one."""
        cuda = torch.cuda.is_available()
        if "WORLD_SIZE" not in os.environ:
            return Ranks(device="cuda" if cuda else "cpu")
        if not torch.distributed.is_initialized():
            torch.distributed.init_process_group("nccl" if cuda else "gloo")
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu"
        rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        return Ranks(rank, world, device)

    def mine(self, batch: Tensor) -> Tensor:
        """This process's part of a batch."""
        return batch[self.rank :: self.world]

    def average(self, parameters: Sequence[Tensor]) -> None:
        """Mean of the gradients over the processes, as DistributedDataParallel takes it."""
        if self.world == 1:
            return
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            torch.distributed.all_reduce(parameter.grad)
            parameter.grad /= self.world


ALONE = Ranks()


@dataclass(frozen=True)
class Phase:
    """One stage of training: what a step does and how many there are."""

    name: str
    steps: int
    optimisers: dict[str, torch.optim.Optimizer]
    step: Callable[[torch.Generator], dict[str, float]]
    """One step with seeded random numbers; returns figures for the log."""
    rate: Callable[[float], float] = lambda share: 1.0
    """Factor on the learning rates at a share of the phase."""


@dataclass
class Stepper:
    """Runs phases on the parameters of one module and remembers where it is."""

    module: nn.Module
    folder: Path
    seed: int = 0
    ranks: Ranks = Ranks()
    save_every: int = 500
    log_every: int = 50
    recipe: dict[str, Any] = field(default_factory=dict)
    """What a checkpoint must have been made with to be resumed."""
    stop_after: int | None = None
    """Steps of this process; for tests of resuming."""
    seconds: float = 0.0
    """CPU seconds spent by this and the runs that it continues."""

    def run(self, phases: Sequence[Phase], say: Callable[[str], None] = lambda t: None) -> bool:
        """All phases from the checkpoint's place, or from the start; False if stopped early.

        Raises InputError for a checkpoint that cannot be read or belongs to another recipe.
        """
        done, saved = self._resume()
        began, taken = time.process_time() - self.seconds, 0
        for number, phase in enumerate(phases):
            begin = 0
            if number < done[0]:
                continue
            if number == done[0]:
                begin = done[1]
                for name, optimiser in phase.optimisers.items():
                    if name in saved:
                        optimiser.load_state_dict(saved[name])
            rates = {k: [g["lr"] for g in o.param_groups] for k, o in phase.optimisers.items()}
            if begin and saved:
                rates = saved["rates"]
            for step in range(begin, phase.steps):
                if self.stop_after is not None and taken >= self.stop_after:
                    self._save(number, step, phase, rates)
                    return False
                self._set_rates(phase, rates, step)
                figures = phase.step(self._generator(number, step))
                self.seconds = time.process_time() - began
                taken += 1
                if step % self.log_every == 0 or step == phase.steps - 1:
                    self._log(phase.name, step, figures, say)
                if (step + 1) % self.save_every == 0:
                    self._save(number, step + 1, phase, rates)
            self._save(number + 1, 0, None, {})
        return True

    def _generator(self, phase: int, step: int) -> torch.Generator:
        """Seeded by the step itself, so that a resumed run draws what an unbroken one does."""
        mixed = (self.seed * 1_000_003 + phase) * 1_000_003 + step
        return torch.Generator().manual_seed(mixed % (2**63 - 1))

    def _set_rates(self, phase: Phase, rates: dict[str, list[float]], step: int) -> None:
        factor = phase.rate(step / phase.steps)
        for name, optimiser in phase.optimisers.items():
            for group, rate in zip(optimiser.param_groups, rates[name], strict=True):
                group["lr"] = rate * factor

    def _log(self, phase: str, step: int, figures: dict[str, float], say) -> None:
        if self.ranks.rank:
            return
        say(f"{phase} {step}: " + ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"phase": phase, "step": step, **figures}) + "\n")

    def _save(self, number: int, step: int, phase: Phase | None, rates) -> None:
        if self.ranks.rank:
            return
        states = {} if phase is None else {k: o.state_dict() for k, o in phase.optimisers.items()}
        content = {
            "recipe": self.recipe,
            "place": [number, step],
            "module": self.module.state_dict(),
            "optimisers": {**states, "rates": rates},
            "seconds": self.seconds,
        }
        with atomic_file(self.folder / CHECKPOINT) as partial:
            torch.save(content, partial)

    def _resume(self) -> tuple[tuple[int, int], dict[str, Any]]:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return (0, 0), {}
        content = read_checkpoint(path, self.ranks.device)
        if content["recipe"] != self.recipe:
            raise InputError(
                f"{path} was made by another recipe or from other heads; give another run folder, "
                "or remove this one to start again."
            )
        self.module.load_state_dict(content["module"])
        self.seconds = float(content["seconds"])
        return tuple(content["place"]), content["optimisers"]


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any]:
    """What a stepper saved; raises InputError if the file is truncated or something else."""
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{path} cannot be read as a training checkpoint ({type(error).__name__}); it may be "
            "truncated. Remove it to start again."
        ) from error
    if not isinstance(content, dict) or not {"place", "module", "optimisers"} <= set(content):
        raise InputError(f"{path} is no training checkpoint of rigface; give another run folder.")
    return content
