"""Make the pictures of the README: a graph with an opened loss, and losses with their gradients as curves.

    pip install 'tinygrad_loss[viz]'                    # or Graphviz and matplotlib from elsewhere
    python examples/pictures/make_pictures.py [folder]

The same versions of Graphviz and matplotlib make the same files.
"""

import sys
from pathlib import Path

import matplotlib

import tinygrad_loss as torch
from tinygrad_loss import nn, viz


def draw_graph():
    """cross_entropy of two examples with three classes, opened: the values forward, the gradients backward."""
    logits = torch.tensor([[2.0, 0.5, -1.0], [-0.5, 1.5, 0.0]], requires_grad=True)
    labels = torch.tensor([0, 2])
    loss = nn.CrossEntropyLoss()(logits, labels)
    names = {"logits": logits, "labels": labels}
    return viz.draw(loss, expand="cross_entropy", values=True, grads="compute", params=names)


def plot_curves():
    """Three losses of a residual (blue), each with its gradient (dashed)."""
    return viz.plot_loss(nn.MSELoss(), nn.HuberLoss(), nn.L1Loss())


def main(folder=None):
    folder = Path(folder or Path(__file__).parent)
    draw_graph().save(folder / "graph.svg")
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "tinygrad_loss"}):
        plot_curves().savefig(folder / "curves.svg", metadata={"Date": None})
    for name in ("graph.svg", "curves.svg"):
        print(f"{folder / name}: {(folder / name).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:2])
