
"""Bad shapes, dims and indices: the exception and what the message names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import tensor
from tinygrad_loss.backward import grad
from tinygrad_loss.ops import indexing, joining, linalg, ordering, shape


def ones(*sizes: int, dtype: str = "float32") -> tl.Tensor:
    return tensor(np.ones(sizes, dtype))


X = ones(2, 3)
ERRORS: list[tuple[type[Exception], str, Any]] = [
    # rearranging
    (RuntimeError, r"reshape: shape \(4,\) is invalid for an input of shape \(2, 3\) with 6 elements", lambda: shape.reshape(X, 4)),
    (RuntimeError, r"shape \(-1, -1\) is invalid", lambda: shape.view(X, -1, -1)),
    (RuntimeError, r"size -2 in \(-2,\)", lambda: shape.view(X, -2)),
    (RuntimeError, r"shape \(-1, 0\) is invalid", lambda: shape.reshape(ones(0), (-1, 0))),
    (TypeError, "no sizes given", lambda: shape.reshape(X)),
    (TypeError, "input must be a Tensor, got list", lambda: shape.reshape([1.0], 1)),
    (IndexError, r"unsqueeze: Dimension out of range \(expected to be in range of \[-3, 2\], but got 4\)", lambda: shape.unsqueeze(X, 4)),
    (IndexError, r"squeeze: Dimension out of range \(expected to be in range of \[-2, 1\], but got 4\)", lambda: shape.squeeze(X, 4)),
    (RuntimeError, "names a dimension twice", lambda: shape.squeeze(X, (1, -1))),
    (RuntimeError, "start_dim=1 comes after end_dim=0", lambda: shape.flatten(X, 1, 0)),
    (IndexError, "transpose: Dimension out of range", lambda: shape.transpose(X, 0, 2)),
    (RuntimeError, r"permute: dims=\(0, 0\).*exactly once", lambda: shape.permute(X, 0, 0)),
    (RuntimeError, r"permute: dims=\(0,\)", lambda: shape.permute(X, 0)),
    (RuntimeError, "movedim: .*each once", lambda: shape.movedim(X, (0, 1), (0, 0))),
    (RuntimeError, r"t: expected at most 2 dimensions, got shape \(1, 2, 3\)", lambda: shape.t(ones(1, 2, 3))),
    (RuntimeError, r"mT: .*got shape \(3,\)", lambda: shape.mT(ones(3))),
    (RuntimeError, r"tril: .*got shape \(3,\)", lambda: shape.tril(ones(3))),
    (RuntimeError, "dim1=1 and dim2=1 are the same", lambda: shape.diagonal(X, 0, 1, 1)),
    (RuntimeError, r"expand: shape \(2, 3\) cannot become \(4, 3\)", lambda: shape.expand(X, 4, 3)),
    (RuntimeError, r"expand: shape \(2, 3\) cannot become \(3,\)", lambda: shape.expand(X, 3)),
    (RuntimeError, r"expand: shape \(3,\) cannot become \(-1, 3\)", lambda: shape.expand(ones(3), -1, 3)),
    (RuntimeError, r"repeat: \(2,\) for shape \(2, 3\)", lambda: shape.repeat(X, 2)),
    (RuntimeError, r"repeat: \(-1, 2\)", lambda: shape.repeat(X, -1, 2)),
    # joining
    (ValueError, "non-empty list", lambda: joining.cat([])),
    (TypeError, "tensors must be a list or tuple of Tensors, got Tensor", lambda: joining.cat(X)),
    (TypeError, r"tensors\[1\] must be a Tensor, got float", lambda: joining.cat([ones(1), 1.0])),
    (RuntimeError, r"tensors\[1\] has shape \(2, 2\), tensors\[0\] \(2, 3\); .*dim 0", lambda: joining.cat([X, ones(2, 2)])),
    (RuntimeError, r"tensors\[1\] has shape \(3,\)", lambda: joining.cat([X, ones(3)], 1)),
    (RuntimeError, r"tensors\[0\] has no dimension", lambda: joining.cat([ones()])),
    (IndexError, "cat: Dimension out of range", lambda: joining.cat([X, X], 2)),
    (RuntimeError, "stack: expected a non-empty", lambda: joining.stack([])),
    (RuntimeError, r"tensors\[1\] has shape \(3,\), tensors\[0\] \(2,\)", lambda: joining.stack([ones(2), ones(3)])),
    (IndexError, "stack: Dimension out of range", lambda: joining.stack([X, X], 3)),
    (RuntimeError, r"split: sizes \[2, 2\].*add up to 5", lambda: joining.split(ones(5), [2, 2])),
    (RuntimeError, r"split: sizes \[7, -2\]", lambda: joining.split(ones(5), [7, -2])),
    (RuntimeError, "split: size 0 in dim 0 of size 5", lambda: joining.split(ones(5), 0)),
    (RuntimeError, "split: expected at least 1 dimension", lambda: joining.split(ones(), 1)),
    (RuntimeError, "chunk: chunks=0", lambda: joining.chunk(X, 0)),
    (IndexError, "unbind: .*no dimension", lambda: joining.unbind(ones())),
    # indexing
    (IndexError, r"index 5 is out of bounds.*shape \(2, 3\)", lambda: X[5]),
    (IndexError, r"index 5 is out of bounds.*shape \(2, 3\)", lambda: X[tensor([0, 5])]),
    (IndexError, r"too many indices.*shape \(2, 3\)", lambda: X[0, 0, 0]),
    (IndexError, r"too many indices.*shape \(\)", lambda: ones()[0]),
    (IndexError, r"boolean index did not match.*shape \(2, 3\)", lambda: X[tensor([True])]),
    (IndexError, r"got float32; for a tensor use \.long\(\)", lambda: X[tensor([0.0])]),
    (IndexError, "got float", lambda: X[1.0]),
    (IndexError, "got str", lambda: X["a"]),
    (IndexError, "a uint8 tensor could be a mask", lambda: X[tensor(np.uint8([0, 1]))]),
    (ValueError, "slice step -1", lambda: X[::-1]),
    (IndexError, r"select: index 5 out of range for dim 0 of size 2, shape \(2, 3\)", lambda: indexing.select(X, 0, 5)),
    (IndexError, "no dimension to select", lambda: indexing.select(ones(), 0, 0)),
    (RuntimeError, "narrow: start 1 [+] length 2 must lie within dim 0 of size 2", lambda: indexing.narrow(X, 0, 1, 2)),
    (RuntimeError, "length -1", lambda: indexing.narrow(X, 0, 0, -1)),
    (IndexError, "start=3 is out of range", lambda: indexing.narrow(X, 0, 3, 0)),
    (IndexError, r"index_select: index\[1\] = 4 is out of range for dim 1 of size 3: valid are 0 to 2", lambda: indexing.index_select(X, 1, tensor([2, 4]))),
    (IndexError, r"index\[0\] = -1 is out of range.*do not count from the end", lambda: indexing.index_select(X, 1, tensor([-1]))),
    (IndexError, r"index has shape \(1, 1\)", lambda: indexing.index_select(X, 1, tensor([[0]]))),
    (TypeError, r"index has dtype float32; expected integers: use index.long\(\)", lambda: indexing.index_select(X, 1, ones(1))),
    (TypeError, "index must be a Tensor, got list", lambda: indexing.gather(X, 1, [[0]])),
    (IndexError, r"gather: index\[1, 0\] = 3 is out of range for dim 1 of size 3.*labels that start at 1\? subtract 1", lambda: indexing.gather(X, 1, tensor([[0], [3]]))),
    (IndexError, r"gather: index\[0, 0\] = -1", lambda: indexing.gather(X, 1, tensor([[-1], [3]]))),
    (RuntimeError, r"gather: index has shape \(1,\), input \(2, 3\); both need as many dimensions", lambda: indexing.gather(X, 1, tensor([0]))),
    (RuntimeError, r"gather: index has shape \(3, 1\).*does not broadcast", lambda: indexing.gather(X, 1, tensor([[0], [0], [0]]))),
    (RuntimeError, r"scatter: index has shape \(2, 1\), src \(1, 1\)", lambda: indexing.scatter(X, 1, tensor([[0], [0]]), ones(1, 1))),
    (RuntimeError, "scatter: src has dtype float64, input float32", lambda: indexing.scatter(X, 1, tensor([[0], [0]]), ones(2, 1, dtype="float64"))),
    (IndexError, r"scatter_add: index\[0, 0\] = 9", lambda: indexing.scatter_add(X, 1, tensor([[9]]), ones(1, 1))),
    (IndexError, r"take_along_dim: indices\[0, 0\] = -4 .* valid are -3 to 2", lambda: indexing.take_along_dim(X, tensor([[-4]]), 1)),
    (RuntimeError, r"take_along_dim: indices have shape \(1,\)", lambda: indexing.take_along_dim(X, tensor([0]), 1)),
    (RuntimeError, "sizes must be equal or 1", lambda: indexing.take_along_dim(X, tensor([[0], [0], [0]]), 1)),
    (IndexError, r"pick: index\[1\] = 3 is out of range for dim 1 of size 3", lambda: indexing.pick(X, tensor([0, 3]), 1)),
    (IndexError, r"pick: index\[0\] = -1", lambda: indexing.pick(X, tensor(np.int8([-1, 0])), 1)),
    (RuntimeError, r"pick: index has shape \(3,\), input \(2, 3\); expected that without dim 1", lambda: indexing.pick(X, tensor([0, 0, 0]), 1)),
    (RuntimeError, "where: condition has dtype float32; expected a boolean", lambda: indexing.where(X, X, X)),
    (RuntimeError, r"where: condition of shape \(2,\) and input of shape \(2, 3\)", lambda: indexing.where(tensor([True, False]), X, 0.0)),
    (TypeError, "where: other must be a Tensor, got str", lambda: indexing.where(X > 0, X, "a")),
    (TypeError, "where: got input or other", lambda: indexing.where(X > 0, X)),
    (RuntimeError, "masked_fill: mask has dtype int64", lambda: indexing.masked_fill(X, tensor([1, 0, 1]), 0.0)),
    (RuntimeError, r"masked_fill: value has shape \(3,\)", lambda: indexing.masked_fill(X, X > 0, ones(3))),
    (RuntimeError, "masked_fill: value -inf does not fit int64", lambda: indexing.masked_fill(tensor([0, 1]), tensor([True, False]), -np.inf)),
    (RuntimeError, r"masked_fill: input of shape \(2, 3\) and mask of shape \(2,\)", lambda: indexing.masked_fill(X, tensor([True, False]), 0.0)),
    (RuntimeError, "masked_select: mask has dtype int64", lambda: indexing.masked_select(X, tensor([1, 0, 1]))),
    (IndexError, r"one_hot: tensor\[1\] = -1 is out of range", lambda: indexing.one_hot(tensor([0, -1]))),
    (IndexError, r"one_hot: tensor\[1\] = 4 is out of range for num_classes of size 3", lambda: indexing.one_hot(tensor([0, 4]), 3)),
    (RuntimeError, "one_hot: got dtype float32", lambda: indexing.one_hot(ones(2))),
    (RuntimeError, "cannot infer num_classes", lambda: indexing.one_hot(tensor(np.zeros(0, np.int64)))),
    # ordering
    (RuntimeError, "topk: k=4 is out of range for dim 1 of size 3", lambda: ordering.topk(X, 4)),
    (IndexError, "max: Expected reduction dim 1 to have non-zero size", lambda: ordering.max(ones(2, 0), 1)),
    (RuntimeError, r"max: nothing to choose from in shape \(0,\)", lambda: ordering.max(ones(0))),
    (IndexError, r"argmax: nothing to choose from in shape \(0,\)", lambda: ordering.argmax(ones(0))),
    (RuntimeError, "argmin: got a bool tensor", lambda: ordering.argmin(X > 0)),
    (IndexError, "sort: Dimension out of range", lambda: ordering.sort(X, 2)),
    # products
    (RuntimeError, r"mm: input of shape \(2, 3\) and mat2 of shape \(2, 3\) cannot be multiplied", lambda: X @ X),
    (RuntimeError, r"matmul: expected at least 1 dimension each, got shapes \(2, 3\) and \(\)", lambda: X @ ones()),
    (RuntimeError, r"matmul: the batches of shapes \(2,\) and \(3,\)", lambda: ones(2, 3, 4) @ ones(3, 4, 2)),
    (RuntimeError, "mm: input has dtype float32, mat2 float64", lambda: X @ ones(3, 2, dtype="float64")),
    (NotImplementedError, "bool", lambda: (X > 0) @ (X > 0)),
    (TypeError, "other must be a Tensor, got int", lambda: X @ 2),
    (RuntimeError, r"bmm: expected shapes \(b, n, k\) and \(b, k, m\), got \(2, 3, 4\) and \(3, 4, 2\)", lambda: linalg.bmm(ones(2, 3, 4), ones(3, 4, 2))),
    (RuntimeError, r"mm: expected two matrices, got shapes \(2,\) and \(2, 2\)", lambda: linalg.mm(ones(2), ones(2, 2))),
    (RuntimeError, r"dot: .*\(2,\) and \(3,\)", lambda: linalg.dot(ones(2), ones(3))),
    (RuntimeError, r"mv: .*\(2, 3\) and \(2,\)", lambda: linalg.mv(X, ones(2))),
    (RuntimeError, r"outer: .*\(2, 3\) and \(2,\)", lambda: linalg.outer(X, ones(2))),
    (RuntimeError, r"linear: input of shape \(2, 3\) has 3 features .* weight of shape \(4, 5\) expects 5", lambda: linalg.linear(X, ones(4, 5))),
    (RuntimeError, r"linear: bias has shape \(5,\), weight \(4, 3\); expected \(4,\)", lambda: linalg.linear(X, ones(4, 3), ones(5))),
    (RuntimeError, "linear: input has dtype float64, weight float32", lambda: linalg.linear(ones(2, 3, dtype="float64"), ones(4, 3))),
    (RuntimeError, "linear: weight has dtype float32, bias float64", lambda: linalg.linear(X, ones(4, 3), ones(4, dtype="float64"))),
    (TypeError, "linear: input must be a Tensor, got list", lambda: linalg.linear([[1.0]], ones(1, 1))),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(ERRORS)), ids=[e[1][:30] for e in ERRORS])
def test_message(i: int) -> None:
    kind, message, call = ERRORS[i]
    with pytest.raises(kind, match=message):
        call()


def test_results_of_ordering_print_their_names() -> None:
    assert repr(ordering.max(tensor([[1.0, 3.0]]), 1)) == (
        "tinygrad_loss.return_types.max(\nvalues=tensor([3.]),\nindices=tensor([1]))"
    )
    values, indices = ordering.sort(tensor([2.0, 1.0]))
    assert (values.tolist(), indices.tolist()) == ([1.0, 2.0], [1, 0])


def test_ties_and_nans_are_ordered_as_in_torch() -> None:
    nan = float("nan")
    x = tensor([1.0, nan, 3.0, 1.0, nan])
    assert ordering.argsort(x).tolist() == [0, 3, 2, 1, 4]
    assert ordering.argsort(x, descending=True).tolist() == [1, 4, 2, 0, 3]
    assert ordering.topk(x, 3).indices.tolist() == [1, 4, 2]
    many = tensor(np.array([*range(40), nan, *range(40)]))
    assert ordering.topk(many, 2).indices.tolist() in ([40, 39], [40, 80])
    assert ordering.topk(many, 3, largest=False).values.tolist() == [0.0, 0.0, 1.0]
    assert ordering.argmax(x).item() == 1 and ordering.argmin(x).item() == 1
    y = tensor([2.0, 2.0], requires_grad=True)
    assert grad(ordering.max(y, 0).values, y)[0].tolist() == [1.0, 0.0]
    assert grad(ordering.max(y), y)[0].tolist() == [0.5, 0.5]


def test_an_index_that_is_overwritten_later_does_not_change_the_gradient() -> None:
    x = tensor([1.0, 2.0, 3.0], requires_grad=True)
    for function in (
        lambda i: x[i],
        lambda i: indexing.gather(x, 0, i),
        lambda i: indexing.index_select(x, 0, i),
        lambda i: indexing.take_along_dim(x, i, 0),
    ):
        index = tensor([0, 0])
        y = function(index)
        index.array[:] = 2
        assert grad(y, x, tensor([1.0, 1.0]))[0].tolist() == [2.0, 0.0, 0.0]


@pytest.mark.parametrize("width", [None, 1], ids=["numbers", "rows"])
def test_contributions_to_one_place_lose_no_digits(width: int | None) -> None:
    n, size = 1000, (1000,) if width is None else (1000, 1)
    x = tensor(np.zeros((2, *size[1:]), np.float32), requires_grad=True)
    y = indexing.getitem(x, np.zeros(n, np.int8))
    seed = np.ones(size, np.float32)
    seed[0] = 2**24  # to which a float32 sum cannot add 1
    (g,) = grad(y, x, tensor(seed))
    assert g.reshape(-1).tolist() == [float(2**24 + 1000), 0.0]


def test_views_share_memory_and_gradients_do_not() -> None:
    x = tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    for y in (shape.view(x, 4), shape.t(x), x[0], shape.squeeze(x), joining.unbind(x)[1]):
        assert np.shares_memory(y.array, x.array)
        seed = tensor(np.ones(y.array.shape, np.float32))
        y.backward(seed)
        assert x.grad is not None and not np.shares_memory(x.grad.array, seed.array)
        x.grad = None


def test_half_precision_products_are_summed_in_single() -> None:
    x = tensor(np.full((1, 4096), 1.0, np.float16))
    assert linalg.linear(x, x).item() == 4096.0
    assert linalg.matmul(x, shape.t(x)).item() == 4096.0
    assert linalg.matmul(shape.unsqueeze(x, 0), shape.reshape(x, (1, 4096, 1))).item() == 4096.0
