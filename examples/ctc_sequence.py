"""Connectionist temporal classification (Graves, 2006): learn to spell from words whose letters are not aligned.

A word is "spoken" as a row of noisy frames: each letter lasts for one to four of them, with silence between. The
network sees frames and words, but is never told which frame belongs to which letter.

python examples/ctc_sequence.py [seed]
"""

import sys

import tinygrad_loss as torch
from tinygrad_loss import nn, optim
from tinygrad_loss.nn import functional as F

LETTERS = "-abcde"  # class 0 is the blank
SIZE, FRAMES = 8, 36  # numbers in a frame, frames of the longest word


def between(low, high):
    """A random whole number, both ends included."""
    return torch.randint(low, high + 1, ()).item()


def random_words(count):
    """Words of three to six letters, as class indices."""
    return [[between(1, len(LETTERS) - 1) for _ in range(between(3, 6))] for _ in range(count)]


def speak(words, sounds):
    """The frames (FRAMES, N, SIZE) of a batch of words, and how many of them each word takes."""
    frames = 0.4 * torch.randn(FRAMES, len(words), SIZE)
    lengths = []
    for n, word in enumerate(words):
        end = 0
        for letter in word:
            start = end + between(1, 2)
            end = start + between(1, 4)
            frames[start:end, n] += sounds[letter]
        lengths.append(end)
    return frames, torch.tensor(lengths)


def with_neighbours(frames):
    """Each frame beside the one before and the one after it."""
    nothing = torch.zeros(1, *frames.shape[1:])
    return torch.cat([torch.cat([nothing, frames[:-1]]), frames, torch.cat([frames[1:], nothing])], dim=2)


def decode(log_probs, lengths):
    """Greedy: the best class of each frame, repetitions counted once, then the blanks left out."""
    words = []
    for path, length in zip(log_probs.argmax(dim=2).T.tolist(), lengths.tolist(), strict=True):
        path = path[:length]
        words.append([now for before, now in zip([0, *path], path, strict=False) if now not in (0, before)])
    return words


def spell(classes):
    return "".join(LETTERS[c] for c in classes)


def main(seed=0):
    torch.manual_seed(seed)
    sounds = 2.5 * F.normalize(torch.randn(len(LETTERS), SIZE), dim=1)
    test_words = random_words(200)
    test_frames, test_lengths = speak(test_words, sounds)
    test_frames = with_neighbours(test_frames)

    model = nn.Sequential(
        nn.Linear(3 * SIZE, 48), nn.ReLU(), nn.Linear(48, len(LETTERS)),
        nn.LogSoftmax(dim=2),  # CTCLoss takes log-probabilities
    )  # fmt: skip
    criterion = nn.CTCLoss(blank=0)
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    print(f"{'step':>4}  {'loss':>6}  {'words right':>11}")
    for step in range(1, 301):
        words = random_words(16)
        frames, lengths = speak(words, sounds)
        labels = torch.tensor([letter for word in words for letter in word])  # all words one after the other
        letters = torch.tensor([len(word) for word in words])
        optimizer.zero_grad()
        loss = criterion(model(with_neighbours(frames)), labels, lengths, letters)
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            with torch.no_grad():
                heard = decode(model(test_frames), test_lengths)
            right = sum(a == b for a, b in zip(heard, test_words, strict=True)) / len(test_words)
            print(f"{step:4}  {loss.item():6.3f}  {right:11.1%}")

    with torch.no_grad():
        path = model(test_frames)[: test_lengths[0].item(), 0].argmax(dim=1).tolist()
    print(f"\nspoken {spell(test_words[0])}, frame by frame {spell(path)}, heard {spell(heard[0])}")
    print(f"{right:.1%} of the test words are heard right")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
