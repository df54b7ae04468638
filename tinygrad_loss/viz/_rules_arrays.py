"""The texts of the operations that move, choose, add up or multiply whole arrays: see ``_rules.py``."""

# ruff: noqa: RUF001
from __future__ import annotations

_BACK = "Only the arrangement changes: the gradient is arranged back."
_PLACES = "Each element that was read receives the gradient of its copies; all others receive 0."
_NONE = "The result is made of positions or labels: there is no slope, and nothing flows back."
_ALL = "The result is true or false: there is no slope, and nothing flows back."
_AT = "Σ of g where y = x[i]"

# name: arguments, what it does, formula, rule in words, the gradient of each argument
ARRAYS: dict[str, tuple[str, ...]] = {
    # reductions and broadcasts
    "sum": ("x", "The sum.", "y = Σ(x)", "Every element that was added receives the same gradient, g.", "g"),
    "mean": (
        "x", "The mean of n elements.", "y = Σ(x) / n",
        "Every element has a share of 1/n in the mean: it receives g / n.", "g / n",
    ),
    "spread": (
        "x", "x, repeated along the dimensions that a sum took away.", "y = x, repeated",
        "An element that was repeated receives the sum of the gradients of its copies.", "Σ(g)",
    ),
    "broadcast_to": (
        "x", "x, repeated to a larger shape.", "y = x, repeated",
        "An element that was repeated receives the sum of the gradients of its copies.", "Σ of g over the copies",
    ),
    "sum_to_size": (
        "x", "x, summed down to a smaller shape.", "y = Σ(x)", "Every element that was added receives g.", "g",
    ),
    "amax": (
        "x", "The largest element.", "y = max(x)", "The largest element receives g; equal ones share it.",
        "g · [x = y] / Σ([x = y])",
    ),
    "amin": (
        "x", "The smallest element.", "y = min(x)", "The smallest element receives g; equal ones share it.",
        "g · [x = y] / Σ([x = y])",
    ),
    "any": ("x", "Is any element nonzero?", "y = [some x ≠ 0]", _ALL),
    "all": ("x", "Are all elements nonzero?", "y = [every x ≠ 0]", _ALL),
    "var": (
        "x", "The variance of n elements with mean m; c is the correction.", "y = Σ((x − m)²) / (n − c)",
        "An element is pushed away from the mean, the more the further it is.", "g · 2 · (x − m) / (n − c)",
    ),
    "std": (
        "x", "The standard deviation of n elements with mean m; c is the correction.", "y = √(Σ((x − m)²) / (n − c))",
        "The rule of the variance, divided by twice the result, as for every square root.",
        "g · (x − m) / ((n − c) · y)",
    ),
    "norm": (
        "x", "The p-norm: the length of the vector for p = 2.", "y = Σ(|x|^p)^(1 / p)",
        "For p = 2 the gradient points along the vector, with length g; for p = 1 it is g times the signs.",
        "g · sign(x) · (|x| / y)^(p − 1)",
    ),
    "cumsum": (
        "x", "The running sum.", "y[i] = x[0] + … + x[i]",
        "An element is in every later sum: it receives the running sum of g from the other end.", "g[i] + … + g[n − 1]",
    ),
    "prod": (
        "x", "The product of the elements.", "y = Π(x)", "Each factor receives g times the product of all others.",
        "g · Π of the other x",
    ),
    # softmax and relatives
    "softmax": (
        "x", "Probabilities: exp(x) divided by its sum.", "y = exp(x) / Σ(exp(x))",
        "What one class gains the others lose: each receives y times how much its g exceeds the average of g under y.",
        "y · (g − Σ(g · y))",
    ),
    "softmax_complement": (
        "x", "One minus the softmax s, without cancellation.", "y = 1 − s", "The rule of softmax with the other sign.",
        "−s · (g − Σ(g · s))",
    ),
    "log_softmax": (
        "x", "The logarithm of softmax, without overflow.", "y = x − log(Σ(exp(x)))",
        "Each class receives its own g, minus its probability s = softmax(x) times the sum of all g.", "g − s · Σ(g)",
    ),
    "logsumexp": (
        "x", "The logarithm of a sum of exponentials: a smooth maximum.", "y = log(Σ(exp(x)))",
        "g is shared out by softmax: the largest element receives most.", "g · exp(x − y)",
    ),
    "sparsemax": (
        "x", "The probabilities nearest to x, many of them 0; τ makes their sum 1.", "y = max(x − τ, 0)",
        "Among the elements that are not 0, what one gains the others lose: their mean of g is taken away.",
        "[y > 0] · (g − mean of g where y > 0)",
    ),
    "ctc_likelihood": (
        "x", "The log-likelihood of a label sequence: all alignments of it with the frames, added up.",
        "y = log(Σ over alignments of exp(Σ over frames of x))",
        "Each frame and class receives g times its share: the probability that the alignments pass through it.",
        "g · share of the alignments through x",
    ),
    # the same elements, arranged otherwise
    "view": ("x", "The same elements in another shape.", "y = x", _BACK, "g in the shape of x"),
    "squeeze": ("x", "Without dimensions of size 1.", "y = x", _BACK, "g in the shape of x"),
    "unsqueeze": ("x", "With a new dimension of size 1.", "y = x", _BACK, "g in the shape of x"),
    "permute": ("x", "The dimensions in another order.", "y = x, permuted", _BACK, "g, permuted back"),
    "transpose": ("x", "Two dimensions exchanged.", "y = x, transposed", _BACK, "g, transposed"),
    "t": ("x", "The transpose.", "y = xᵀ", _BACK, "gᵀ"),
    "clone": ("x", "A copy.", "y = x", "The gradient passes unchanged.", "g"),
    "cast": ("x dtype", "A copy in another dtype.", "y = x", "The gradient passes, in the dtype of x.", "g"),
    "repeat": (
        "x", "x, tiled.", "y = x, tiled", "An element receives the sum of the gradients of its copies.",
        "Σ of g over the copies",
    ),
    "diagonal": (
        "x", "The diagonal.", "y[i] = x[i, i]", "The diagonal receives g, the rest of the matrix 0.",
        "g on the diagonal",
    ),
    "put_diagonal": (
        "x", "A matrix with x on its diagonal.", "y[i, i] = x[i]", "Only the diagonal flows back.", "diagonal of g",
    ),
    "tril": ("x", "The lower triangle, 0 above.", "y = x · [below]", "The upper triangle receives 0.", "g · [below]"),
    "triu": ("x", "The upper triangle, 0 below.", "y = x · [above]", "The lower triangle receives 0.", "g · [above]"),
    "cat": (
        "x", "The tensors one after the other.", "y = [x1, x2, …]", "Each tensor receives its own part of g.",
        "its part of g",
    ),
    "stack": (
        "x", "The tensors along a new dimension.", "y[i] = xᵢ", "Each tensor receives its own slice of g.",
        "its slice of g",
    ),
    # chosen elements
    "getitem": ("x", "The elements at an index.", "y = x[i]", _PLACES, _AT),
    "select": ("x", "One slice of a dimension.", "y = x[i]", _PLACES, _AT),
    "narrow": ("x", "A range of slices.", "y = x[i]", _PLACES, _AT),
    "index_select": ("x", "The slices that an index names.", "y = x[i]", _PLACES, _AT),
    "gather": ("x", "One element for each entry of an index.", "y[r] = x[r, i[r]]", _PLACES, _AT),
    "pick": ("x", "From each row the element of its class.", "y[r] = x[r, i[r]]", _PLACES, _AT),
    "take_along_dim": ("x", "One element for each entry of an index.", "y[r] = x[r, i[r]]", _PLACES, _AT),
    "masked_select": ("x", "The elements where a mask holds.", "y = x[mask]", _PLACES, _AT),
    "embedding": ("x", "The rows of a table that the ids name.", "y = x[id]", _PLACES, "Σ of g where y = x[id]"),
    "max_dim": ("x", "The first largest element.", "y = x[i] with i = argmax(x)", _PLACES, _AT),
    "min_dim": ("x", "The first smallest element.", "y = x[i] with i = argmin(x)", _PLACES, _AT),
    "sort": ("x", "The elements in order.", "y = x[i] with i = argsort(x)", _PLACES, _AT),
    "topk": ("x", "The k largest or smallest elements.", "y = x[i]", _PLACES, _AT),
    "put": (
        "x", "Zeros with x added at an index.", "y[i] = Σ of x at i",
        "Each element receives g at the place it went to.", "g[i]",
    ),
    "scatter": (
        "x src", "x with src written at an index.", "y = x, then y[i] = src",
        "What was overwritten receives 0; what was written receives g at its place.", "g, but 0 at i", "g[i]",
    ),
    "scatter_add": (
        "x src", "x with src added at an index.", "y = x, then y[i] += src",
        "x receives g; what was added receives g at its place.", "g", "g[i]",
    ),
    "where": (
        "condition input other", "input where the condition holds, else other.",
        "y = input · [condition] + other · [not condition]",
        "Each side receives g where it was chosen and 0 elsewhere; the condition has no slope.",
        "none", "g · [condition]", "g · [not condition]",
    ),
    "masked_fill": (
        "x mask v", "x, but the value v where the mask holds.", "y = x · [not mask] + v · [mask]",
        "x receives g where it was kept; the value receives the sum of g where it was filled in.",
        "g · [not mask]", "none", "Σ of g · [mask]",
    ),
    "one_hot": ("x", "A 1 at the class, else 0.", "y[c] = [x = c]", _NONE),
    "argmax": ("x", "The position of the largest element.", "y = argmax(x)", _NONE),
    "argmin": ("x", "The position of the smallest element.", "y = argmin(x)", _NONE),
    # products
    "mm": (
        "A B", "The product of two matrices.", "y = A @ B",
        "Each factor receives g times the other factor, transposed so that the shapes fit.", "g @ Bᵀ", "Aᵀ @ g",
    ),
    "bmm": (
        "A B", "The products of two batches of matrices.", "y = A @ B",
        "Each factor receives g times the other factor, transposed so that the shapes fit.", "g @ Bᵀ", "Aᵀ @ g",
    ),
    "dot": (
        "a b", "The inner product of two vectors.", "y = a @ b", "Each vector receives g times the other.",
        "g · b", "g · a",
    ),
    "mv": (
        "A b", "A matrix times a vector.", "y = A @ b",
        "The matrix receives all products of g and the vector; the vector Aᵀ times g.", "outer(g, b)", "Aᵀ @ g",
    ),
    "outer": (
        "a b", "All products of the elements of two vectors.", "y = outer(a, b)",
        "Each vector receives g times the other.", "g @ b", "gᵀ @ a",
    ),
    "linear": (
        "input weight bias", "A linear layer: each row times the weights, plus the bias.",
        "y = input @ weightᵀ + bias",
        "The input receives g times the weights; the weights the products of g and the input, summed over the batch; "
        "the bias, which every row shares, the sum of the rows of g.",
        "g @ weight", "gᵀ @ input", "Σ of the rows of g",
    ),
    # normalisation
    "unit": (
        "x", "The vector divided by its length.", "y = x / ‖x‖",
        "A change of length changes nothing: the part of g along y drops out, the rest is divided by the length.",
        "(g − y · Σ(g · y)) / ‖x‖",
    ),
    "inverse_length": (
        "x", "One over the length.", "y = 1 / ‖x‖", "A longer vector makes it smaller, by the square of the result.",
        "−g · y² · x / ‖x‖",
    ),
    "standardize": (
        "x", "Mean 0 and variance 1: m is the mean, v the variance.", "y = (x − m) / √(v + eps)",
        "Shift and scale change nothing: the mean of g and its part along y drop out, the rest is divided by the "
        "standard deviation.",
        "(g − mean(g) − y · mean(g · y)) / √(v + eps)",
    ),
    "rstd": (
        "x", "One over the standard deviation; m is the mean, v the variance.", "y = 1 / √(v + eps)",
        "An element further from the mean makes it smaller.", "−g · y³ · (x − m) / n",
    ),
}  # fmt: skip
