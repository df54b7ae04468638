"""Every method and operator of Tensor that an operation stands behind: one explicit, greppable list."""

from __future__ import annotations

from typing import Any

from ..backward import backward
from ..creation import new_empty, new_full, new_ones, new_tensor, new_zeros
from ..filling import bernoulli_, normal_, random_, uniform_
from ..printing import format_tensor
from ..tape import Tensor as _Tensor
from . import (
    activations,
    conversion,
    elementwise,
    indexing,
    inplace,
    joining,
    linalg,
    masking,
    ordering,
    protocols,
    reduce,
    running,
    shape,
    special,
    stable,
    statistics,
)

Tensor: Any = _Tensor  # tape.py declares these methods for type checkers

Tensor.backward = backward
Tensor.__repr__ = format_tensor

# Arithmetic, from both sides.
Tensor.__add__ = Tensor.__radd__ = elementwise.add_
Tensor.__sub__ = elementwise.sub_
Tensor.__rsub__ = lambda self, other: elementwise.sub_(other, self)
Tensor.__mul__ = Tensor.__rmul__ = elementwise.mul
Tensor.__truediv__ = elementwise.true_divide
Tensor.__rtruediv__ = lambda self, other: elementwise.true_divide(other, self)
Tensor.__floordiv__ = elementwise.floor_divide
Tensor.__mod__ = elementwise.remainder
Tensor.__pow__ = elementwise.pow
Tensor.__rpow__ = lambda self, other: elementwise.pow(other, self)
Tensor.__matmul__ = linalg.matmul
Tensor.__rmatmul__ = lambda self, other: linalg.matmul(other, self)
Tensor.__neg__ = elementwise.neg
Tensor.__pos__ = lambda self: self
Tensor.__abs__ = elementwise.abs
Tensor.__invert__ = elementwise.bitwise_not
Tensor.__and__ = elementwise.bitwise_and
Tensor.__or__ = elementwise.bitwise_or
Tensor.__xor__ = elementwise.bitwise_xor
Tensor.__lt__ = elementwise.lt
Tensor.__le__ = elementwise.le
Tensor.__gt__ = elementwise.gt
Tensor.__ge__ = elementwise.ge
Tensor.__eq__ = elementwise.equal_or_not(elementwise.eq, False)
Tensor.__ne__ = elementwise.equal_or_not(elementwise.ne, True)
Tensor.__iadd__ = inplace.iadd
Tensor.__isub__ = inplace.isub
Tensor.__imul__ = inplace.imul
Tensor.__itruediv__ = inplace.itruediv

# Python's and NumPy's protocols.
Tensor.__getitem__ = indexing.getitem
Tensor.__setitem__ = inplace.setitem
Tensor.__array__ = protocols.array_protocol
Tensor.__array_ufunc__ = protocols.ufunc_protocol
Tensor.__bool__ = conversion.truth
Tensor.__len__ = conversion.length
Tensor.__iter__ = conversion.iterate
Tensor.__float__ = conversion.as_float
Tensor.__int__ = conversion.as_int
Tensor.__index__ = conversion.as_index
Tensor.__format__ = conversion.format_
Tensor.__contains__ = conversion.contains
Tensor.__deepcopy__ = protocols.deepcopy
Tensor.__reduce_ex__ = protocols.reduce_

_METHODS: dict[str, Any] = {
    # conversion
    "numpy": protocols.numpy, "item": conversion.item, "tolist": conversion.tolist, "to": conversion.to,
    "type": conversion.type_, "float": conversion.float_, "double": conversion.double, "half": conversion.half,
    "long": conversion.long, "int": conversion.int_, "short": conversion.short, "byte": conversion.byte,
    "bool": conversion.bool_, "type_as": conversion.type_as, "cpu": conversion.cpu, "size": conversion.size,
    "numel": conversion.numel, "nelement": conversion.numel, "dim": conversion.dim,
    "element_size": conversion.element_size, "contiguous": conversion.contiguous,
    "is_contiguous": conversion.is_contiguous, "is_floating_point": conversion.is_floating_point,
    # in place
    "add_": inplace.add_, "sub_": inplace.sub_, "mul_": inplace.mul_, "div_": inplace.div_, "neg_": inplace.neg_,
    "zero_": inplace.zero_, "fill_": inplace.fill_, "copy_": inplace.copy_, "clamp_": inplace.clamp_,
    "uniform_": uniform_, "normal_": normal_, "bernoulli_": bernoulli_,
    "random_": random_, "pow_": inplace.pow_, "exp_": inplace.exp_, "sqrt_": inplace.sqrt_,
    "relu_": inplace.relu_,
    # new tensors of the same type
    "new_tensor": new_tensor, "new_full": new_full, "new_zeros": new_zeros,
    "new_ones": new_ones, "new_empty": new_empty,
    # elementwise
    "add": elementwise.add, "sub": elementwise.sub, "subtract": elementwise.sub, "mul": elementwise.mul,
    "multiply": elementwise.mul, "div": elementwise.div, "divide": elementwise.div,
    "true_divide": elementwise.true_divide, "floor_divide": elementwise.floor_divide,
    "remainder": elementwise.remainder, "neg": elementwise.neg, "negative": elementwise.neg,
    "abs": elementwise.abs, "absolute": elementwise.abs, "sign": elementwise.sign, "exp": elementwise.exp,
    "expm1": elementwise.expm1, "log": elementwise.log, "log1p": elementwise.log1p, "log2": elementwise.log2,
    "sqrt": elementwise.sqrt, "rsqrt": elementwise.rsqrt, "square": elementwise.square,
    "reciprocal": elementwise.reciprocal, "pow": elementwise.pow, "sin": elementwise.sin, "cos": elementwise.cos,
    "tanh": elementwise.tanh, "sigmoid": elementwise.sigmoid, "floor": elementwise.floor, "ceil": elementwise.ceil,
    "round": elementwise.round_, "maximum": elementwise.maximum, "minimum": elementwise.minimum,
    "eq": elementwise.eq, "ne": elementwise.ne, "lt": elementwise.lt, "le": elementwise.le, "gt": elementwise.gt,
    "ge": elementwise.ge, "isnan": elementwise.isnan, "isinf": elementwise.isinf, "isfinite": elementwise.isfinite,
    "logical_not": elementwise.logical_not, "logical_and": elementwise.logical_and,
    "logical_or": elementwise.logical_or, "erf": special.erf,
    # stable functions and activations
    "softmax": stable.softmax, "log_softmax": stable.log_softmax, "logsumexp": stable.logsumexp,
    "xlogy": stable.xlogy, "clamp": activations.clamp, "clip": activations.clamp,
    "clamp_min": activations.clamp_min, "clamp_max": activations.clamp_max, "relu": activations.relu,
    # reductions and running sums
    "sum": reduce.sum, "mean": reduce.mean, "amax": reduce.amax, "amin": reduce.amin, "any": reduce.any,
    "all": reduce.all, "var": statistics.var, "std": statistics.std, "norm": statistics.norm,
    "sum_to_size": lambda self, *size: reduce.sum_to_(self, shape=shape.size_of(size)),
    "cumsum": running.cumsum, "prod": running.prod,
    # order
    "max": ordering.max, "min": ordering.min, "argmax": ordering.argmax, "argmin": ordering.argmin,
    "sort": ordering.sort, "argsort": ordering.argsort, "topk": ordering.topk,
    # shape
    "reshape": shape.reshape, "view": shape.view, "reshape_as": shape.reshape_as, "view_as": shape.view_as,
    "flatten": shape.flatten, "squeeze": shape.squeeze, "unsqueeze": shape.unsqueeze, "permute": shape.permute,
    "transpose": shape.transpose, "swapaxes": shape.swapaxes, "movedim": shape.movedim, "t": shape.t,
    "expand": shape.expand, "expand_as": shape.expand_as, "broadcast_to": shape.broadcast_to,
    "repeat": shape.repeat, "diagonal": shape.diagonal, "tril": shape.tril, "triu": shape.triu,
    "split": joining.split, "chunk": joining.chunk, "unbind": joining.unbind, "clone": shape.clone,
    # indexing
    "select": indexing.select, "narrow": indexing.narrow, "index_select": indexing.index_select,
    "gather": indexing.gather, "scatter": indexing.scatter, "scatter_add": indexing.scatter_add,
    "take_along_dim": indexing.take_along_dim, "masked_fill": masking.masked_fill,
    "masked_select": masking.masked_select,
    "where": lambda self, condition, other: masking.where(condition, self, other),
    # products
    "matmul": linalg.matmul, "mm": linalg.mm, "bmm": linalg.bmm, "mv": linalg.mv, "dot": linalg.dot,
    "outer": linalg.outer,
}  # fmt: skip

for _name, _function in _METHODS.items():
    setattr(Tensor, _name, _function)

Tensor.T = property(shape.T)
Tensor.mT = property(shape.mT)
Tensor.device = property(conversion.device)
Tensor.itemsize = property(lambda self: self.array.itemsize)
Tensor.nbytes = property(lambda self: self.array.nbytes)
