"""The curves of a training: each kind on axes of its own, smoothed, with gaps where a number is none."""

from typing import Any

import numpy as np
import pytest

from tinygrad_loss import tensor, viz

matplotlib = pytest.importorskip("matplotlib", reason="draws: pip install '.[viz]'")


def line(axes: Any, label: str) -> tuple[Any, Any]:
    found = next(x for x in axes.get_lines() if x.get_label() == label)
    return np.asarray(found.get_xdata(), float), np.asarray(found.get_ydata(), float)


def legend(figure: Any) -> list[str]:
    return [t.get_text() for box in figure.legends for t in box.get_texts()]


def history(n: int = 300) -> dict[str, Any]:
    r = np.random.default_rng(0)
    values = 2.3 * np.exp(-np.arange(n) / 80) + 0.2 + r.normal(size=n) * 0.1
    values[120:124] = np.nan
    norms = np.abs(r.normal(size=n)) + 0.1
    norms[119] = np.inf
    rates = [*np.linspace(1e-5, 1e-2, 30), *1e-2 * 0.97 ** np.arange(n - 30)]
    return {"loss": values, "val_loss": np.linspace(2, 0.6, 10), "accuracy": np.linspace(0.1, 0.9, n), "lr": rates, "grad_norm": norms}


def panels(figure: Any) -> dict[str, Any]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes}


def test_each_kind_has_its_axes() -> None:
    found = panels(viz.plot_training(history()))
    assert list(found) == ["loss", "accuracy", "learning rate", "gradient norm"]
    assert found["learning rate"].get_yscale() == "log" and found["loss"].get_yscale() == "linear"
    names = panels(viz.plot_training({
        "train_loss": [1.0], "val/loss": [1.0], "box_loss": [1.0], "acc": [1.0], "val_acc": [0.5], "test_acc": [0.5], "f1": [1.0],
        "learning_rate": [0.1], "lr/head": [0.2], "gradient norm": [1.0],
    }))  # fmt: skip
    assert list(names) == ["loss", "acc", "f1", "learning rate", "gradient norm"]
    assert [len(a.get_lines()) for a in names.values()] == [3, 3, 1, 2, 1]
    colours = {x.get_label(): x.get_color() for x in names["acc"].get_lines()}
    dashes = {x.get_label(): x.is_dashed() for x in names["acc"].get_lines()}
    assert len(set(colours.values())) == 1 and dashes == {"acc": False, "val_acc": True, "test_acc": True}


def test_smoothing_is_an_exponential_average_without_a_start_at_zero() -> None:
    y = np.array([4.0, 2.0, np.nan, 6.0, np.inf, 1.0])
    figure = viz.plot_training({"loss": y}, smoothing=0.5)
    _, drawn = line(figure.axes[0], "loss")
    _, raw = line(figure.axes[0], "_raw loss")
    weights = [0.5 ** np.arange(k)[::-1] for k in (1, 2, 3, 4)]
    kept = y[np.isfinite(y)]
    expected = [float((w * kept[: len(w)]).sum() / w.sum()) for w in weights]
    np.testing.assert_allclose(drawn, [expected[0], expected[1], np.nan, expected[2], np.nan, expected[3]])
    np.testing.assert_array_equal(raw, np.where(np.isfinite(y), y, np.nan))
    assert legend(figure) == ["as logged", "smoothed", "nan or inf"]
    plain = viz.plot_training(history(), smoothing=0)
    assert not [x for a in plain.axes for x in a.get_lines() if x.get_label().startswith("_raw")]
    rates = panels(viz.plot_training(history(), smoothing=0.9))["learning rate"]
    np.testing.assert_allclose(line(rates, "lr")[1], history()["lr"])  # a setting, not a measurement


def test_gaps_are_marked() -> None:
    axes = panels(viz.plot_training(history()))["loss"]
    marks = next(x for x in axes.get_lines() if x.get_marker() == "x")
    assert np.asarray(marks.get_xdata()).tolist() == [121, 122, 123, 124]
    assert np.isnan(line(axes, "loss")[1][120:124]).all() and np.isfinite(line(axes, "loss")[1][124:]).all()


def test_shorter_series_are_spread_and_rows_keep_their_place() -> None:
    axes = panels(viz.plot_training(history()))["loss"]
    np.testing.assert_allclose(line(axes, "val_loss")[0], np.arange(30, 301, 30))
    rows = [{"epoch": 10 * i, "loss": tensor(1.0 / (i + 1)), **({"val_loss": 2.0} if i % 2 else {})} for i in range(6)]
    axes = viz.plot_training(rows).axes[0]
    assert axes.get_xlabel() == "epoch"
    assert line(axes, "loss")[0].tolist() == [0, 10, 20, 30, 40, 50] and line(axes, "val_loss")[0].tolist() == [10, 30, 50]
    np.testing.assert_allclose(line(axes, "loss")[1], 1 / np.arange(1, 7), rtol=1e-6)
    axes = viz.plot_training({"step": [5, 10, 15], "loss": [3.0, 2.0, 1.0]}, log=True).axes[0]
    assert line(axes, "loss")[0].tolist() == [5, 10, 15] and axes.get_yscale() == "log"
    assert viz.plot_training({"loss": [1.0], "f1": [2.0]}, log="f1").axes[1].get_yscale() == "log"


def test_training_errors() -> None:
    cases: list[tuple[type[Exception], str, Any, dict[str, Any]]] = [
        (ValueError, "history is empty", {}, {}), (ValueError, "history is empty", [], {}), (ValueError, "history is empty", {"loss": []}, {}),
        (ValueError, "smoothing=1", {"loss": [1.0]}, {"smoothing": 1}), (TypeError, "a dict of lists or a list of dicts, got int", 3, {}),
        (TypeError, "one for each epoch, got a float", [1.0], {}), (TypeError, "'loss': expected a list of numbers, got float", {"loss": 1.0}, {}),
        (TypeError, "'loss': expected a list of numbers", {"loss": ["a"]}, {}), (TypeError, "'note': expected a list", {"note": "abc"}, {}),
    ]  # fmt: skip
    for kind, message, given, options in cases:
        with pytest.raises(kind, match=message):
            viz.plot_training(given, **options)
