"""Making tensors: dtypes, forms of arguments, errors; printing and random streams against golden text."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import generator as raw
from tinygrad_loss.printing import set_printoptions

F32, F64, I64 = tl.float32, tl.float64, tl.int64


@pytest.mark.parametrize(
    "data, dtype, shape",
    [
        (1, I64, ()),
        (1.5, F32, ()),
        (True, tl.bool, ()),
        ([], F32, (0,)),
        ([[]], F32, (1, 0)),
        ([[], []], F32, (2, 0)),
        ([True, 1], I64, (2,)),
        ([1, 2.5], F32, (2,)),
        ([[1, 2], [3, 4]], I64, (2, 2)),
        (((1.0,), [2.0]), F32, (2, 1)),
        (range(3), I64, (3,)),
        ([range(2), range(2)], I64, (2, 2)),
        (np.float64(1.5), F64, ()),
        ([np.float64(1)], F64, (1,)),
        ([np.float32(1), 1.0], F32, (2,)),
        ([np.float32(1), np.float64(2)], F64, (2,)),
        ([np.int32(1)], tl.int32, (1,)),
        ([np.int32(1), 2], I64, (2,)),
        ([np.float16(1), 1], tl.float16, (2,)),
        (np.ones((2, 1)), F64, (2, 1)),
        (np.array([1], np.uint8), tl.uint8, (1,)),
        ([np.ones(2), np.ones(2)], F64, (2, 2)),
        (np.bool_(True), tl.bool, ()),
        ([[np.ones(2)], [np.ones(2)]], F64, (2, 1, 2)),
    ],
)
def test_dtype_and_shape_of_data(data: Any, dtype: Any, shape: tuple[int, ...]) -> None:
    t = tl.tensor(data)
    assert (t.dtype, t.shape) == (dtype, shape)
    assert tl.as_tensor(data).dtype is dtype


def test_lists_of_tensors_of_one_element() -> None:
    t = tl.tensor([tl.tensor(1.0, dtype=F64), tl.tensor([2.0]), 3])
    assert t.dtype is F64 and t.tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ValueError, match=r"element 1 is a tensor of shape \(2,\); only one element .*stack\(list\)"):
        tl.tensor([tl.tensor(1.0), tl.tensor([1.0, 2.0])])


@pytest.mark.parametrize(
    "data, message",
    [
        ([[1, 2], [3]], r"data\[1\] has length 1, data\[0\] has length 2"),
        ([[[1], [2]], [[3], [4, 5]]], r"data\[1\]\[1\] has length 2, data\[0\]\[0\] has length 1"),
        ([1, [2]], r"data\[1\] has length 1, data\[0\] has no length \(it is a number\)"),
        ([[1], 2], r"data\[1\] has no length"),
        ([np.ones(2), np.ones(3)], r"element 1 has shape \(3,\), element 0 has \(2,\)"),
        (2**63, r"9223372036854775808 does not fit tinygrad_loss.int64"),
    ],
)
def test_ragged_lists_name_the_place(data: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tl.tensor(data)


@pytest.mark.parametrize(
    "data, message",
    [
        ("a", "got str"),
        (["a"], "element 0 is 'a', a str"),
        ([1, None], "element 1 is None, a NoneType"),
        (None, "got NoneType"),
        ({1}, r"got set; use list\(...\)"),
        ({1: 2}, "got dict"),
        (1 + 2j, "got complex"),
        (np.array(["a"]), "only numbers"),
        (np.array([1], np.uint16), r"dtype uint16; convert it with .astype\(\)"),
        (np.array([None]), "only numbers"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "masked array would lose its mask"),
        (np.array([1.0], ">f8"), "convert it with"),
    ],
)
def test_what_is_no_number_is_refused(data: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        tl.tensor(data)


def test_dtype_argument() -> None:
    assert tl.tensor([1.7, -1.7], dtype=I64).tolist() == [1, -1]
    assert tl.tensor([1, 2], dtype=F64).dtype is F64
    assert tl.tensor([0, 2], dtype=bool).tolist() == [False, True]
    assert tl.tensor(np.ones(2), dtype=np.float32).dtype is F32
    with pytest.raises(ValueError, match=r"300 does not fit tinygrad_loss.uint8"):
        tl.tensor([1, 300], dtype=tl.uint8)
    with pytest.raises(ValueError, match="nan does not fit"):
        tl.tensor([float("nan")], dtype=I64)
    with pytest.raises(TypeError, match="not an element type"):
        tl.tensor([1.0], dtype="letters")
    with pytest.raises(RuntimeError, match="only floating point tensors can require grad"):
        tl.tensor([1], requires_grad=True)
    assert tl.tensor([1.0], requires_grad=True).requires_grad


def test_copies_and_shares() -> None:
    a = np.zeros(2, np.float32)
    copied, shared, also = tl.tensor(a), tl.from_numpy(a), tl.as_tensor(a)
    a[0] = 5
    assert (copied.tolist(), shared.tolist(), also.tolist()) == ([0, 0], [5, 0], [5, 0])
    x = tl.tensor([1.0], requires_grad=True)
    assert tl.as_tensor(x) is x and not tl.tensor(x).requires_grad
    assert not np.shares_memory(tl.tensor(x).array, x.array)
    assert tl.as_tensor(x, dtype=F64).requires_grad  # stays in the graph
    with pytest.raises(TypeError, match=r"expected a np.ndarray, got list"):
        tl.from_numpy([1])


def test_default_dtype() -> None:
    tl.set_default_dtype(F64)
    try:
        made = [
            tl.tensor(1.0),
            tl.zeros(1),
            tl.rand(1),
            tl.randn(1),
            tl.full((1,), 1.0),
            tl.linspace(0, 1, 2),
            tl.arange(1.0),
        ]
        assert all(t.dtype is F64 for t in made)
        assert tl.tensor(1).dtype is I64
    finally:
        tl.set_default_dtype(F32)


@pytest.mark.parametrize("device", [None, "cpu", "cpu:0", "as object"])
def test_the_cpu_in_every_form(device: Any) -> None:
    device = tl.device("cpu") if device == "as object" else device
    for t in (
        tl.tensor(1, device=device),
        tl.zeros(2, device=device),
        tl.rand(2, device=device),
        tl.eye(2, device=device),
        tl.arange(2, device=device),
        tl.randint(3, (2,), device=device),
        tl.as_tensor([1], device=device),
    ):
        assert t.device == tl.device("cpu")
    assert repr(tl.device("cpu")) == "device(type='cpu')" and str(tl.device("cpu", 0)) == "cpu:0"


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "mps", 0, "gpu"])
def test_other_devices_are_refused(device: Any) -> None:
    for make in (
        lambda: tl.zeros(2, device=device),
        lambda: tl.tensor([1], device=device),
        lambda: tl.device(device),
        lambda: tl.rand(2, device=device),
        lambda: tl.Generator(device),
    ):
        with pytest.raises(RuntimeError, match="on the CPU only"):
            make()


def test_sizes() -> None:
    for make in (tl.zeros, tl.ones, tl.empty, tl.rand, tl.randn):
        assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == make(size=(2, 3)).shape == (2, 3)
        assert make(()).shape == () and make(0).shape == (0,) and make(tl.tensor(2)).shape == (2,)
        with pytest.raises(TypeError, match="missing the size"):
            make()
        with pytest.raises(TypeError, match="must be ints"):
            make(2.0)
        with pytest.raises(RuntimeError, match="not be negative"):
            make(2, -1)
        assert make(2, dtype=F64, requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match="floating point"):
        tl.zeros(2, dtype=I64, requires_grad=True)


def test_full_and_likes() -> None:
    assert tl.full((2,), True).dtype is tl.bool and tl.full((2,), 1).dtype is I64 and tl.full((2,), 1.0).dtype is F32
    assert tl.full((2,), tl.tensor(3)).dtype is I64 and tl.full((), 2.0).item() == 2.0
    assert tl.full((2,), 1, dtype=F64).dtype is F64
    with pytest.raises(TypeError, match=r"write full\(\(2,\)"):
        tl.full(2, 1.0)
    x = tl.ones(2, 1, dtype=tl.int32)
    for like in (tl.zeros_like, tl.ones_like, tl.empty_like):
        assert like(x).dtype is tl.int32 and like(x).shape == (2, 1) and like(x, dtype=F64).dtype is F64
        with pytest.raises(TypeError, match="input must be a Tensor, got list"):
            like([1])
    assert tl.full_like(x, 1.5).tolist() == [[1], [1]]
    assert tl.rand_like(x, dtype=F64).dtype is F64 and tl.randn_like(tl.ones(2, 3)).shape == (2, 3)


def test_new_methods() -> None:
    from tinygrad_loss import creation

    x = tl.ones(2, dtype=F64)
    assert creation.new_tensor(x, [1, 2]).dtype is F64 and creation.new_full(x, (2,), 1).dtype is F64
    assert creation.new_zeros(x, 2, 3).shape == (2, 3) and creation.new_ones(x, (2, 3)).dtype is F64
    assert creation.new_empty(x, 1, dtype=I64).dtype is I64


def test_arange_and_linspace() -> None:
    assert tl.arange(5).tolist() == [0, 1, 2, 3, 4] and tl.arange(5).dtype is I64
    assert tl.arange(2, 5.0).dtype is F32 and tl.arange(1, 5, 2, dtype=F64).dtype is F64
    assert tl.arange(5, 0, -2).tolist() == [5, 3, 1] and tl.arange(0).shape == (0,)
    assert tl.arange(1, 2, 0.25).tolist() == [1.0, 1.25, 1.5, 1.75] and tl.arange(tl.tensor(3)).dtype is I64
    assert tl.arange(end=4).tolist() == [0, 1, 2, 3] and tl.arange(start=1, end=4).tolist() == [1, 2, 3]
    assert tl.arange(2**62, 2**62 + 3).tolist() == [2**62, 2**62 + 1, 2**62 + 2]
    for wrong in ((5, 1), (1, 5, -1), (1, 5, 0), (0, float("inf")), (0, 1, float("nan"))):
        with pytest.raises(RuntimeError, match="arange"):
            tl.arange(*wrong)
    assert tl.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert tl.linspace(0, 1, 1).tolist() == [0] and tl.linspace(0, 1, 0).shape == (0,)
    assert tl.linspace(0, 10, 5, dtype=I64).tolist() == [0, 2, 5, 7, 10]
    assert tl.linspace(0.1, 0.7, 50)[-1].item() == np.float32(0.7)
    with pytest.raises(RuntimeError, match="non-negative"):
        tl.linspace(0, 1, -1)
    with pytest.raises(TypeError, match="steps must be an int"):
        tl.linspace(0, 1, 3.0)  # type: ignore[arg-type]
    assert tl.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]


GOLDEN = [  # printed by torch 2.13
    (0.2333, "tensor(0.2333)"),
    ([0.8808, 0.2689], "tensor([0.8808, 0.2689])"),
    ([1.0, 2.0, -3.0], "tensor([ 1.,  2., -3.])"),
    ([1.0, float("nan"), float("inf"), float("-inf")], "tensor([1., nan, inf, -inf])"),
    ([1.5, float("nan"), float("-inf")], "tensor([1.5000,    nan,   -inf])"),
    ([-0.0, 0.0], "tensor([-0., 0.])"),
    ([1e-5, 1.0], "tensor([1.0000e-05, 1.0000e+00])"),
    ([100000000.0, 1.0], "tensor([1.0000e+08, 1.0000e+00])"),
    ([0.00001], "tensor([1.0000e-05])"),
    ([True, False], "tensor([ True, False])"),
    ([1, -20, 300], "tensor([  1, -20, 300])"),
    ([], "tensor([])"),
    ([[]], "tensor([], size=(1, 0))"),
    ([[1.0, 2.0], [3.0, 4.5]], "tensor([[1.0000, 2.0000],\n        [3.0000, 4.5000]])"),
    (np.float64(1.5), "tensor(1.5000, dtype=tinygrad_loss.float64)"),
    (np.array([1], np.int32), "tensor([1], dtype=tinygrad_loss.int32)"),
    (np.zeros((0, 3), np.int64), "tensor([], size=(0, 3), dtype=tinygrad_loss.int64)"),
    (np.zeros((2, 2, 1), np.float32), "tensor([[[0.],\n         [0.]],\n\n        [[0.],\n         [0.]]])"),
    (range(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
]


@pytest.mark.parametrize("data, text", GOLDEN)
def test_prints(data: Any, text: str) -> None:
    assert repr(tl.tensor(data)) == str(tl.tensor(data)) == text


def test_prints_the_graph() -> None:
    x = tl.tensor([1.0, 2.0], requires_grad=True)
    assert repr(x) == "tensor([1., 2.], requires_grad=True)"
    assert repr(x * 2) == "tensor([2., 4.], grad_fn=<MulBackward0>)"
    wide = tl.tensor(np.arange(14.0), requires_grad=True)
    assert repr(wide).endswith("13.],\n       dtype=tinygrad_loss.float64, requires_grad=True)")


def test_print_options() -> None:
    try:
        set_printoptions(precision=2, threshold=3, edgeitems=1)
        assert repr(tl.tensor([1.126, 2, 3, 4])) == "tensor([1.13,  ..., 4.00])"
        with pytest.raises(ValueError, match="profile must be one of default, short, full"):
            set_printoptions(profile="tiny")
        with pytest.raises(ValueError, match="precision"):
            set_printoptions(precision=-1)
        set_printoptions(profile="default", sci_mode=True)
        assert repr(tl.tensor([1.0])) == "tensor([1.0000e+00])"
    finally:
        set_printoptions(profile="default")


def test_streams_are_torchs() -> None:
    """Golden values from torch 2.13, seed 0."""
    tl.manual_seed(0)
    assert repr(tl.rand(3)) == "tensor([0.4963, 0.7682, 0.0885])"
    assert tl.manual_seed(0) is tl.default_generator
    assert repr(tl.randn(3)) == "tensor([ 1.5410, -0.2934, -2.1788])"
    tl.manual_seed(0)
    assert tl.randperm(10).tolist() == [4, 1, 7, 5, 3, 9, 0, 8, 6, 2]
    tl.manual_seed(0)
    assert raw.random_int64() == 900450186894289455
    tl.manual_seed(0)
    assert tl.randint(0, 10, (8,)).tolist() == [4, 9, 3, 0, 3, 9, 7, 3]
    tl.manual_seed(0)
    assert tl.bernoulli(tl.zeros(8), 0.3).tolist() == [0, 0, 0, 0, 0, 0, 1, 0]
    tl.manual_seed(0)
    assert tl.multinomial(tl.tensor([1.0, 2, 3, 4]), 4).tolist() == [2, 1, 3, 0]


def test_numpys_own_generator_is_left_alone() -> None:
    np.random.seed(5)
    before = np.random.get_state(legacy=False)
    tl.seed()
    tl.rand(3), tl.randn(30), tl.randperm(5), tl.bernoulli(tl.ones(3), 0.5)
    after = np.random.get_state(legacy=False)
    assert before["state"]["pos"] == after["state"]["pos"] and (before["state"]["key"] == after["state"]["key"]).all()


def test_states() -> None:
    g = tl.Generator()
    assert g.device == tl.device("cpu") and g.initial_seed() == 67280421310721
    tl.randn(3, generator=g)
    state = g.get_state()
    a = tl.randn(5, generator=g).tolist()
    assert tl.randn(5, generator=g).tolist() != a
    assert tl.randn(5, generator=g.set_state(state)).tolist() == a
    with pytest.raises(TypeError, match="uint8 tensor"):
        g.set_state([1])  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="5056 bytes"):
        g.set_state(tl.zeros(3, dtype=tl.uint8))
    with pytest.raises(RuntimeError, match="not the state"):
        g.set_state(tl.zeros(5056, dtype=tl.uint8))
    assert tl.initial_seed() == tl.default_generator.initial_seed()
    assert tl.seed() == tl.initial_seed()
    for wrong in (1.5, 2**64, "a"):
        with pytest.raises(RuntimeError, match="at most 64 bits"):
            tl.manual_seed(wrong)  # type: ignore[arg-type]


def test_threads_share_a_generator() -> None:
    g = tl.Generator().manual_seed(1)
    seen: list[int] = []
    threads = [threading.Thread(target=lambda: seen.extend(raw.random_int64(g) for _ in range(500))) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    g.manual_seed(1)
    assert sorted(seen) == sorted(raw.random_int64(g) for _ in range(2000))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: tl.rand(2, dtype=I64), NotImplementedError, "int64"),
        (lambda: tl.randn(2, dtype=tl.bool), NotImplementedError, "bool"),
        (lambda: tl.randint(5, 5, (2,)), RuntimeError, "must be smaller"),
        (lambda: tl.randint(0, 10), TypeError, "missing the size"),
        (lambda: tl.randint(0, 300, (2,), dtype=tl.uint8), RuntimeError, "does not fit uint8"),
        (lambda: tl.randperm(-1), RuntimeError, "negative"),
        (lambda: tl.bernoulli(tl.tensor([0.5, 1.5])), RuntimeError, "got 1.5"),
        (lambda: tl.bernoulli(tl.tensor([float("nan")])), RuntimeError, "nan"),
        (lambda: tl.bernoulli(tl.ones(2), -0.5), RuntimeError, r"\[0, 1\]"),
        (lambda: tl.normal(0.0, -1.0, (2,)), RuntimeError, "std must be >= 0"),
        (lambda: tl.normal(0.0, 1.0), TypeError, "needs a size"),
        (lambda: tl.multinomial(tl.tensor([1.0, -1.0]), 1), RuntimeError, "element < 0"),
        (lambda: tl.multinomial(tl.tensor([1.0, float("nan")]), 1), RuntimeError, "nan"),
        (lambda: tl.multinomial(tl.tensor([0.0, 0.0]), 1, True), RuntimeError, "0 weights above 0"),
        (lambda: tl.multinomial(tl.tensor([1.0, 0.0]), 2), RuntimeError, "replacement=True"),
        (lambda: tl.multinomial(tl.tensor([1, 2]), 1), NotImplementedError, "int64"),
        (lambda: tl.multinomial(tl.ones(3), 0), RuntimeError, "num_samples > 0"),
        (lambda: tl.rand_like([1]), TypeError, "Tensor"),
    ],
)
def test_random_refuses(call: Any, error: type[Exception], message: str) -> None:
    state = tl.get_rng_state().tolist()
    with pytest.raises(error, match=message):
        call()
    assert tl.get_rng_state().tolist() == state  # nothing was drawn


def test_importing_draws_in_no_random_module() -> None:
    code = "import sys, tinygrad_loss; sys.exit('numpy.random' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
