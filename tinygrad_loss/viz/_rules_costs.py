"""Words and mathematics of the operations that losses are made of; see _rules.py."""

# ruff: noqa: RUF001
from __future__ import annotations

# name: arguments, what it does, formula, rule in words, the gradient of each argument
COSTS: dict[str, tuple[str, ...]] = {
    "expm2": (
        "x", "exp(x) − 1 − x, exact near 0.", "y = exp(x) − 1 − x", "The slope is exp(x) − 1.", "g · (exp(x) − 1)",
    ),
    "log_cosh": (
        "x", "Half the square near 0, the absolute value far away.", "y = log(cosh(x))",
        "The slope is tanh: x near 0, the sign of x far away.", "g · tanh(x)",
    ),
    "hypot": (
        "a b", "The length of the hypotenuse.", "y = √(a² + b²)",
        "Each side receives its share of the length; at the origin nothing.", "g · a / y", "g · b / y",
    ),
    "poisson_cost": (
        "x t", "What a rate exp(x) costs when t events came; with stirling, t log t − t is added where t > 1.",
        "y = exp(x) − t · x", "The slope is how much the rate exp(x) exceeds what came.", "g · (exp(x) − t)", "−g · x",
    ),
    "rate_gap": (
        "x t", "How far the rate exp(x) is from t; never negative.", "y = exp(x) − t − t · (x − log(t))",
        "The slope is how much the rate exp(x) exceeds t.", "g · (exp(x) − t)", "g · (log(t) − x)",
    ),
    "xlogy": (
        "a b", "a times log b, and 0 where a is 0.", "y = a · log(b)",
        "A product: a receives g times the logarithm, b receives g · a / b.", "g · log(b)", "g · a / b",
    ),
    "times_log": (
        "p l", "A probability times a logarithm, and 0 where the probability is 0.", "y = p · l",
        "A product: each factor receives g times the other factor.", "g · l", "g · p",
    ),
    "clip_infinite": (
        "l p", "A logarithm, but 0 where it is infinite and its probability p is 0.", "y = l · [not clipped]",
        "The gradient passes where nothing was clipped.", "g · [not clipped]", "none",
    ),
    "between": (
        "t a b", "From a to b, t of the way.", "y = t · b + (1 − t) · a",
        "A weighted mean: a and b receive their weights, t receives g times the way from a to b.",
        "g · (b − a)", "g · (1 − t)", "g · t",
    ),
    "share_power": (
        "p", "A probability to a power; 0 where that leaves the range.", "y = p ^ exponent",
        "The slope is the exponent times the power with an exponent less by one.", "g · exponent · p ^ (exponent − 1)",
    ),
    "binary_log_likelihood": (
        "p t", "The log-likelihood of a yes or no: p is the probability, t the truth.",
        "y = t · max(log(p), −100) + (1 − t) · max(log(1 − p), −100)",
        "The probability is pulled towards the truth, the harder the surer it was of the opposite.",
        "g · (t − p) / max(p · (1 − p), 1e-12)", "g · (max(log(p), −100) − max(log(1 − p), −100))",
    ),
    "half_expm2": (
        "x", "Half of exp(x) − 1 − x, exact near 0.", "y = (exp(x) − 1 − x) / 2", "The slope is half of exp(x) − 1.",
        "g · (exp(x) − 1) / 2",
    ),
    "log1p_square": (
        "x", "The logarithm of 1 + x², whatever the square.", "y = log(1 + x²)",
        "The slope is 2 x near 0 and fades as 2 / x far away.", "g · 2 · x / (1 + x²)",
    ),
    "log_twice_sigmoid": (
        "x", "The logarithm of twice the sigmoid: x / 2 near 0.", "y = log(2 · σ(x))", "The slope is σ(−x).",
        "g · σ(−x)",
    ),
    "js_cost": (
        "x t", "What one class adds to the divergence of q = exp(x) and p = t (with log_target, exp(t)).",
        "y = (t · log(t / m) + exp(x) · log(exp(x) / m)) / 2, m = (t + exp(x)) / 2",
        "Each side is pulled towards the mean m of the two.", "g · exp(x) · log(exp(x) / m) / 2", "g · log(t / m) / 2",
    ),
    "difference_over": (
        "a b v", "The difference in units of v, also where the difference alone overflows.", "y = (a − b) / v",
        "A quotient: g / v to a, the opposite to b; v receives −g · y / v.", "g / v", "−g / v", "−g · y / v",
    ),
    "gaussian_cost": (
        "x t v", "What a normal distribution with mean x and variance v costs when t came.",
        "y = (log(v) + (x − t)² / v) / 2",
        "The mean is pulled to t in units of the variance; the variance to the squared difference.",
        "g · (x − t) / v", "−g · (x − t) / v", "g · (1 / v − (x − t)² / v²) / 2",
    ),
    "laplace_cost": (
        "x t v", "What a Laplace distribution at x with scale v costs when t came.", "y = log(2 · v) + |x − t| / v",
        "The place is pulled to t by 1 / v however far; the scale to the absolute difference.",
        "g · sign(x − t) / v", "−g · sign(x − t) / v", "g · (1 − |x − t| / v) / v",
    ),
}  # fmt: skip
