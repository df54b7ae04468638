"""Rare classes: one digit in twenty is an 8. Three remedies for a model that would rather not see any.

python examples/imbalanced_classes.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.utils.data import DataLoader, TensorDataset, WeightedRandomSampler

DIGITS = Path(__file__).resolve().parent / "data" / "digits.npz"


def load_digits():
    """(images, is it an 8?) to learn from, where 8 is made rarer than it is, and to test."""
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float() / 16
        eights = torch.from_numpy(digits["labels"] == 8)
    order = torch.randperm(len(images))
    train, test = order[:1200], order[1200:]
    rare = train[~eights[train] | (torch.rand(len(train)) < 0.5)]
    return TensorDataset(images[rare], eights[rare]), images[test], eights[test]


def train(loader, criterion, outputs):
    """A linear model: one number, the logit of being an 8, or two, the logits of the two classes."""
    model = nn.Linear(64, outputs)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    for _ in range(30):
        for images, eights in loader:
            optimizer.zero_grad()
            logits = model(images)
            # BCEWithLogitsLoss takes numbers from 0 to 1, of the logits' shape; CrossEntropyLoss class indices
            target = eights.float().unsqueeze(1) if outputs == 1 else eights.long()
            criterion(logits, target).backward()
            optimizer.step()
    return model


def recalls(model, images, eights):
    """The shares of the 8s and of the other digits that are recognised."""
    with torch.no_grad():
        logits = model(images)
    guess = logits[:, 0] > 0 if logits.shape[1] == 1 else logits.argmax(dim=1) == 1
    return guess[eights].float().mean().item(), (~guess[~eights]).float().mean().item()


def main(seed=0):
    torch.manual_seed(seed)
    train_set, images, eights = load_digits()
    labels = train_set.tensors[1]
    total, rare = len(labels), labels.sum().item()
    often = total - rare
    print(f"{total} digits to learn from, {rare} of them an 8\n")

    as_they_come = DataLoader(train_set, batch_size=32, shuffle=True)
    weights = torch.where(labels, 1 / rare, 1 / often)  # of the examples: both classes come equally often
    balanced = DataLoader(train_set, batch_size=32, sampler=WeightedRandomSampler(weights, total))

    remedies = {
        "nothing": (as_they_come, nn.BCEWithLogitsLoss(), 1),
        "pos_weight": (as_they_come, nn.BCEWithLogitsLoss(pos_weight=torch.tensor(often / rare)), 1),
        "class weights": (as_they_come, nn.CrossEntropyLoss(weight=torch.tensor([1.0, often / rare])), 2),
        "weighted sampler": (balanced, nn.BCEWithLogitsLoss(), 1),
    }
    print(f"{'remedy':>16}  {'8s found':>8}  {'others':>7}  {'mean of both':>12}")
    means = []
    for name, (loader, criterion, outputs) in remedies.items():
        found, others = recalls(train(loader, criterion, outputs), images, eights)
        means.append((found + others) / 2)
        print(f"{name:>16}  {found:8.1%}  {others:7.1%}  {means[-1]:12.1%}")

    gain = sum(means[1:]) / 3 - means[0]
    print(f"\na remedy lifts the mean of both by {100 * gain:.1f} points (average of the three)")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
