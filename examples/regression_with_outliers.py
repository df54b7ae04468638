"""Which loss survives wrong targets? Linear regression on real patients, some of whose records are off by ten.

python examples/regression_with_outliers.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F

DIABETES = Path(__file__).resolve().parent / "data" / "diabetes.npz"

# All but the first are linear where an error is large: there an outlier pulls no harder than anyone else.
# Targets are in standard deviations, so the bends of Huber (delta) and log-cosh (1) lie at one of those.
LOSSES = {
    "MSE": nn.MSELoss(),
    "Huber": nn.HuberLoss(delta=1.0),
    "log-cosh": nn.LogCoshLoss(),
    "L1": nn.L1Loss(),
}


def load_patients():
    """Ten measurements of 442 patients, and how far their diabetes got within a year (25 to 346)."""
    with np.load(DIABETES) as diabetes:
        inputs = torch.from_numpy(diabetes["measured"]).float()
        targets = torch.from_numpy(diabetes["progression"]).float().unsqueeze(1)
    return (inputs - inputs.mean(dim=0)) / inputs.std(dim=0), targets


def corrupt(targets, share=0.05):
    """The decimal point of some records slips by one place: 151 becomes 1510."""
    slipped = torch.rand(targets.shape) < share
    return torch.where(slipped, targets * 10, targets)


def fit(inputs, targets, criterion):
    """The linear model with the least loss, by 500 steps of Adam on all patients at once."""
    middle, spread = 150.0, 75.0  # brings the true targets to about -2 ... 2
    model = nn.Linear(inputs.shape[1], 1)
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=500)
    for _ in range(500):
        optimizer.zero_grad()
        loss = criterion(model(inputs), (targets - middle) / spread)
        loss.backward()
        optimizer.step()
        scheduler.step()
    return lambda inputs: middle + spread * model(inputs)


def main(seed=0):
    torch.manual_seed(seed)
    inputs, targets = load_patients()
    order = torch.randperm(len(inputs))
    train, test = order[:300], order[300:]
    wrong = corrupt(targets[train])
    count = (wrong != targets[train]).sum().item()
    print(f"300 patients to learn from, {count} of them with a wrong target; 142 to test, all right\n")

    errors = {}
    print("mean absolute error on the test patients, learned from")
    print(f"{'loss':>8}  {'the truth':>9}  {'the records':>11}")
    for name, criterion in LOSSES.items():
        for learned_from in (targets[train], wrong):
            predict = fit(inputs[train], learned_from, criterion)
            with torch.no_grad():
                errors[name, learned_from is wrong] = F.l1_loss(predict(inputs[test]), targets[test]).item()
        print(f"{name:>8}  {errors[name, False]:9.1f}  {errors[name, True]:11.1f}")

    ratio = errors["MSE", True] / errors["Huber", True]
    print(f"\nwith the wrong targets, the error of MSE is {ratio:.2f} times that of Huber")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
