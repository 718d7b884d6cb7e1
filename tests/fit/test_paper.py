"""The paper's own schedule goes downhill, on its own model only."""

import pytest
import torch
from synthetic_fits import truth

from rigface.errors import UsageError
from rigface.fit.matching import Matcher, SkinTopology
from rigface.fit.models import build_models
from rigface.fit.paper import register_paper
from rigface.fit.target import prepare_target
from rigface.rig.template_io import load_template
from rigface.solve.adam import Adam


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    template = load_template()
    target = prepare_target(truth().scan, truth().scan_from_model.inverse(), template, 800)
    return Matcher(SkinTopology.of_template(template), target)


def test_a_few_steps_lower_the_energy(matcher):
    face = build_models(load_template(), "asm", 2, False).face
    told = []
    energies, last = [], None
    for steps in (1, 5):
        last = register_paper(face, matcher, lambda *seen: told.append(seen), Adam(1e-3, steps))
        (report,) = last.reports
        assert (report.name, report.steps) == ("paper", steps)
        energies.append(report.energy)
    assert energies[1] < 0.97 * energies[0]
    assert told[-1] == (1.0, "adam")
    assert last is not None
    moved = {name: bool(v.any()) for name, v in last.model.table.unpack(last.x).items()}
    assert all(moved.values()), moved  # every block takes part
    assert torch.isfinite(last.x).all()


def test_another_model_is_refused(matcher):
    face = build_models(load_template(), "linear", 2, False).face
    with pytest.raises(UsageError, match="--model asm"):
        register_paper(face, matcher, lambda *seen: None)
