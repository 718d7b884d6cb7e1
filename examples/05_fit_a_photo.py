"""One photo becomes a head: the same as `rigface photo`, with the result in your hands.

python examples/05_fit_a_photo.py out/          # the public-domain portrait inside scikit-image
python examples/05_fit_a_photo.py out/ --photo me.jpg
python examples/05_fit_a_photo.py --save portrait.png
"""

from pathlib import Path
from typing import Annotated

import tyro

import rigface


def main(
    out: Annotated[tuple[Path, ...], tyro.conf.Positional] = (),
    photo: Path | None = None,
    save: Path | None = None,
) -> None:
    """Fit PHOTO and write the rigged head to OUT; or --save the portrait itself."""
    if save is not None or photo is None:
        portrait = save or out[0].parent / "portrait.png"
        portrait.parent.mkdir(parents=True, exist_ok=True)
        save_portrait(portrait)
        if save is not None:
            return
        photo = portrait
    result = rigface.fit_photos([rigface.read_photo(photo)])
    rigface.save_glb(rigface.rig_asset(result), out[0] / "face.glb")
    view = result.views[0]
    print(f"landmarks {result.reprojection_percent:.1f} % of the eye distance from the fit")
    print(f"size by the {result.size.how}")
    for name, weight in sorted(view.expression.items(), key=lambda item: -item[1])[:5]:
        print(f"  {name:<20} {weight:.2f}")


def save_portrait(path: Path) -> None:
    """Eileen Collins, by NASA, public domain."""
    from PIL import Image
    from skimage.data import astronaut

    Image.fromarray(astronaut()).save(path)


if __name__ == "__main__":
    tyro.cli(main)
