"""tinygrad_loss: the losses people can read, see and trust. A minimal autograd engine in PyTorch's language.

>>> import tinygrad_loss as torch
>>> from tinygrad_loss import nn
>>> nn.MSELoss()(torch.tensor([1.2, 3.4, 2.1]), torch.tensor([1., 3., 2.]))
tensor(0.0700)
"""

import gc
import sys
from math import e, inf, nan, pi
from typing import TYPE_CHECKING, Any

_collecting = gc.isenabled()
gc.disable()  # an import makes no garbage, and looking for it would take a fifth of its time

from .callsite import LossWarning
from .creation import (
    arange,
    as_tensor,
    empty,
    empty_like,
    eye,
    from_numpy,
    full,
    full_like,
    linspace,
    ones,
    ones_like,
    tensor,
    zeros,
    zeros_like,
)
from .devices import device
from .dtypes import (
    Size,
    double,
    dtype,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    int8,
    int16,
    int32,
    int64,
    long,
    set_default_dtype,
    short,
    uint8,
)
from .dtypes import bool_ as bool
from .dtypes import float_ as float
from .dtypes import int_ as int
from .generator import default_generator
from .modes import enable_grad, inference_mode, is_grad_enabled, no_grad, scope, set_grad_enabled
from .ops import operators as operators  # gives Tensor its methods
from .ops.activations import clamp, clamp_max, clamp_min, relu, softplus
from .ops.activations import clamp as clip
from .ops.closeness import allclose, equal, isclose
from .ops.elementwise import (
    abs,
    add,
    ceil,
    cos,
    div,
    eq,
    exp,
    expm1,
    floor,
    floor_divide,
    ge,
    gt,
    isfinite,
    isinf,
    isnan,
    le,
    log,
    log1p,
    log2,
    logical_and,
    logical_not,
    logical_or,
    lt,
    maximum,
    minimum,
    mul,
    ne,
    neg,
    pow,
    reciprocal,
    remainder,
    rsqrt,
    sigmoid,
    sign,
    sin,
    sqrt,
    square,
    sub,
    tanh,
    true_divide,
)
from .ops.elementwise import round_ as round
from .ops.gathering import gather, pick, scatter, scatter_add, take_along_dim
from .ops.indexing import index_select, narrow, select
from .ops.joining import cat, chunk, concat, split, stack, unbind
from .ops.linalg import bmm, dot, matmul, mm, mv, outer
from .ops.masking import masked_fill, masked_select, one_hot, where
from .ops.ordering import argmax, argmin, argsort, max, min, sort, topk
from .ops.reduce import all, amax, amin, any, mean, sum
from .ops.running import cumsum, prod
from .ops.shape import (
    broadcast_to,
    clone,
    diagonal,
    flatten,
    movedim,
    permute,
    repeat,
    reshape,
    squeeze,
    swapaxes,
    t,
    transpose,
    tril,
    triu,
    unsqueeze,
)
from .ops.special import erf
from .ops.stable import binary_log_likelihood, log_softmax, logsigmoid, logsumexp, softmax, times_log, xlogy
from .ops.statistics import norm, std, var
from .primitive import primitive
from .printing import set_printoptions
from .random import (
    Generator,
    bernoulli,
    get_rng_state,
    initial_seed,
    manual_seed,
    multinomial,
    normal,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    seed,
    set_rng_state,
)
from .tape import Tensor
from .threads import get_num_threads, set_num_threads

if _collecting:
    gc.enable()
if TYPE_CHECKING:
    from . import autograd, losses, nn, optim, utils, viz
    from .choose import which_loss
    from .explanation import explain
    from .losses import loss, set_value_checks
    from .memory import keep_freed_memory
    from .serialization import load, save

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """What tensors do not need is imported on first use, so that the import takes little more time than NumPy's."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _late(name)
    finally:
        if collecting:
            gc.enable()


def _late(name: str) -> Any:
    if name == "autograd":
        import tinygrad_loss.autograd
    elif name == "losses":
        import tinygrad_loss.losses
    elif name == "nn":
        import tinygrad_loss.nn
    elif name == "optim":
        import tinygrad_loss.optim
    elif name == "utils":
        import tinygrad_loss.utils
    elif name == "viz":
        import tinygrad_loss.viz
    elif name in ("loss", "set_value_checks"):
        import tinygrad_loss.losses

        return getattr(tinygrad_loss.losses, name)
    elif name in ("load", "save"):
        import tinygrad_loss.serialization

        return getattr(tinygrad_loss.serialization, name)
    elif name == "keep_freed_memory":
        import tinygrad_loss.memory

        return tinygrad_loss.memory.keep_freed_memory
    elif name == "explain":
        import tinygrad_loss.explanation

        return tinygrad_loss.explanation.explain
    elif name == "which_loss":
        import tinygrad_loss.choose

        return tinygrad_loss.choose.which_loss
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return sys.modules[f"{__name__}.{name}"]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Generator", "LossWarning", "Size", "Tensor", "abs", "add", "all", "allclose", "amax", "amin", "any", "arange",
    "argmax", "argmin", "argsort", "as_tensor", "autograd", "bernoulli", "binary_log_likelihood", "bmm", "bool",
    "broadcast_to", "cat", "ceil", "chunk", "clamp", "clamp_max", "clamp_min", "clip", "clone", "concat", "cos",
    "cumsum", "default_generator", "device", "diagonal", "div", "dot", "double", "dtype", "e", "empty",
    "empty_like", "enable_grad", "eq", "equal", "erf", "exp", "explain", "expm1", "eye", "flatten", "float",
    "float16", "float32", "float64", "floor", "floor_divide", "from_numpy", "full", "full_like", "gather", "ge",
    "get_default_dtype", "get_num_threads", "get_rng_state", "gt", "half", "index_select", "inf", "inference_mode",
    "initial_seed", "int", "int16", "int32", "int64", "int8", "is_grad_enabled", "isclose", "isfinite", "isinf",
    "isnan", "keep_freed_memory", "le", "linspace", "load", "log", "log1p", "log2", "log_softmax", "logical_and",
    "logical_not", "logical_or", "logsigmoid", "logsumexp", "long", "loss", "losses", "lt", "manual_seed",
    "masked_fill", "masked_select", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "movedim", "mul",
    "multinomial", "mv", "nan", "narrow", "ne", "neg", "nn", "no_grad", "norm", "normal", "one_hot", "ones",
    "ones_like", "optim", "outer", "permute", "pi", "pick", "pow", "primitive", "prod", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "randperm", "reciprocal", "relu", "remainder", "repeat",
    "reshape", "round", "rsqrt", "save", "scatter", "scatter_add", "scope", "seed", "select", "set_default_dtype",
    "set_grad_enabled", "set_num_threads", "set_printoptions", "set_rng_state", "set_value_checks", "short",
    "sigmoid", "sign", "sin", "softmax", "softplus", "sort", "split", "sqrt", "square", "squeeze", "stack", "std",
    "sub", "sum", "swapaxes", "t", "take_along_dim", "tanh", "tensor", "times_log", "topk", "transpose", "tril",
    "triu", "true_divide", "uint8", "unbind", "unsqueeze", "utils", "var", "viz", "where", "which_loss", "xlogy",
    "zeros", "zeros_like",
]  # fmt: skip
