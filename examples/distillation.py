"""Dark knowledge: a student learns to read the 3 without ever having been shown one.

After Hinton, Vinyals and Dean, "Distilling the knowledge in a neural network" (2015), section 3.

python examples/distillation.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F

DIGITS = Path(__file__).resolve().parent / "data" / "digits.npz"
TEMPERATURE = 4.0  # flattens the teacher's probabilities, so that the small ones count


def load_digits():
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float() / 16
        labels = torch.from_numpy(digits["labels"]).long()
    order = torch.randperm(len(images))
    return (images[order[:1200]], labels[order[:1200]]), (images[order[1200:]], labels[order[1200:]])


def make_model(width):
    return nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10))


def train(model, images, criterion, epochs):
    """``criterion(logits, rows)``: the loss of a batch, given which rows of the images it holds."""
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(epochs):
        for rows in torch.randperm(len(images)).split(50):
            optimizer.zero_grad()
            criterion(model(images[rows]), rows).backward()
            optimizer.step()


def read(model, images, labels):
    """The shares of all images and of the 3s that are read right."""
    with torch.no_grad():
        right = (model(images).argmax(dim=1) == labels).float()
    return right.mean().item(), right[labels == 3].mean().item()


def main(seed=0):
    torch.manual_seed(seed)
    (images, labels), (test_images, test_labels) = load_digits()

    teacher = make_model(200)
    train(teacher, images, lambda logits, rows: F.cross_entropy(logits, labels[rows]), epochs=20)

    seen = labels != 3
    images, labels = images[seen], labels[seen]
    with torch.no_grad():
        taught = teacher(images)
    likeness = F.softmax(taught / TEMPERATURE, dim=1)[:, 3].mean().item()
    print(f"no student sees a 3; the teacher holds the other digits for a 3 with {likeness:.1%}\n")

    plain, student = make_model(20), make_model(20)
    train(plain, images, lambda logits, rows: F.cross_entropy(logits, labels[rows]), epochs=40)
    teaching = nn.DistillationLoss(temperature=TEMPERATURE)
    train(student, images, lambda logits, rows: teaching(logits, taught[rows]), epochs=40)

    print(f"{'':>12}  {'all':>6}  {'the 3s':>6}")
    for name, model in {"teacher": teacher, "from labels": plain, "from teacher": student}.items():
        everything, threes = read(model, test_images, test_labels)
        print(f"{name:>12}  {everything:6.1%}  {threes:6.1%}")
    print(f"\nof the 3s, {threes:.1%} are read by the student that never saw one")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
