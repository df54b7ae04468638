"""A variational autoencoder (Kingma and Welling, 2014): digits that nobody wrote.

python examples/vae_digits.py [seed]
"""

import sys
from pathlib import Path

import numpy as np

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F
from tinygrad_loss.utils.data import DataLoader, TensorDataset

DIGITS = Path(__file__).resolve().parent / "data" / "digits.npz"


def load_digits():
    with np.load(DIGITS) as digits:
        images = torch.from_numpy(digits["images"]).float() / 16
    return images[torch.randperm(len(images))].split([1400, 397])


class VAE(nn.Module):
    """64 pixels -> mean and log-variance of 8 hidden numbers -> logits of 64 pixels."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 16))
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images):
        mean, logvar = self.encoder(images).chunk(2, dim=1)
        hidden = mean + torch.randn_like(mean) * (0.5 * logvar).exp()  # a sample that gradients pass through
        return self.decoder(hidden), mean, logvar


def losses(model, images):
    """The two parts of the negative evidence lower bound, in nats for each image."""
    logits, mean, logvar = model(images)
    # Both are sums over an image: a mean over its pixels would make the first 64 times too light.
    reconstruction = F.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)
    divergence = F.gaussian_kl_loss(mean, logvar)  # its default, "batchmean", divides by the images as well
    return reconstruction, divergence


def draw(images):
    """Grey images in characters, side by side."""
    shades = " .:-=+*#%@"
    for row in range(8):
        lines = (image[8 * row : 8 * row + 8] for image in images.tolist())
        print("   ".join("".join(2 * shades[min(9, int(10 * grey))] for grey in line) for line in lines))


def main(seed=0):
    torch.manual_seed(seed)
    train, test = load_digits()
    loader = DataLoader(TensorDataset(train), batch_size=50, shuffle=True)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=2e-3)

    # Grey pixels have an entropy: no model can make the reconstruction smaller than that.
    least = F.binary_cross_entropy(test, test, reduction="sum").item() / len(test)
    print(f"{'epoch':>5}  {'bound':>6} = {'pixels':>6} + {'KL':>5}     (pixels: at least {least:.2f})")
    for epoch in range(1, 61):
        for (images,) in loader:
            optimizer.zero_grad()
            reconstruction, divergence = losses(model, images)
            (reconstruction + divergence).backward()
            optimizer.step()
        if epoch % 15 == 0:
            with torch.no_grad():
                pixels, divergence = (part.item() for part in losses(model, test))
            print(f"{epoch:5}  {pixels + divergence:6.2f} = {pixels:6.2f} + {divergence:5.2f}")

    print("\nsix digits out of the decoder, from random numbers:\n")
    with torch.no_grad():
        draw(torch.sigmoid(model.decoder(torch.randn(6, 8))))
    print(f"\nnegative evidence lower bound on the test digits: {pixels + divergence:.2f} nats")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
