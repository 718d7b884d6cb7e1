"""Identity and expression of a JNR face: the variables that express, as offsets from a person's."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rigface.errors import InputError
from rigface.models.jnr import JnrModel
from rigface.rig.jnr_expression import (
    EXPRESSION_SHAPES,
    EXPRESSION_SIGMA,
    EXPRESSIVE_JOINTS,
    expresses,
)

SHAPES = "expression"


@dataclass(frozen=True)
class Expression:
    """What a face does, whoever's it is. Leading axes are several expressions."""

    variables: tuple[str, ...]
    """Joint, kind and axis of each offset, as in "Jaw_Root.rotation.x"."""
    offsets: Float[Tensor, "*batch variables"]
    """From the identity's values; radians and metres."""
    shapes: Float[Tensor, "*batch shapes"]
    """Weights of `EXPRESSION_SHAPES`."""

    def __getitem__(self, index: int) -> "Expression":
        """One of several."""
        return Expression(self.variables, self.offsets[index], self.shapes[index])

    def offset(self, variable: str) -> Float[Tensor, "*batch"]:
        """By name; raises ValueError for one that does not express."""
        return self.offsets[..., self.variables.index(variable)]

    def weights(self) -> dict[str, float]:
        """Shape weights of a single expression by ARKit name."""
        return dict(zip(EXPRESSION_SHAPES, self.shapes.tolist(), strict=True))


@dataclass(frozen=True)
class ExpressionSpace:
    """The place of expressions among the parameters of one model."""

    variables: tuple[str, ...]
    columns: Int[Tensor, " variables"]
    """Parameter of each variable."""
    shapes: Int[Tensor, " shapes"]
    """Parameter of each shape."""
    sigma: Float[Tensor, " own"]
    """Typical size of the variables' offsets, then of the shape weights."""
    lower: Float[Tensor, " params"]
    upper: Float[Tensor, " params"]

    @staticmethod
    def of(model: JnrModel) -> "ExpressionSpace":
        """Raises InputError unless both sides of the model are free and it has the 24 shapes."""
        table = model.table
        named = [(p, *p.name.partition(".")[::2]) for p in table.parameters]
        own = [(p, kind) for p, joint, kind in named if expresses(joint, kind)]
        joints = {p.name.partition(".")[0] for p, _ in own}
        if SHAPES not in table or len(model.shapes) != len(EXPRESSION_SHAPES):
            raise InputError(
                f"this JNR model has {len(model.shapes)} expression shapes, "
                f"{len(EXPRESSION_SHAPES)} are needed: load_jnr(..., expressions=True)."
            )
        if joints != set(EXPRESSIVE_JOINTS):
            raise InputError(
                "both sides of this JNR model move as mirror images, but a face may wink: "
                "load_jnr(..., asymmetric=True, expressions=True)."
            )
        columns, sizes, names = [], [], []
        for parameter, kind in own:
            run = table.slices[parameter.name]
            columns += range(run.start, run.stop)
            names += [f"{parameter.name}.{axis}" for axis in parameter.meaning]
            sizes += [EXPRESSION_SIGMA[kind]] * parameter.size
        shapes = table.slices[SHAPES]
        sizes += [table[SHAPES].sigma] * len(EXPRESSION_SHAPES)
        return ExpressionSpace(
            tuple(names),
            torch.tensor(columns),
            torch.arange(shapes.start, shapes.stop),
            torch.tensor(sizes, dtype=torch.float64),
            table.column("lower"),
            table.column("upper"),
        )

    def expressed(
        self, identity: Float[Tensor, " params"], expression: Expression
    ) -> Float[Tensor, "*batch params"]:
        """Parameters of a person with an expression, within the limits of every joint."""
        if expression.variables != self.variables:
            raise InputError(
                f"the expression has the variables {', '.join(expression.variables[:3])}, ... "
                f"({len(expression.variables)}), this model {len(self.variables)} others; both "
                "must come from the same JNR table."
            )
        batch = expression.offsets.shape[:-1]
        x = self.neutral(identity).expand(*batch, -1).clone()
        x[..., self.columns] += expression.offsets.to(x)
        x[..., self.shapes] = expression.shapes.to(x)
        return torch.maximum(torch.minimum(x, self.upper.to(x)), self.lower.to(x))

    def between(
        self, identity: Float[Tensor, " params"], x: Float[Tensor, "*batch params"]
    ) -> Expression:
        """The expression that takes a person to `x`; the inverse of `expressed` within limits."""
        offsets = (x - identity)[..., self.columns]
        return Expression(self.variables, offsets, x[..., self.shapes])

    def neutral(self, identity: Float[Tensor, " params"]) -> Float[Tensor, " params"]:
        """The person's parameters with all shape weights at zero."""
        x = identity.clone()
        x[self.shapes] = 0.0
        return x
