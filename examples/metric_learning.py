"""Find the like: an embedding of digits learned from triplets, which then finds digits that it never saw.

python examples/metric_learning.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F

DIGITS = Path(__file__).resolve().parent / "data" / "digits.npz"


def load_digits():
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float() / 16
        labels = torch.from_numpy(digits["labels"]).long()
    order = torch.randperm(len(images))
    return (images[order[:1200]], labels[order[:1200]]), (images[order[1200:]], labels[order[1200:]])


class Embedding(nn.Module):
    """64 pixels -> a point on the unit sphere in 16 dimensions."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))

    def forward(self, images):
        return F.normalize(self.layers(images), dim=1)


def distances(points):
    """Squared distances between all pairs."""
    squares = (points**2).sum(dim=1)
    return squares.unsqueeze(1) + squares - 2 * points @ points.T


def triplets(points, labels):
    """For each point as the anchor, two places: the farthest point of its digit, the nearest of another one.

    Learning from the worst cases (Hermans and others, 2017) is what makes triplets work: most are too easy.
    """
    far = distances(points)
    same = labels.unsqueeze(1) == labels
    positive = torch.where(same, far, -1.0).argmax(dim=1)
    negative = torch.where(same, 9.0, far).argmin(dim=1)  # on the sphere, 4 is the largest squared distance
    return positive, negative


def precision(points, labels, count=30):
    """Of the `count` nearest neighbours of a digit, how many show the same digit? Mean over all."""
    order = distances(points).argsort(dim=1)[:, 1 : count + 1]  # without the digit itself
    return (labels[order] == labels.unsqueeze(1)).float().mean().item()


def main(seed=0):
    torch.manual_seed(seed)
    (images, labels), (test_images, test_labels) = load_digits()
    model = Embedding()
    criterion = nn.TripletMarginLoss(margin=0.3)
    optimizer = optim.Adam(model.parameters(), lr=2e-3)

    pixels = precision(test_images, test_labels)
    print(f"the 30 nearest by pixels: {pixels:.1%} show the same digit\n")
    print(f"{'epoch':>5}  {'loss':>6}  {'of the nearest 30':>17}")
    for epoch in range(1, 21):
        total = 0.0
        for rows in torch.randperm(len(images)).split(100):
            optimizer.zero_grad()
            points = model(images[rows])
            with torch.no_grad():
                positive, negative = triplets(points, labels[rows])
            loss = criterion(points, points[positive], points[negative])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        if epoch % 5 == 0:
            with torch.no_grad():
                found = precision(model(test_images), test_labels)
            print(f"{epoch:5}  {total / len(images):6.3f}  {found:17.1%}")

    print(f"\nof the 30 nearest neighbours, {found:.1%} show the same digit")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
