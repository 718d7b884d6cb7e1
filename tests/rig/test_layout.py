"""What hangs on what in an exported rig."""

import pytest

from rigface.rig.layout import RigLayout, asm_layout, jnr_layout

LAYOUTS = [asm_layout(), jnr_layout()]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_parents_come_first_and_every_attachment_has_one(layout: RigLayout) -> None:
    assert layout.parents.count(-1) == 1
    assert all(parent < joint for joint, parent in enumerate(layout.parents))
    known = {*layout.names, *layout.attachments.names}
    assert set(layout.attachments.parents) <= known
    assert len(known) == len(layout.names) + len(layout.attachments.names)
    assert layout.head in layout.names and set(layout.hung_on_jaw) <= set(layout.names)


@pytest.mark.parametrize(("layout", "count"), [(LAYOUTS[0], 84), (LAYOUTS[1], 52)])
def test_the_mandible_turns_with_the_jaw_and_the_upper_lip_does_not(
    layout: RigLayout, count: int
) -> None:
    assert len(layout.names) == count
    low, high = ("chin", "lip_upper_mid") if count == 84 else ("Chin", "Top_Lip")
    assert low in layout.jaw_joints and high not in layout.jaw_joints
    assert layout.head not in layout.jaw_joints
