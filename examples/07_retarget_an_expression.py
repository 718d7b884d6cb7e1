"""What one face does, on another: as a JNR face, and on a rig by the names of its joints.

    python examples/07_retarget_an_expression.py person.ply other.ply out/

The smile is made of the person's own ARKit shapes. Frames of a performance will do as well, if
their vertices correspond; scans fitted one by one slide along the skin, and a part of it is lost.
"""

from pathlib import Path

import numpy as np
import tyro

import rigface
from rigface.fit.jnr_expression import fit_expressions
from rigface.fit.retarget import ASM_JOINTS, Skeleton, retarget, retarget_to_skeleton
from rigface.models.jnr_asset import load_jnr

SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "jawOpen": 0.15}


def main(
    person: tyro.conf.Positional[Path],
    other: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
) -> None:
    """Fit two scans and write the smile of PERSON on OTHER to OUT."""
    template = rigface.load_template()
    fits = [rigface.fit_scan(rigface.load_scan(path)) for path in (person, other)]
    calm, target = (fit.vertices for fit in fits)
    shapes = fits[0].head.expressions
    weights = [SMILE.get(name, 0.0) for name in shapes.names]
    smiling = calm + np.tensordot(weights, shapes.dense(len(calm)), axes=1)

    model = load_jnr(template, "jnr-neural", asymmetric=True, expressions=True)
    skin = template.parts["skin"]
    frames = np.stack([calm, smiling])[:, skin.vertices]
    seen = fit_expressions(model, frames, neutral=(0,))
    smile = seen.expression[1]
    someone = fit_expressions(model, target[None, skin.vertices], neutral=(0,)).identity

    out.mkdir(parents=True, exist_ok=True)
    worn = model.vertices(retarget(smile, model, someone)).numpy()
    rigface.save_obj(out / "jnr.obj", rigface.Mesh(worn, template.mesh.faces[skin.faces]))
    moved = 1000 * np.linalg.norm(worn - model.vertices(someone).numpy(), axis=1).max()
    own = 1000 * np.linalg.norm(smiling - calm, axis=1).max()

    # Any skeleton will do whose joints can be named; here the one in our own face.glb.
    asset = rigface.rig_asset(fits[1])
    skeleton = Skeleton.of_asset(asset)
    pose = retarget_to_skeleton(model, seen.identity, smile, skeleton, ASM_JOINTS)
    vertices = rigface.posed_vertices(asset, pose.rotations(), pose.shapes)
    rigface.save_obj(out / "rig.obj", rigface.Mesh(vertices, asset.faces))

    print(f"the person moves by up to {own:.1f} mm, the other by {moved:.1f} mm")
    for name, weight in sorted(smile.weights().items(), key=lambda item: -item[1])[:4]:
        print(f"  {name:<20} {weight:.2f}")


if __name__ == "__main__":
    tyro.cli(main)
