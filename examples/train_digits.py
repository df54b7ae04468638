"""Learn to read handwritten digits: the training loop of the PyTorch tutorials, with one import changed.

python examples/train_digits.py
python examples/train_digits.py --loss label_smoothing --width 256 --epochs 40
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.utils.data import DataLoader, TensorDataset, random_split

try:
    from tqdm import tqdm
except ImportError:  # the progress bar is optional
    tqdm = None

HERE = Path(__file__).resolve().parent
DIGITS = HERE / "data" / "digits.npz"
RUNS = HERE.parent / "runs"

LOSSES = {
    "cross_entropy": nn.CrossEntropyLoss(),
    "label_smoothing": nn.CrossEntropyLoss(label_smoothing=0.1),
    "nll": nn.NLLLoss(),  # wants log-probabilities: the model then ends in LogSoftmax
}


def load_digits():
    """The images as rows of 64 numbers from 0 to 1: four fifths to learn from, always the same fifth to test."""
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float() / 16
        labels = torch.from_numpy(digits["labels"]).long()
    generator = torch.Generator().manual_seed(0)
    return random_split(TensorDataset(images, labels), [0.8, 0.2], generator=generator)


def make_model(width, loss):
    """64 pixels -> width -> 10 digits."""
    layers = [nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 10)]
    if loss == "nll":
        layers.append(nn.LogSoftmax(dim=1))
    return nn.Sequential(*layers)


def train_one_epoch(model, loader, criterion, optimizer):
    """One pass over the training set. Returns the mean loss and the accuracy on the way."""
    model.train()
    total_loss, correct, seen = 0.0, 0, 0
    for inputs, labels in loader:
        optimizer.zero_grad()
        outputs = model(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()

        total_loss += loss.item() * len(labels)
        correct += (outputs.argmax(dim=1) == labels).sum().item()
        seen += len(labels)
    return total_loss / seen, correct / seen


def predict(model, loader):
    """The digits that the model reads, and the true ones."""
    model.eval()
    predicted, true = [], []
    with torch.no_grad():
        for inputs, labels in loader:
            predicted.append(model(inputs).argmax(dim=1))
            true.append(labels)
    return torch.cat(predicted), torch.cat(true)


def accuracy(model, loader):
    predicted, true = predict(model, loader)
    return (predicted == true).float().mean().item()


def print_confusion(predicted, true):
    """How often each digit was read as which, and the share of each that was read right."""
    counts = np.zeros((10, 10), dtype=int)
    for t, p in zip(true.tolist(), predicted.tolist(), strict=True):
        counts[t, p] += 1
    print("\ntrue \\ read" + "".join(f"{digit:>5}" for digit in range(10)) + "   recall")
    for digit, row in enumerate(counts):
        cells = "".join(f"{count or '.':>5}" for count in row)
        recall = f"{row[digit] / row.sum():.1%}" if row.sum() else "-"
        print(f"{digit:>11}{cells}{recall:>9}")


def with_progress(epochs):
    """The epochs, under a progress bar when somebody watches."""
    if not sys.stderr.isatty():
        return epochs
    if tqdm is None:
        print("No progress bar: pip install 'tinygrad_loss[examples]' brings tqdm.", file=sys.stderr)
        return epochs
    return tqdm(epochs, unit="epoch", leave=False)


def parse_arguments():
    def positive(text):
        number = int(text)
        if number <= 0:
            raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
        return number

    parser = argparse.ArgumentParser(
        description="Train a small network on handwritten digits.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--epochs", type=positive, default=30, help="passes over the training set")
    parser.add_argument("--lr", type=float, default=1e-2, help="first learning rate of Adam")
    parser.add_argument("--loss", choices=LOSSES, default="cross_entropy", help="what to minimise")
    parser.add_argument("--width", type=positive, default=128, help="units in the hidden layer")
    parser.add_argument("--batch-size", type=positive, default=64, help="images per step")
    parser.add_argument("--seed", type=int, default=0, help="of the first weights and the shuffling")
    parser.add_argument("--out", type=Path, default=RUNS / "digits.safetensors", help="where to save the parameters")
    return parser.parse_args()


def main():
    args = parse_arguments()
    args.out.parent.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(args.seed)
    train_set, test_set = load_digits()
    train_loader = DataLoader(train_set, batch_size=args.batch_size, shuffle=True)
    test_loader = DataLoader(test_set, batch_size=256)

    model = make_model(args.width, args.loss)
    criterion = LOSSES[args.loss]
    optimizer = optim.Adam(model.parameters(), lr=args.lr)
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)  # down to 0 at the end

    print(f"{len(train_set)} images to learn from, {len(test_set)} to test\n")
    print(model, "\n")
    print(f"{'epoch':>5}  {'loss':>7}  {'train':>7}  {'test':>7}  {'seconds':>7}")
    line = tqdm.write if tqdm else print  # prints above the bar
    for epoch in with_progress(range(1, args.epochs + 1)):
        start = time.perf_counter()
        loss, train_accuracy = train_one_epoch(model, train_loader, criterion, optimizer)
        scheduler.step()
        seconds = time.perf_counter() - start
        test_accuracy = accuracy(model, test_loader)
        line(f"{epoch:5}  {loss:7.4f}  {train_accuracy:7.1%}  {test_accuracy:7.1%}  {seconds:7.3f}")

    print_confusion(*predict(model, test_loader))

    torch.save(model.state_dict(), args.out)
    loaded = make_model(args.width, args.loss)
    loaded.load_state_dict(torch.load(args.out))
    if accuracy(loaded, test_loader) != test_accuracy:
        sys.exit(f"{args.out} does not give the accuracy of the model that was saved in it")
    print(f"\nparameters saved in {args.out}, loaded again: same accuracy")
    print(f"test accuracy {100 * test_accuracy:.1f} %")


if __name__ == "__main__":
    main()
