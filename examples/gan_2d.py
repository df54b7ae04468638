"""A generative adversarial network in two dimensions: its two losses, and a ring that it learns to imitate.

After Goodfellow and others, "Generative adversarial nets" (2014), with the second loss they give for the generator.

python examples/gan_2d.py [seed]
"""

import math
import sys

import tinygrad_loss as torch
from tinygrad_loss import nn, optim

STEPS, BATCH = 1200, 128


def real(count):
    """Points near the unit circle."""
    angle = 2 * math.pi * torch.rand(count, 1)
    radius = 1 + 0.1 * torch.randn(count, 1)
    return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)


def make_model(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, outputs)
    )


def distance(x, y):
    """The energy distance between two clouds of points: 0, but for chance, if they come from one distribution."""

    def mean_distance(a, b):
        return (a.unsqueeze(1) - b).norm(dim=2).mean()

    return (2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y)).item()


def draw(points, side=17):
    """How many of the points lie where, in characters: the square from -1.5 to 1.5."""
    counts = [[0] * side for _ in range(side)]
    for x, y in points.tolist():
        column, row = (math.floor((z + 1.5) / 3 * side) for z in (x, -y))
        if 0 <= column < side and 0 <= row < side:
            counts[row][column] += 1
    for row in counts:
        print("".join(2 * " .:-=+*#%@"[min(9, count)] for count in row).rstrip())


def main(seed=0):
    torch.manual_seed(seed)
    generator, critic = make_model(4, 2), make_model(2, 1)
    of_generator = optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    of_critic = optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.999))
    schedulers = [optim.lr_scheduler.CosineAnnealingLR(each, T_max=STEPS) for each in (of_generator, of_critic)]
    criterion = nn.BCEWithLogitsLoss()  # the critic gives the logit of "real"
    yes, no = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    print("a critic that cannot tell has the loss 2 ln 2 = 1.39, the generator then ln 2 = 0.69\n")
    print(f"{'step':>5}  {'critic':>6}  {'generator':>9}  {'distance':>8}")
    for step in range(1, STEPS + 1):
        # 1. The critic learns to tell them apart. detach(): the generator gets no gradient from this loss.
        fake = generator(torch.randn(BATCH, 4))
        critic_loss = criterion(critic(real(BATCH)), yes) + criterion(critic(fake.detach()), no)
        of_critic.zero_grad()
        critic_loss.backward()
        of_critic.step()

        # 2. The generator learns to be taken for real. Its loss fills the critic's gradients too: they are not used.
        generator_loss = criterion(critic(fake), yes)
        of_critic.zero_grad()
        of_generator.zero_grad()
        generator_loss.backward()
        of_generator.step()

        for scheduler in schedulers:
            scheduler.step()
        if step % 300 == 0:
            with torch.no_grad():
                points = generator(torch.randn(500, 4))
            far = distance(points, real(500))
            print(f"{step:5}  {critic_loss.item():6.3f}  {generator_loss.item():9.3f}  {far:8.4f}")

    draw(points)
    print(f"\nenergy distance to the ring: {far:.4f} (two samples of the ring: {distance(real(500), real(500)):.4f})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
