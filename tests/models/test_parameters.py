"""The parameter table: packing, masks, columns, and what it refuses."""

import pytest
import torch

from rigface.models.parameters import Parameter, ParameterTable

TABLE = ParameterTable(
    [
        Parameter("turn", (2, 3), "rad", 0.5, lower=-1.0),
        Parameter("size", (1,), "1", 2.0, upper=3.0, max_step=0.1),
    ]
)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_unpack_undoes_pack(batch):
    turn, size = torch.randn(*batch, 2, 3), torch.randn(*batch, 1)
    x = TABLE.pack({"size": size, "turn": turn})
    assert x.shape == (*batch, 7)
    back = TABLE.unpack(x)
    assert torch.equal(back["turn"], turn) and torch.equal(back["size"], size)


def test_order_is_the_table_s_not_the_mapping_s():
    x = TABLE.pack({"size": torch.tensor([9.0]), "turn": torch.zeros(2, 3)})
    assert x.tolist() == [0.0] * 6 + [9.0]


def test_wrong_names_and_sizes_are_named():
    with pytest.raises(KeyError, match="expected .*size.*turn"):
        TABLE.pack({"turn": torch.zeros(2, 3)})
    with pytest.raises(ValueError, match="got 6 parameter values, expected 7"):
        TABLE.unpack(torch.zeros(6))
    with pytest.raises(KeyError, match="no parameter 'nose'; available: turn, size"):
        TABLE.mask(["nose"])


def test_masks_and_columns():
    assert TABLE.mask(["size"]).tolist() == [False] * 6 + [True]
    assert TABLE.column("sigma").tolist() == [0.5] * 6 + [2.0]
    assert TABLE.column("lower").tolist() == [-1.0] * 6 + [-float("inf")]
    assert TABLE.column("upper").tolist() == [float("inf")] * 6 + [3.0]
    assert TABLE.column("max_step")[-1] == 0.1


def test_lookup_and_zeros():
    assert TABLE["turn"].size == 6 and "turn" in TABLE and "nose" not in TABLE
    assert torch.equal(TABLE.zeros(2, 3), torch.zeros(2, 3, 7, dtype=torch.float64))
    assert TABLE.zeros(dtype=torch.float32).dtype == torch.float32


def test_join_appends():
    other = ParameterTable([Parameter("pose", (3,), "m", 1.0)])
    joined = ParameterTable.join(other, TABLE)
    assert joined.slices == {"pose": slice(0, 3), "turn": slice(3, 9), "size": slice(9, 10)}
