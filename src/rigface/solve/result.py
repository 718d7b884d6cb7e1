"""How a solve ended: the value of each result is the message and the advice."""

from dataclasses import dataclass, field
from enum import Enum

from torch import Tensor


class Result(Enum):
    """Why the solver stopped."""

    CONVERGED = "converged: the last accepted step changed the energy by less than the tolerance"
    MAX_STEPS = "step limit reached before convergence; raise `max_steps` if the energy still falls"
    STALLED = "no step lowers the energy any more; this is the optimum that damping can reach"
    NON_FINITE = "the energy is not finite at the start; check the input for NaN and wrong units"
    SINGULAR = "the normal equations cannot be factorised; add a prior or fix more parameters"

    @property
    def ok(self) -> bool:
        """Whether the returned value is usable."""
        return self not in (Result.NON_FINITE, Result.SINGULAR)


@dataclass(frozen=True)
class Solution:
    """The best value found, why the solver stopped, and its trace."""

    value: Tensor
    result: Result
    energies: tuple[float, ...] = ()
    """Energy at the start and after every accepted step."""
    damping: float = 0.0
    rejected: int = 0
    seconds: tuple[float, ...] = field(default=())
    """Wall seconds of every trial step."""
