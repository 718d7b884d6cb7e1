"""ASM as a differentiable function: named parameters in, skin vertices out, gradients back.

python examples/04_differentiate_the_model.py
"""

import torch

import rigface


def main(steps: int = 20) -> float:
    """Pull the nose tip 5 mm forward by gradient descent; return the distance left in mm."""
    template = rigface.load_template()
    model = rigface.AsmModel.build(template, rigface.load_rig(k=1))
    for parameter in model.table.parameters:
        print(
            f"{parameter.name:<12} {parameter.shape!s:<12} {parameter.unit:<6} {parameter.meaning}"
        )

    x = model.table.zeros().requires_grad_()
    nose = template.landmarks.names.index("ibug.30")
    corners = torch.from_numpy(template.mesh.faces[template.landmarks.face[nose]])
    bary = torch.from_numpy(template.landmarks.bary[nose])
    goal = bary @ model.template[corners] + torch.tensor([0.0, 0.0, 0.005])

    # Whitened by the table's sigmas, as radians, metres and logarithms differ in size.
    sigma = model.table.column("sigma")
    optimizer = torch.optim.Adam([x], lr=0.05)
    distance = torch.tensor(0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        tip = bary @ model.vertices(x * sigma)[corners]
        distance = (tip - goal).norm()
        (distance.square() * 1e6 + 0.01 * x.square().sum()).backward()
        optimizer.step()
    left = 1000 * float(distance.detach())
    print(f"the nose tip is {left:.2f} mm from where it was pulled to")
    return left


if __name__ == "__main__":
    main()
