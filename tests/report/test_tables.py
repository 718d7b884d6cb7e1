"""Numbers and names as people read them."""

import pytest

from rigface.report.tables import Figure, figures, flatten, number, region_table, stages


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("mean_mm", 0.1964, ("0.20", "mm")),
        ("mean_mm", 0.0042, ("0.004", "mm")),
        ("p95_mm", 0.0, ("0.00", "mm")),
        ("coverage", 0.9734, ("97.3", "%")),
        ("flipped", 0.00042, ("0.04", "%")),
        ("self_intersections", 12345, ("12,345", "")),
        ("points", 5253.0, ("5,253", "")),
        ("lip_teeth", None, ("–", "")),
        ("mean_mm", float("nan"), ("–", "")),
        ("recipe", "default", ("default", "")),
        ("fitted", True, ("True", "")),
    ],
)
def test_number(name: str, value: object, expected: tuple[str, str]) -> None:
    assert number(name, value) == expected


def test_figures_keep_the_order_and_name_the_unknown() -> None:
    assert figures({"p95_mm": 0.5, "nose_depth_mm": 1.25}) == [
        Figure("95 % within", "0.50", "mm"),
        Figure("Nose depth", "1.25", "mm"),
    ]


def test_region_table_has_every_column_once() -> None:
    table = region_table(
        [
            {"name": "nose", "mean_mm": 0.1},
            {"name": "ears", "mean_mm": None, "coverage": 0.5},
            {"name": "lips", "mean_mm": 0.4},
        ]
    )
    assert table.columns == ["Mean", "Coverage"]
    assert table.rows[0] == ("nose", ["0.10", "–"])
    assert table.rows[1] == ("ears", ["–", "50.0 %"])
    assert table.bars == pytest.approx([0.25, 0.0, 1.0])
    assert region_table([]).rows == []


def test_stages_add_up_without_their_parts() -> None:
    rows, total = stages({"load": 0.25, "fit": 4.0, "fit/coarse": 1.5, "fit/fine": 2.5})
    assert [row.name for row in rows] == ["Load", "Fit", "Coarse", "Fine"]
    assert [row.part for row in rows] == [False, False, True, True]
    assert (rows[0].seconds, rows[1].share, total) == ("250 ms", 1.0, "4.2 s")
    assert stages({"fit": 1.0, "total": 9.0})[1] == "9.0 s"


def test_settings_are_flattened() -> None:
    settings = {"unit": {"name": "mm", "metres_per_unit": 0.001}, "seed": 0, "free": ["tau", "pi"]}
    assert list(flatten(settings)) == [
        ("unit.name", "mm"), ("unit.metres_per_unit", "0.001"), ("seed", "0"), ("free", "tau, pi"),
    ]  # fmt: skip
