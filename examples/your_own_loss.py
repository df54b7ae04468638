"""A loss of your own: as a function, then declared with @loss, checked, explained and trained with.

Coming late costs more than coming early: the LINEX loss (Varian, 1975) grows exponentially on one side of the truth
and like a line on the other.

python examples/your_own_loss.py [seed]
"""

import sys

import tinygrad_loss as torch
from tinygrad_loss import Tensor, nn, optim
from tinygrad_loss.autograd import gradcheck, gradgradcheck
from tinygrad_loss.losses import PerElement, Positive, Real, loss


def plain_linex(input, target, slope=1.0):
    """As in any tutorial: a function of tensors. It has derivatives of every order, and that is all."""
    z = slope * (target - input)
    return (torch.expm1(z) - z).mean()


@loss
def linex_loss(input: Real[Tensor, "..."], target: Real[Tensor, "..."], *, slope: Positive = 1.0) -> PerElement:
    """exp(z) - z - 1 with z = slope * (target - input): a guess below the target costs more than one above."""
    z = slope * (target - input)
    return torch.expm1(z) - z


def main(seed=0):
    torch.manual_seed(seed)
    took = -torch.log1p(-torch.rand(1000))  # 1000 deliveries, in units of ten minutes: many short, few long
    guess = torch.ones(1000, requires_grad=True)

    print("1. Both give the same number, and the formula is all there is to write.")
    print(f"   {plain_linex(guess, took, 0.5).item():.6f} = {linex_loss(guess, took, slope=0.5).item():.6f}")

    print("\n2. What the declaration adds: reductions, weights, masks, a module, errors before anything is computed.")
    print("  ", linex_loss(guess[:4], took[:4], reduction="none"))
    print("  ", linex_loss(guess, took, mask=took < 3))
    print("  ", linex_loss.Module(slope=0.5, reduction="sum"))
    for wrong in (lambda: linex_loss(guess, took[:4]), lambda: linex_loss(guess, took, slope=-1.0)):
        try:
            wrong()
        except ValueError as error:
            print("  ", error)

    print("\n3. Are the first and the second derivatives right? Against differences, in float64:")
    few = guess[:5].detach().double().requires_grad_(), took[:5].double()
    print("  ", gradcheck(linex_loss, few), gradgradcheck(linex_loss, few))

    print("\n4. Why is it this number?\n")
    print(torch.explain(linex_loss, guess, took, slope=0.5))

    print("\n5. The steps that a large call runs, its gradient with it, block by block:\n")
    print(linex_loss.plan(guess, took, slope=0.5))

    # 6. Train with it. The best single guess has a closed form here: log(mean(exp(slope * target))) / slope.
    criterion = linex_loss.Module(slope=0.5)
    promise = nn.Parameter(torch.tensor(0.0))
    optimizer = optim.Adam([promise], lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        criterion(promise.expand(1000), took).backward()
        optimizer.step()
    best = (0.5 * took).exp().mean().log().item() / 0.5
    print(f"\n6. The mean is {10 * took.mean().item():.2f} minutes; the best promise, by the formula, {10 * best:.2f}")
    print(f"learned promise: {10 * promise.item():.2f} minutes")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
