"""The paper's Figure 3: error against floats. Needs matplotlib (extra `bench`)."""

from collections.abc import Sequence
from pathlib import Path


def draw_sizes(
    path: Path,
    sizes: dict[str, int],
    errors: dict[str, float],
    pca: Sequence[tuple[int, float]],
) -> None:
    """PCA as a curve of (floats, mm); floats and mm of each kind of JNR weights as points."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2))
    axes.plot(*zip(*pca, strict=True), "o-", color="tab:gray", label="vertex PCA, 5 to 84 modes")
    colours = {"initial": "tab:red", "linear": "tab:orange", "neural": "tab:blue"}
    for name, error in errors.items():
        axes.plot(sizes[name], error, "s", ms=8, color=colours[name], label=f"JNR, {name} weights")
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("floats of the model")
    axes.set_ylabel("point-to-point error, mm")
    axes.grid(alpha=0.3, which="both")
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110, metadata={"Software": ""})
    plt.close(figure)
