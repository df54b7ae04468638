"""save and load: what goes in comes out, in a layout that other tools read; what cannot be saved is refused."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinygrad_loss as tl
from tinygrad_loss import strict_json
from tinygrad_loss.serialization import LoadError

from .saved import foreign, packed, same, state, unpacked

ALL_DTYPES = [tl.float16, tl.float32, tl.float64, tl.uint8, tl.int8, tl.int16, tl.int32, tl.int64, tl.bool]

# what goes in comes out


@pytest.mark.parametrize("dtype", ALL_DTYPES)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_every_dtype_and_shape(dtype: Any, shape: tuple[int, ...]) -> None:
    values = tl.tensor(np.random.default_rng(0).integers(0, 2, shape)).to(dtype)
    assert same(values, unpacked(packed(values)))


@pytest.mark.parametrize(
    "obj",
    [
        None, True, 0, -7, 2**200, 0.1, -0.0, float("inf"), float("-inf"), float("nan"), 5e-324, "", "häß\n\x00\"\\",
        [], (), {}, [[]], ((),), {"": {}}, {0: 1, -1: 2, "0": 3, None: 4, 2.5: 5}, {True: (1, [2, (3,)])},
        {"dict": {"tuple": ["tensor"]}}, tl.Size((2, 3)), tl.float16, tl.bool, np.float64(0.1), np.int32(4),
        np.bool_(True), np.arange(6.0).reshape(2, 3), {"float": "inf"}, [{"tensor": "x"}], {"__metadata__": 1},
    ],
    ids=repr,
)  # fmt: skip
def test_every_kind_of_value(obj: Any) -> None:
    assert same(obj, unpacked(packed(obj)))
    assert same([obj, {"k": obj}], unpacked(packed([obj, {"k": obj}])))


def test_a_checkpoint_comes_back() -> None:
    assert same(state(), unpacked(packed(state())))
    assert list(unpacked(packed({"b": 1, "a": 2}))) == ["b", "a"], "the order of the keys"


def test_layouts_values_and_flags() -> None:
    x = np.arange(24.0).reshape(4, 6)
    obj = {
        "strided": tl.Tensor(x[::2, ::-3]), "transposed": tl.Tensor(x.T),
        "nan": tl.tensor([float("nan"), float("inf"), -0.0]),
        "leaf": tl.ones(2, requires_grad=True), "result": tl.ones(2, requires_grad=True) * 2,
    }  # fmt: skip
    loaded = unpacked(packed(obj))
    assert [loaded[k].requires_grad for k in obj] == [False, False, False, True, False]
    for key, value in obj.items():
        assert value.array.tobytes() == loaded[key].array.tobytes()
        assert loaded[key].array.flags.c_contiguous and loaded[key].array.flags.writeable
    swapped = unpacked(packed(np.arange(3, dtype=">i4")))
    assert swapped.dtype == np.dtype("=i4") and swapped.tolist() == [0, 1, 2]


def test_a_shared_array_stays_shared() -> None:
    w = tl.ones(2, 3)
    loaded = unpacked(packed({"embedding": w, "head": w.detach(), "copy": w.clone()}))
    assert np.shares_memory(loaded["embedding"].array, loaded["head"].array)
    assert not np.shares_memory(loaded["embedding"].array, loaded["copy"].array)


def test_a_generator_goes_on() -> None:
    g = tl.Generator().manual_seed(5)
    tl.randn(3, generator=g)
    loaded = unpacked(packed({"loader": g, "again": [g], "other": tl.Generator().manual_seed(5)}))
    assert isinstance(loaded["loader"], tl.Generator) and loaded["loader"] is loaded["again"][0] is not loaded["other"]
    assert loaded["loader"].initial_seed() == 5
    assert same(tl.randn(20, generator=g), tl.randn(20, generator=loaded["loader"]))
    assert packed(g) == packed(loaded["loader"]) != packed(loaded["other"])


def test_names_that_collide_in_the_file() -> None:
    obj = {"a": {"b": tl.tensor(1.0), "b#1": tl.tensor(4.0)}, "a.b": tl.tensor(2.0), "__metadata__": tl.tensor(3.0)}
    assert same(obj, unpacked(packed(obj)))


def test_keys_are_never_paths(tmp_path: Path) -> None:
    obj = {"../../evil": tl.tensor(1.0), "/etc/x": tl.tensor(2.0), "allow_pickle": tl.tensor(3.0)}
    target = tmp_path / "in" / "x.safetensors"
    target.parent.mkdir()
    tl.save(obj, target)
    assert same(obj, tl.load(target))
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "x.safetensors"]


def test_file_objects_and_torch_arguments(tmp_path: Path) -> None:
    with open(tmp_path / "f", "wb") as file:
        file.write(b"before")
        tl.save(state(), file)
    with open(tmp_path / "f", "rb") as file:
        file.seek(6)
        assert same(state(), tl.load(file, map_location="cpu", weights_only=True))
    reader, writer = os.pipe()  # cannot seek
    with os.fdopen(writer, "wb") as out:
        tl.save(state(), out)
    with os.fdopen(reader, "rb", buffering=0) as file:
        assert same(state(), tl.load(file, weights_only=False))
    with pytest.raises(RuntimeError, match=r"'cuda'.*CPU"):
        unpacked(packed(1), map_location="cuda")
    with pytest.raises(FileNotFoundError):
        tl.load(tmp_path / "missing")


# the layout, as other tools read it


def test_the_file_is_a_safetensors_file() -> None:
    raw = packed(state())
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    assert length % 8 == 0
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata["format"] == "tinygrad_loss" and metadata["version"] == "1"
    assert set(header) == {"model.0.weight", "model.0.bias", "optimizer.state.0.step", "optimizer.state.0.exp_avg"}
    spec = header["model.0.weight"]
    start, stop = spec["data_offsets"]
    values = np.frombuffer(raw[8 + length :][start:stop], "<f4").reshape(spec["shape"])
    assert spec["dtype"] == "F32" and values.tolist() == [[0, 1, 2], [3, 4, 5]]
    spans = sorted(entry["data_offsets"] for entry in header.values())
    assert [a for a, _ in spans] == [0, *(b for _, b in spans[:-1])] and spans[-1][1] == len(raw) - 8 - length


def test_values_are_aligned() -> None:
    small, large = tl.zeros(3, dtype=tl.uint8), tl.zeros(1, dtype=tl.float64)
    raw = packed({"a": small, "b": tl.zeros(3), "c": large, "d": tl.zeros(1)})
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    for name, size in (("a", 1), ("b", 4), ("c", 8), ("d", 4)):
        assert (8 + length + header[name]["data_offsets"][0]) % size == 0


def test_the_safetensors_package_reads_it(tmp_path: Path) -> None:
    numpy_reader = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    tl.save(state(), tmp_path / "x")
    found = numpy_reader.load_file(tmp_path / "x")
    assert found["model.0.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    odd: dict[str, Any] = {"häß\U0001f600 \"\\": tl.arange(3), "../up": tl.ones(2, requires_grad=True), "": tl.zeros(1)}
    odd |= {f"{dtype} {shape}": tl.ones(shape).to(dtype) for dtype in ALL_DTYPES for shape in [(), (0,), (2, 0, 3), (2, 3)]}
    tl.save({**odd, "generator": tl.Generator(), "text": "x" * 100}, tmp_path / "z")
    found = numpy_reader.load_file(tmp_path / "z")
    assert set(found) == {*odd, "generator"} - {""} | {"tensor"}
    for name, value in odd.items():
        assert same(value.array, found[name or "tensor"]), name
    numpy_reader.save_file({"w": np.ones((2, 2), np.float32)}, tmp_path / "y")
    assert same({"w": tl.ones(2, 2)}, tl.load(tmp_path / "y", verify=False))


def test_files_of_other_tools_need_a_word() -> None:
    entry = {"dtype": "I16", "shape": [2], "data_offsets": [0, 4]}
    raw = foreign({"__metadata__": {"format": "pt"}, "w": entry}, b"\1\0\2\0")
    with pytest.raises(LoadError, match=r"has no checksum.*verify=False"):
        unpacked(raw)
    assert same({"w": tl.tensor([1, 2], dtype=tl.int16)}, unpacked(raw, verify=False))


# refused before anything is written


class Unknown:
    pass


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        ({"a": [1, Unknown()]}, "a.1 is of type Unknown"),
        ({"model": tl.nn.Linear(1, 1)}, r"model is of type Linear, which cannot be saved; save its state_dict\(\)"),
        ({"f": len}, "f is of type builtin_function_or_method"),
        ({"s": {1, 2}}, "s is of type set"),
        (b"bytes", "the object is of type bytes"),
        ({"x": {(1, 2): 3}}, r"x has the key \(1, 2\) of type tuple"),
        ({"x": {float("nan"): 3}}, "x has the key nan"),
        ({"x": {2**63: 3}}, "x has the key 9223372036854775808 of type int; keys must be str, int of 64 bits"),
        ({"x": np.array(["text"])}, "x: dtype"),
        ({"x": np.array([1j])}, "x: dtype complex128 is not supported"),
        (np.array([None]), "the object: dtype object"),
    ],
)
def test_save_refuses(obj: Any, message: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    tl.save(1, target)
    with pytest.raises(TypeError, match=message):
        tl.save(obj, target)
    assert tl.load(target) == 1 and os.listdir(tmp_path) == ["x"]


def test_save_refuses_what_it_could_not_load() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match=r"nested deeper than 100.*contain itself"):
        packed(loop)
    deep: Any = 1
    for _ in range(100):
        deep = {"k": deep}
    assert same(deep, unpacked(packed(deep)))
    with pytest.raises(ValueError, match="surrogate"):
        packed({"x": "\ud800"})
    with pytest.raises(ValueError, match="put long lists of numbers into a tensor"):
        packed(list(range(strict_json.MAX_VALUES)))


# whole training states


def training(seed: int, optimizer: str) -> tuple[Any, Any, Any, Any]:
    tl.manual_seed(seed)
    model = tl.nn.Sequential(tl.nn.Linear(4, 8), tl.nn.Tanh(), tl.nn.Dropout(0.3), tl.nn.Linear(8, 3))
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    chosen = getattr(tl.optim, optimizer)(model.parameters(), lr=0.05, **options)
    scheduler = tl.optim.lr_scheduler.CosineAnnealingLR(chosen, T_max=6)
    dataset = tl.utils.data.TensorDataset(tl.randn(20, 4), tl.randint(0, 3, (20,)))
    return model, chosen, scheduler, tl.utils.data.DataLoader(dataset, batch_size=8, shuffle=True)


def train(model: Any, optimizer: Any, scheduler: Any, loader: Any, epochs: int) -> None:
    for _ in range(epochs):
        for inputs, labels in loader:
            optimizer.zero_grad()
            tl.nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("optimizer", ["SGD", "Adam", "AdamW", "RMSprop"])
def test_resumed_training_gives_the_same_bits(optimizer: str, tmp_path: Path) -> None:
    straight = training(0, optimizer)
    train(*straight, epochs=4)
    first = training(0, optimizer)
    train(*first, epochs=2)
    parts = {"model": first[0], "optimizer": first[1], "scheduler": first[2]}
    tl.save({**{k: v.state_dict() for k, v in parts.items()}, "random": tl.get_rng_state()}, tmp_path / "checkpoint")
    second = training(0, optimizer)  # the same data; all else comes from the file
    for parameter in second[0].parameters():
        tl.nn.init.zeros_(parameter)
    checkpoint = tl.load(tmp_path / "checkpoint")
    for part, name in zip(second, parts, strict=False):
        part.load_state_dict(checkpoint[name])
    tl.set_rng_state(checkpoint["random"])
    train(*second, epochs=2)
    assert packed(straight[0].state_dict()) == packed(second[0].state_dict())
    assert packed(straight[1].state_dict()) == packed(second[1].state_dict())


def test_other_things_than_files_are_refused() -> None:
    with pytest.raises(TypeError, match="save: f must be a path or an open binary file, got int"):
        tl.save(1, 5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="load: f must be a path or an open binary file, got list"):
        tl.load([])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="save: f must be .* binary file, got StringIO"):
        tl.save(1, io.StringIO())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="load: f must be .* binary file, got StringIO"):
        tl.load(io.StringIO("{}"))  # type: ignore[arg-type]


class Slow(io.RawIOBase):
    """Takes at most so many bytes at once, as unbuffered files may."""

    def __init__(self, most: int) -> None:
        self.most, self.raw = most, bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.raw += memoryview(data)[: self.most]
        return min(self.most, len(data))


def test_files_that_take_a_part() -> None:
    file = Slow(7)
    tl.save(state(), file)  # type: ignore[arg-type]
    assert bytes(file.raw) == packed(state())
    with pytest.raises(OSError, match="the file takes no more"):
        tl.save(state(), Slow(0))  # type: ignore[arg-type]


def test_paths_of_every_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class InBytes:
        def __fspath__(self) -> bytes:
            return os.fsencode(tmp_path / "b")

    tl.save(1, InBytes())  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    tl.save(2, "c")
    assert tl.load(tmp_path / "b") == 1 and tl.load("c") == 2
