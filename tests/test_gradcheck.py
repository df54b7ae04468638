"""gradcheck passes what is right and catches, names and explains what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import autograd, nn
from tinygrad_loss.autograd import GradcheckError, gradcheck, gradgradcheck
from tinygrad_loss.tape import Tensor

F = nn.functional


def raw(x: Any) -> Any:
    return x.array if isinstance(x, Tensor) else x


def plant(name: str, forward: Callable[..., Any], *rules: Any, **options: Any) -> Any:
    return tl.primitive(forward, *rules, name=f"test_gradcheck_{name}", **options)


def random(*shape: int, low: float = -2.0, high: float = 2.0) -> Tensor:
    values = np.random.default_rng(len(shape)).uniform(low, high, shape)
    return tl.tensor(np.asarray(values), requires_grad=True)


# What is right passes

RIGHT: dict[str, Callable[[], tuple[Any, Any]]] = {
    "elementwise": lambda: (lambda x: x.exp() * x.sin(), random(2, 3)),
    "broadcast": lambda: (lambda a, b: a * b - b / (a * a + 1), (random(2, 3), random(3))),
    "several outputs": lambda: (lambda a, b: (a * b, a.sum(), b.detach()), (random(3), tl.ones(3, dtype=tl.float64))),
    "integers beside": lambda: (lambda x, i: x[i], (random(4), tl.tensor([0, 0, 3]))),
    "an integer output": lambda: (lambda x: (x * 2, x.argmax()), random(3)),
    "numbers and strings": lambda: (lambda x, k, how: x * k if how else x, (random(2), 3, "so")),
    "no dimensions": lambda: (lambda x: x * x, random()),
    "no elements": lambda: (lambda x: x * 2, random(0, 3)),
    "not contiguous": lambda: (lambda x: x.exp(), tl.tensor(random(3, 2).array).T.requires_grad_()),
    "steep": lambda: (lambda x: (x * x).sum(), tl.tensor([1e8, -3e7], dtype=tl.float64, requires_grad=True)),
    "unused": lambda: (lambda a, b: a * 2, (random(2), random(2))),
    "constant": lambda: (lambda x: tl.ones(2, dtype=tl.float64), random(2)),
    "cross entropy": lambda: (lambda x: F.cross_entropy(x, tl.tensor([2, 0]), label_smoothing=0.1), random(2, 3)),
    "a result": lambda: (lambda x: x.exp(), random(2) * 1.0),
}


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_right_gradients_pass(make: Callable[[], tuple[Any, Any]]) -> None:
    func, inputs = make()
    assert gradcheck(func, inputs) is True
    if func(*([inputs] if isinstance(inputs, Tensor) else inputs)) is not None and make is not RIGHT["constant"]:
        assert gradgradcheck(func, inputs) is True


def test_the_accuracy_that_the_docstring_promises() -> None:
    assert gradcheck(lambda x: x.exp() * x.sin(), random(3, 3), rtol=1e-6, atol=1e-8)
    assert gradcheck(lambda x: x.exp() * x.sin(), random(3, 3), eps=1e-5, rtol=1e-8, atol=1e-9)


def test_nothing_is_changed() -> None:
    x = random(3)
    y = x * x
    before = x.array.copy()
    gradcheck(lambda x: x.exp(), x)
    gradcheck(lambda x: x, x)  # a result that is the input itself
    gradcheck(lambda x: x * x.detach(), x, raise_exception=False)
    np.testing.assert_array_equal(x.array, before)
    assert x.grad is None
    y.sum().backward()  # the values that y saved are still those it saw


def test_parameters_that_func_closes_over_are_moved_in_place() -> None:
    model = nn.Linear(2, 2).double()
    assert gradcheck(lambda *_: model(tl.ones(1, 2, dtype=tl.float64)).tanh(), tuple(model.parameters()))


def test_it_works_where_gradients_are_off() -> None:
    with tl.no_grad():
        assert gradcheck(lambda x: x.exp(), random(2))
        assert gradgradcheck(lambda x: x.exp(), random(2))


# What is wrong is caught


def only_plain(g: Any, y: Any, x: Any) -> Any:
    return g * 2.0 if isinstance(g, np.ndarray) else g * 3.0


DOUBLE = lambda x: 2.0 * x
SUM_OF = lambda x, *, n: np.asarray(x.sum())
WRONG: dict[str, tuple[Any, str]] = {
    "factor": (plant("factor", DOUBLE, lambda g, y, x: g * 4.0, arity=1), r"every wrong element is 2 times"),
    "sign": (plant("sign", DOUBLE, lambda g, y, x: g * -2.0, arity=1), r"every wrong element is -1 times"),
    "rule": (plant("rule", np.sin, lambda g, y, x: g * y, arity=1), r"the rule does not belong to the forward"),
    "nan": (plant("nan", DOUBLE, lambda g, y, x: g * float("nan"), arity=1), r"analytical nan"),
    "inf": (plant("inf", DOUBLE, lambda g, y, x: g * float("inf"), arity=1), r"analytical inf"),
    "shape": (plant("shape", DOUBLE, lambda g, y, x: g[:1], arity=1), r"has shape \(1,\), the input \(2,\).*expand"),
    "plain": (plant("plain", DOUBLE, only_plain, arity=1), r"is 2 in a plain backward, but 3 under create_graph=True"),
    "cut": (lambda x: x.detach() * x, r"gradient"),
    "missing": (lambda x: x.detach().exp() + x * 0.0, r"analytical 0, numerical"),
    "not connected": (lambda x: x.detach().exp(), r"no gradient arrives here: a rule is None, or the graph is cut"),
    "kink": (lambda x: (x - x.detach()).abs() + x.sign().detach(), r""),
}
WRONG["kink"] = (lambda x: (x - 0.0).relu(), r"the slopes to the left, 0, and right, 1, differ: a kink")


@pytest.mark.parametrize("name", WRONG)
def test_wrong_gradients_are_caught_and_explained(name: str) -> None:
    func, message = WRONG[name]
    x = tl.tensor([0.0, 1.5] if name == "kink" else [0.3, 1.5], dtype=tl.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=f"(?i){message}"):
        gradcheck(func, x)
    assert gradcheck(func, x, raise_exception=False) is False


def test_the_largest_deviation_is_named() -> None:
    """Input 1, its element (1, 0), is the worst of four wrong ones."""
    factors = tl.tensor([[1.0, 1.1], [3.0, 1.2]], dtype=tl.float64)

    def func(a: Tensor, b: Tensor) -> Any:
        return a.sum(), b * factors - (b * (factors - 1.0)).detach()

    a, b = random(2), tl.tensor([[1.0, 2.0], [7.0, 4.0]], dtype=tl.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(func, (a, b))
    text = str(caught.value)
    assert "gradcheck: the gradient of output 1 with respect to input 1 is wrong" in text
    assert "at input element (1, 0) (value 7), output element (1, 0): analytical 3, numerical 1" in text
    assert "tolerance 1e-05 + 0.001 * |numerical|; 3 of 16 elements are wrong" in text


def test_a_rule_that_only_arrays_survive_is_told() -> None:
    func = plant("numpy", np.exp, lambda g, y, x: g * np.exp(x), arity=1)
    with pytest.raises(GradcheckError, match=r"under create_graph=True: TypeError: np\.exp.*A rule must take tensors"):
        gradcheck(func, random(2))


def test_random_functions_are_told() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(GradcheckError, match=r"different values for the same inputs.*eval\(\)"):
        gradcheck(lambda x: x * generator.uniform(), random(2))
    assert gradcheck(lambda x: x + 1e-12 * generator.uniform(), random(2), nondet_tol=1e-11)


def test_a_wrong_second_derivative_is_caught_by_gradgradcheck_only() -> None:
    cube = plant("cube", lambda x: x**3, lambda g, y, x: g * 3.0 * raw(x) ** 2, arity=1)
    x = random(2)
    assert gradcheck(cube, x)
    with pytest.raises(GradcheckError, match=r"gradgradcheck: the gradient of output 0 with respect to input 0"):
        gradgradcheck(cube, x)
    assert gradgradcheck(cube, x, raise_exception=False) is False


def test_given_grad_outputs() -> None:
    x, seed = random(2), tl.ones(2, dtype=tl.float64)
    assert gradgradcheck(lambda x: x.exp(), x, seed)
    with pytest.raises(ValueError, match=r"got 2 grad_outputs for 1 outputs"):
        gradgradcheck(lambda x: x.exp(), x, [seed, seed])


# What cannot be checked is refused

REFUSED: dict[str, tuple[Any, Any, str]] = {
    "float32": (tl.exp, tl.ones(2, requires_grad=True), r"inputs\[0\] is tinygrad_loss.float32.*pass x\.double\(\)"),
    "no gradient": (tl.exp, tl.ones(2, dtype=tl.float64), r"no input requires grad.*x\.requires_grad_\(\)"),
    "casting": (lambda x: x.float(), random(2), r"output 0 of func is tinygrad_loss.float32.*\.double\(\)"),
    "no tensor": (lambda x: 3.0, random(2), r"func returned no floating point Tensor, got float"),
    "expanded": (tl.exp, random(1).detach().expand(3).requires_grad_(), r"share memory or are read-only.*x\.clone\(\)"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_checked_is_refused(name: str) -> None:
    func, inputs, message = REFUSED[name]
    for check in (gradcheck, gradgradcheck):
        with pytest.raises(ValueError, match=message):
            check(func, inputs, raise_exception=False)


def test_inputs_that_share_memory_are_refused() -> None:
    x = random(4)
    a, b = (x.detach()[i : i + 2].requires_grad_() for i in (0, 1))
    with pytest.raises(ValueError, match=r"inputs\[0\] and inputs\[1\] share memory"):
        gradcheck(lambda a, b: a * b, (a, b))
    c = x.detach()[2:].requires_grad_()  # neighbours in one buffer are independent
    assert gradcheck(lambda a, b: a * b, (a, c))


def test_unknown_options_are_refused() -> None:
    with pytest.raises(TypeError, match="fast_mode"):
        gradcheck(tl.exp, random(2), fast_mode=True)
    assert issubclass(autograd.GradcheckError, RuntimeError)
