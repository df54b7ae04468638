"""Two tasks, one network: read a digit somewhere in a picture, and draw the box around it.

python examples/multi_task.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim

DIGITS = Path(__file__).resolve().parent / "data" / "digits.npz"
SIDE = 12  # of the pictures; the digits have 8


def load_digits():
    with np.load(DIGITS) as digits:
        images, labels = digits["images"].reshape(-1, 8, 8) / 16, digits["labels"].astype(np.int64)
    order = torch.randperm(len(images)).numpy()
    return (images[order[:1400]], labels[order[:1400]]), (images[order[1400:]], labels[order[1400:]])


def place(images, labels):
    """Each digit somewhere in a picture. The targets: which it is, and left, top, right, bottom of its ink (0 to 1)."""
    pictures = np.zeros((len(images), SIDE, SIDE), np.float32)
    corners = torch.randint(0, SIDE - 8 + 1, (len(images), 2)).tolist()
    boxes = np.empty((len(images), 4), np.float32)
    for picture, box, image, (x, y) in zip(pictures, boxes, images, corners, strict=True):
        picture[y : y + 8, x : x + 8] = image
        rows, columns = np.nonzero(picture > 0.2)
        box[:] = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    targets = {"digit": torch.from_numpy(labels), "box": torch.from_numpy(boxes / SIDE)}
    return torch.from_numpy(pictures), targets


class Detector(nn.Module):
    """A trunk that both tasks share, and a head for each."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU())
        self.digit = nn.Linear(128, 10)
        self.box = nn.Linear(128, 4)

    def forward(self, pictures):
        features = self.trunk(pictures)
        return {"digit": self.digit(features), "box": self.box(features)}


def overlap(a, b):
    """Intersection over union of boxes (left, top, right, bottom)."""
    width = torch.minimum(a[:, 2], b[:, 2]) - torch.maximum(a[:, 0], b[:, 0])
    height = torch.minimum(a[:, 3], b[:, 3]) - torch.maximum(a[:, 1], b[:, 1])
    both = width.clamp(min=0) * height.clamp(min=0)
    areas = [(x[:, 2] - x[:, 0]) * (x[:, 3] - x[:, 1]) for x in (a, b)]
    return both / (areas[0] + areas[1] - both)


def main(seed=0):
    torch.manual_seed(seed)
    train, test = load_digits()
    pictures, truth = place(*test)

    model = Detector()
    tasks = {"digit": nn.CrossEntropyLoss(), "box": nn.SmoothL1Loss(beta=0.1)}
    # Boxes are numbers from 0 to 1, their loss is small; the weight says how much they count. With 1 they overlap by
    # 0.83, with 20 by 0.88, and fewer digits are read.
    criterion = nn.MultiTaskLoss(tasks, weights={"box": 5.0})
    optimizer = optim.Adam(model.parameters(), lr=2e-3)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)

    print(f"{'epoch':>5}  {'loss':>6} = {'digit':>6} + 5 * {'box':>6}  {'read':>6}  {'overlap':>7}")
    for epoch in range(1, 41):
        inputs, targets = place(*train)  # every epoch the digits stand elsewhere
        for rows in torch.randperm(len(inputs)).split(32):
            optimizer.zero_grad()
            loss = criterion(model(inputs[rows]), {task: target[rows] for task, target in targets.items()})
            loss.backward()
            optimizer.step()
        scheduler.step()
        if epoch % 10 == 0:
            with torch.no_grad():
                outputs = model(pictures)
                loss = criterion(outputs, truth)
            read = (outputs["digit"].argmax(dim=1) == truth["digit"]).float().mean().item()
            boxes = overlap(outputs["box"], truth["box"]).mean().item()
            digit, box = criterion.parts["digit"].item(), criterion.parts["box"].item()
            print(f"{epoch:5}  {loss.item():6.3f} = {digit:6.3f} + 5 * {box:6.4f}  {read:6.1%}  {boxes:7.3f}")

    print(f"\n{read:.1%} of the test digits are read, the boxes overlap by {boxes:.3f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
