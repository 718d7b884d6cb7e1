"""Neural skinning (3.2, 4.3, 4.4): autoencoder, adversarial fine-tuning, and a third phase of ours.

The paper's two phases teach the decoder weights; what counts are vertices. So a third phase lets
the vertices of heads decide: decoder, joints and codes of all heads descend together on the
distance of vertices. Without `NeuralConfig.vertex_steps` the paper's two phases stand alone.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rigface.learn.head_fit import USUAL, HeadFit, fit_heads
from rigface.learn.linear_skinning import symmetric_variables
from rigface.learn.skinning_networks import (
    TrainableDecoder,
    TrainablePatches,
    critic,
    encoder,
    scaled_coefficients,
)
from rigface.learn.stepper import ALONE, Phase, Ranks, Stepper
from rigface.learn.support import Say
from rigface.learn.weight_sets import WeightSets
from rigface.models.jnr import JnrModel
from rigface.models.patch_decoder import PatchDecoder
from rigface.models.skinning_decoder import SkinningDecoder, decoder_layers
from rigface.models.weight_field import WeightField


@dataclass(frozen=True)
class NeuralConfig:
    """Rates, weights and batch of section 4.3; its 30k iterations are the full configuration."""

    codes: int = 50
    """Of the decoder by groups; one by patches comes with its own."""
    autoencoder_steps: int = 20_000
    gan_steps: int = 10_000
    vertex_steps: int = 0
    batch: int = 85
    autoencoder_rate: float = 1e-3
    gan_rate: float = 1e-4
    sparsity: float = 0.05
    adversarial: float = 0.1
    clip: float = 0.1
    """Weight clipping of the critic: Eq. 8 needs a Lipschitz rule and prints none. At WGAN's 0.01
    the signal dies in eight layers."""
    vertex_batch: int = 24
    vertex_sample: int = 500
    """Vertices that one step of the third phase looks at."""
    vertex_rate: float = 1e-3
    person_rate: float = 2e-3
    """Rate of joints (in sigmas) and codes in the third phase."""
    code_prior: float = 1e-3
    joint_prior: float = 1e-4
    seed: int = 0


@dataclass(frozen=True)
class PatchStart:
    """A patch decoder that already says what a code can, and the codes of the heads."""

    decoder: PatchDecoder
    field: WeightField
    code: Float[Tensor, "heads codes"]

    def trainable(self, device: str) -> TrainablePatches:
        """Its matrices as parameters."""
        return TrainablePatches(self.decoder.to(device), self.field.to(device))


class _Networks(nn.Module):
    """Everything that is trained, in one state."""

    def __init__(
        self, decoder: TrainableDecoder | TrainablePatches, rank: int, heads: int, variables: int
    ):
        super().__init__()
        self.decoder = decoder
        self.encoder = encoder(rank, decoder.codes)
        self.critic = critic(min(50, rank))
        self.joints = nn.Parameter(torch.zeros(heads, variables))
        """Variables over their sigmas."""
        self.code = nn.Parameter(torch.zeros(heads, decoder.codes))
        self.whitened, self.fitted = (nn.Buffer(torch.zeros(())) for _ in range(2))


def train_neural(
    model: JnrModel,
    heads: Float[Tensor, "heads verts 3"],
    x: Float[Tensor, "heads params"],
    sets: WeightSets,
    folder: Path,
    config: NeuralConfig = NeuralConfig(),
    ranks: Ranks = ALONE,
    say: Say = lambda text: None,
    stop_after: int | None = None,
    start: PatchStart | None = None,
) -> tuple[SkinningDecoder | PatchDecoder, float] | None:
    """The decoder of `model` (linear weights, half of symmetric heads), and CPU seconds.

    With a `start` a patch decoder continues from there; without one the paper's decoder begins at
    random numbers.
    None if stopped early. A checkpoint in `folder` is resumed; log.jsonl there gets the curves.
    The first sets belong to the heads in order. Raises InputError for a damaged checkpoint or one
    of another recipe.
    """
    torch.manual_seed(config.seed)
    free = len(model.free)
    decoder = _grouped(free, config) if start is None else start.trainable(ranks.device)
    networks = _Networks(decoder, sets.basis.shape[0], len(heads), model.variables)
    networks = networks.to(ranks.device)
    training = _Training(
        networks,
        model.to(ranks.device),
        heads.to(ranks.device),
        x.to(ranks.device),
        sets,
        config,
        ranks,
        None if start is None else start.code.to(ranks.device),
    )
    recipe = {**asdict(config), "heads": len(heads), "sets": len(sets.head), "free": free}
    stepper = Stepper(networks, folder, config.seed, ranks, recipe=recipe, stop_after=stop_after)
    if not stepper.run(training.phases(), say):
        return None
    return networks.decoder.frozen().to("cpu"), stepper.seconds


def _grouped(free: int, config: NeuralConfig) -> TrainableDecoder:
    generator = torch.Generator().manual_seed(config.seed)
    layers = decoder_layers(free, config.codes)
    return TrainableDecoder(SkinningDecoder.random(layers, free, generator))


class _Training:
    """The steps of the three phases."""

    def __init__(
        self,
        networks: _Networks,
        model: JnrModel,
        heads: Tensor,
        x: Tensor,
        sets: WeightSets,
        config: NeuralConfig,
        ranks: Ranks,
        known: Tensor | None,
    ):
        self.net, self.model, self.heads, self.x = networks, model, heads, x
        self.config, self.ranks = config, ranks
        self.basis = sets.basis.to(ranks.device)
        self.sets = sets.coefficients.to(ranks.device)
        self.seen = scaled_coefficients(self.sets)
        self.unit = self.sets.std(dim=0)[0].clamp_min(1e-9)
        self.typical = (self.sets.square().sum(-1).mean() / self.basis.shape[1]).sqrt()
        """Root mean square of a weight residual: what weights are measured in."""
        self.sigma = model.table.column("sigma").to(x)[: model.variables]
        self.open = symmetric_variables(model)[: model.variables].to(x)
        spread = self.sets.std(dim=0)
        self.told = self.seen if known is None else self.sets / spread.clamp_min(1e-3 * spread[0])
        """What the encoder sees: where it must invert a decoder, every coefficient at full size."""
        self.known = known
        """Codes of the heads that came with the decoder, of unit second moment: then the encoder
        alone learns to invert it first."""

    def phases(self) -> list[Phase]:
        """Autoencoder, adversarial fine-tuning, vertices."""
        return [self._weights_phase(False), self._weights_phase(True), self._vertices_phase()]

    def _weights_phase(self, noise: bool) -> Phase:
        """Eq. 8 and 9; with `noise` on random codes, the decoder alone."""
        c, net = self.config, self.net
        trained = [*net.encoder.parameters()] if not noise else []
        if noise or self.known is None:
            trained += [*net.decoder.parameters()]
        main = torch.optim.Adam(trained, lr=c.gan_rate if noise else c.autoencoder_rate)
        judge = torch.optim.RMSprop(net.critic.parameters(), lr=c.gan_rate)

        def step(generator: torch.Generator) -> dict[str, float]:
            if noise:
                self._whiten()
            net.decoder.requires_grad_(noise or self.known is None)
            index = torch.randint(len(self.sets), (c.batch,), generator=generator)
            index = self.ranks.mine(index).to(self.sets.device)
            code = net.encoder(self.told[index])
            random = torch.randn(code.shape, generator=generator).to(code) if noise else code
            gain = self._critic_step(index, random.detach(), judge)
            made = net.decoder(code)
            drawn = net.decoder(random) if noise else made
            wanted = self.sets[index] @ self.basis
            lack = (wanted - made).abs().mean() / self.typical
            sparse = drawn.abs().mean() / self.typical
            score = net.critic(self._judged(drawn)).mean()
            loss = lack + c.sparsity * sparse - c.adversarial * score
            self._descend(loss, main, trained)
            return {"lack": float(lack.detach()), "sparse": float(sparse.detach()), "critic": gain}

        name, steps = ("gan", c.gan_steps) if noise else ("autoencoder", c.autoencoder_steps)
        return Phase(name, steps, {"main": main, "critic": judge}, step, _settle)

    def _critic_step(self, index: Tensor, code: Tensor, judge: torch.optim.Optimizer) -> float:
        """Ascend Eq. 8, the critic's gain, and clip."""
        net, width = self.net, self.net.critic[0].in_features
        with torch.no_grad():
            made = self._judged(net.decoder(code))
        gain = (net.critic(self.seen[index][:, :width]) - net.critic(made)).mean()
        parameters = list(net.critic.parameters())
        self._descend(-gain, judge, parameters)
        with torch.no_grad():
            for parameter in parameters:
                parameter.clamp_(-self.config.clip, self.config.clip)
        return float(gain.detach())

    def _judged(self, residuals: Tensor) -> Tensor:
        """First principal coefficients, scaled: what the critic sees."""
        return residuals @ self.basis[: self.net.critic[0].in_features].T / self.unit

    def _whiten(self) -> None:
        """Once: codes of the encoder get unit covariance, the first layer takes it back."""
        net = self.net
        if self.known is not None or bool(net.whitened):
            return
        with torch.no_grad():
            code = net.encoder(self.told[: 20 * self.config.codes])
            code = code - code.mean(dim=0)
            spread = code.T @ code / len(code)
            spread += 1e-6 * spread.diagonal().mean() * torch.eye(len(spread)).to(spread)
            factor = torch.linalg.cholesky(spread)
            assert isinstance(net.decoder, TrainableDecoder)
            net.decoder.absorb(factor)
            last = net.encoder[-1]
            assert isinstance(last, nn.Linear)
            last.weight.copy_(torch.linalg.solve_triangular(factor, last.weight, upper=False))
            solved = torch.linalg.solve_triangular(factor, last.bias[:, None], upper=False)
            last.bias.copy_(solved[:, 0])
            net.whitened.fill_(1.0)

    def _vertices_phase(self) -> Phase:
        """Decoder, joints and codes on the mean distance of vertices."""
        c, net = self.config, self.net
        people = [net.joints, net.code]
        parameters = [*net.decoder.parameters(), *people]
        main = torch.optim.Adam(
            [
                {"params": list(net.decoder.parameters()), "lr": c.vertex_rate},
                {"params": people, "lr": c.person_rate},
            ]
        )

        def step(generator: torch.Generator) -> dict[str, float]:
            self._begin_persons()
            net.decoder.requires_grad_(True)
            index = torch.randint(len(self.heads), (c.vertex_batch,), generator=generator)
            index = self.ranks.mine(index).to(self.heads.device)
            verts = torch.randperm(len(self.model.rest), generator=generator)[: c.vertex_sample]
            verts = verts.to(self.heads.device)
            part = self.model.at(verts)
            residual = net.decoder.added(net.code[index], part, verts)
            numbers = net.joints[index] * self.sigma * self.open
            shown = part.posed(numbers, part.with_added(residual))
            gap = 1e3 * (shown - self.heads[index][:, verts])
            error = (gap.square().sum(-1) + 1e-4).sqrt().mean()
            loss = error + c.sparsity * residual.abs().mean()
            loss = loss + c.code_prior * net.code[index].square().mean()
            loss = loss + c.joint_prior * net.joints[index].square().mean()
            self._descend(loss, main, parameters)
            return {
                "error": float(error.detach()),
                "residual": float(residual.detach().abs().mean()),
            }

        return Phase("vertices", c.vertex_steps, {"main": main}, step, _settle)

    def _begin_persons(self) -> None:
        """Once: joints as they were fitted, codes from the encoder."""
        net = self.net
        if bool(net.fitted):
            return
        with torch.no_grad():
            net.joints.copy_(self.x[:, : self.model.variables] / self.sigma)
            own = net.encoder(self.told[: len(self.heads)]) if self.known is None else self.known
            net.code.copy_(own)
            net.fitted.fill_(1.0)

    def _descend(
        self, loss: Tensor, optimiser: torch.optim.Optimizer, parameters: Sequence[Tensor]
    ) -> None:
        for parameter in self.net.parameters():
            parameter.grad = None
        loss.backward()
        self.ranks.average(parameters)
        optimiser.step()


def _settle(share: float) -> float:
    """A cosine from one to a twentieth."""
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share))


def fit_with_code(
    linear: JnrModel,
    neural: JnrModel,
    targets: Float[Tensor, "heads verts 3"],
    free: Tensor | None = None,
    steps: tuple[int, int] = (10, 20),
    settings: HeadFit = USUAL,
) -> Float[Tensor, "heads params"]:
    """Joints at Z = 0 first, as the paper has it; then joints and Z at once."""
    start = linear.table.zeros(len(targets)).to(targets)
    of_joints = None if free is None else free[: linear.table.size]
    x = fit_heads(linear, targets, start, replace(settings, steps=steps[0]), of_joints)
    code = x.new_zeros(len(x), neural.table.size - linear.table.size)
    whole = torch.cat([x, code], dim=1)
    return fit_heads(neural, targets, whole, replace(settings, steps=steps[1]), free)
