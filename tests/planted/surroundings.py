"""Defects in what surrounds the losses: modes, optimizers, schedulers, states and files, printing, random numbers, modules, data."""

from __future__ import annotations

from .defect import Defect

OPTIM = "tests/test_optim.py tests/test_optim_state.py tests/oracle/test_optim.py"
SCHEDULES = "tests/test_schedulers.py tests/oracle/test_optim.py"
MODES = "tests/test_modes.py tests/test_engine_limits.py"
FILES = "tests/test_serialization.py tests/test_damaged_files.py"
STATES = "tests/test_module_state.py tests/test_optim_state.py tests/test_bad_inputs.py"
PRINTS = "tests/test_creation.py tests/oracle/test_printing.py"
DRAWS = "tests/test_creation.py tests/oracle/test_random.py"
LAYERS = "tests/test_layers.py tests/test_module.py tests/oracle/test_nn.py"
DATA = "tests/test_data.py tests/test_data_errors.py tests/oracle/test_data.py"


def mode(what: str, old: str, new: str, file: str = "modes.py", tests: str = MODES) -> Defect:
    return Defect("mode", file, what, old, new, tests)


def optimizer(file: str, what: str, old: str, new: str, tests: str = OPTIM) -> Defect:
    return Defect("optimizer", f"optim/{file}.py", what, old, new, tests)


def schedule(what: str, old: str, new: str) -> Defect:
    return Defect("schedule", "optim/lr_scheduler.py", what, old, new, SCHEDULES)


def saved(file: str, what: str, old: str, new: str, tests: str = FILES) -> Defect:
    return Defect("file", f"{file}.py", what, old, new, tests)


def state(file: str, what: str, old: str, new: str, tests: str = STATES) -> Defect:
    return Defect("state", f"{file}.py", what, old, new, tests)


def printed(what: str, old: str, new: str) -> Defect:
    return Defect("printing", "printing.py", what, old, new, PRINTS)


def draw(file: str, what: str, old: str, new: str, tests: str = DRAWS) -> Defect:
    return Defect("generator", f"{file}.py", what, old, new, tests)


def layer(file: str, what: str, old: str, new: str, tests: str = LAYERS) -> Defect:
    return Defect("module", f"{file}.py", what, old, new, tests)


def data(file: str, what: str, old: str, new: str) -> Defect:
    return Defect("data", f"utils/{file}.py", what, old, new, DATA)


DEFECTS = [
    # modes
    mode("no_grad stays after its block", "                reset_state(token)\n            except (", "                pass\n            except ("),
    mode("a decorated function leaves its mode behind", "            finally:\n                set_state(old)\n\n        return wrapped", "            finally:\n                pass\n\n        return wrapped"),
    mode("a suspended generator keeps its mode", "                    finally:\n                        reset_state(token)\n                    try:", "                    finally:\n                        token = token\n                    try:"),
    mode("a generator may enter a mode", "    raise RuntimeError(\n        f\"{name}: entered with 'with'", "    return None\n    raise RuntimeError(\n        f\"{name}: entered with 'with'"),
    mode("no_grad forgets the scope", "        try:\n            self._tokens.append(set_state(State(self.mode, old.scope, old.watch)))", "        try:\n            self._tokens.append(set_state(State(self.mode, None, old.watch)))"),
    mode("inference_mode leaves gradients on", "super().__init__(not mode)", "super().__init__(mode)"),
    mode("a scope turns recording on", "set_state(State(old.recording, Scope", "set_state(State(True, Scope", tests="tests/test_side_promises.py"),
    mode("results of tensors without grad require it", "need = input.needs_grad or other.needs_grad", "need = True", "primitive.py", "tests/test_side_promises.py"),
    mode("everything is recorded under no_grad", "if need and (state := get_state()).recording:", "if need and ((state := get_state()).recording or True):", "primitive.py", "tests/test_modes.py tests/test_laws.py::test_loss[mse_loss-no_grad]"),
    # optimizers
    optimizer("adam", "no correction of the first mean's bias", "size.fill(lr * root / (1 - beta1**step))", "size.fill(lr * root)"),
    optimizer("adam", "no correction of the second mean's bias", "root = math.sqrt(1 - beta2**step)", "root = 1.0"),
    optimizer("adam", "eps inside the root", "np.sqrt(variance, t)\n    np.add(t, floor, t)", "np.add(variance, floor, t)\n    np.sqrt(t, t)"),
    optimizer("adam", "AdamW's decay goes into the gradient", "shrink if decay and not decoupled else None,\n            shrink if decay and decoupled else None,", "shrink if decay else None,\n            None,"),
    optimizer("adam", "the decay without lr", "shrink = lr * decay if decoupled else scale * decay", "shrink = decay if decoupled else scale * decay"),
    optimizer("adam", "amsgrad without the maximum", "np.maximum(rows[2], rows[1], out=rows[2]) if amsgrad", "rows[1] if amsgrad"),
    optimizer("adam", "maximize is ignored", "-scale if maximize else scale", "scale"),
    optimizer("adam", "betas swapped", "np.array([[beta1], [beta2]], chunk.work)", "np.array([[beta2], [beta1]], chunk.work)"),
    optimizer("adam", "a new lr is not noticed", "if chunk.options != options:", "if chunk.options is None:", "tests/test_side_promises.py"),
    optimizer("sgd", "dampening from the first step on", "if chunk.fresh:\n        buffer", "if False:\n        buffer"),
    optimizer("sgd", "nesterov is plain momentum", "(_nesterov if group[\"nesterov\"] else _momentum)", "(_momentum)"),
    optimizer("sgd", "maximize is ignored", "sign = -1.0 if group[\"maximize\"] else 1.0", "sign = 1.0"),
    optimizer("sgd", "weight decay is ignored beside momentum", "chunk.numbers[1] if decay else None)", "chunk.numbers[1] if decay and not momentum else None)"),
    optimizer("rmsprop", "alpha on the wrong side", "sign, decay, alpha, 1 - alpha, floor", "sign, decay, 1 - alpha, alpha, floor"),
    optimizer("rmsprop", "centered without the mean", "np.subtract(square, t, t)\n    np.maximum", "np.copyto(t, square)\n    np.maximum"),
    optimizer("rmsprop", "the variance may be negative", "np.maximum(t, _ZERO, out=t)  #", "None  #"),
    optimizer("loading", "the state of a loaded optimizer is not a copy", "return Tensor(value.array.copy()) if isinstance(value, Tensor) else deepcopy(value)", "return value if isinstance(value, Tensor) else deepcopy(value)"),
    optimizer("optimizer", "a re-bound gradient shape passes", "if p._grad.array.shape != shape:\n            raise", "if False:\n            raise"),
    optimizer("optimizer", "the options of a state are not loaded", "self.state, self.param_groups, self._layout = state, groups, {}", "self.state, self._layout = state, {}"),
    optimizer("loading", "groups of another size are loaded", "    if sizes != expected:\n", "    if False:\n"),
    optimizer("optimizer", "a parameter may be listed twice", "if id(p) in known:\n", "if False:\n"),
    optimizer("optimizer", "a step without gradients is silent", "        if not work:\n", "        if False:\n"),
    optimizer("optimizer", "a write that no backward notices", "note_write(*chunk.mark())", "chunk.mark()", OPTIM + " tests/test_engine.py tests/test_inplace.py tests/test_examples.py"),
    optimizer("optimizer", "zero_grad fills with zeros by default", "if set_to_none or p._grad is None:", "if p._grad is None:"),
    optimizer("flat", "a step re-binds the parameter", "subtract(p.array, view, p.array)", "p.array = subtract(p.array, view)"),
    optimizer("flat", "parameters of other counts share a step", "return bool(counts.count(counts[0]) == len(counts))", "return True"),
    optimizer("flat", "a block's last elements keep their state", "for start in range(0, flat.size, BLOCK):", "for start in range(0, max(flat.size - BLOCK, 1), BLOCK):"),
    optimizer("flat", "a strided large parameter is not written back", "if not p.array.flags.c_contiguous:\n            p.array", "if False:\n            p.array"),
    optimizer("flat", "float16 keeps its state in float16", "self.work = F32 if self.dtype.itemsize < 4 else self.dtype", "self.work = self.dtype"),
    optimizer("entries", "a state that the user replaced is not noticed", "    def __setitem__(self, key: Any, value: Any) -> None:\n        self.clock[0] += 1\n", "    def __setitem__(self, key: Any, value: Any) -> None:\n"),
    # schedulers
    schedule("StepLR one epoch late", "self.last_epoch % self.step_size else", "(self.last_epoch - 1) % self.step_size else"),
    schedule("the closed form multiplies", "lr * self.gamma ** (self.last_epoch // self.step_size)", "lr * self.gamma * (self.last_epoch // self.step_size)"),
    schedule("LambdaLR compounds", "[lr * f(self.last_epoch) for f, lr in zip(self.lr_lambdas, self.base_lrs, strict=True)]", "[g[\"lr\"] * f(self.last_epoch) for f, g in zip(self.lr_lambdas, self.optimizer.param_groups, strict=True)]"),
    schedule("the cosine does not end at eta_min", "[factor * (group[\"lr\"] - low) + low for group in groups]", "[factor * group[\"lr\"] for group in groups]"),
    schedule("the cosine does not rise again", "if (t - 1 - end) % (2 * end) == 0:", "if False:"),
    schedule("a plateau waits one epoch less", "if self.num_bad_epochs > self.patience:", "if self.num_bad_epochs >= self.patience:"),
    schedule("a plateau's threshold points the other way", "step = -self.threshold if down else self.threshold", "step = self.threshold if down else -self.threshold"),
    schedule("a plateau ignores min_lr", "new = max(old * self.factor, low)", "new = old * self.factor"),
    schedule("no cooldown", "self.cooldown_counter = self.cooldown\n            self.num", "self.cooldown_counter = 0\n            self.num"),
    # files
    saved("serialization", "checksums of tensors are not compared", "hashlib.sha256(raw).hexdigest() != digest", "False"),
    saved("serialization", "the header's checksum is not compared", "if verify:\n        _check_header(", "if False:\n        _check_header("),
    saved("serialization", "bytes behind the last tensor are not noticed", "    if end != size:\n", "    if end > size:\n"),
    saved("serialization", "tensors may overlap", "if entry.start != end:", "if entry.start > end:"),
    saved("serialization", "sizes are not compared with shapes", "if offsets[1] - offsets[0] != span:", "if offsets[1] < offsets[0]:"),
    saved("strict_json", "duplicate names pass", "        if name in found:\n            raise", "        if False:\n            raise"),
    saved("serialization", "a header of any length is read", "if length > size - 8:", "if False:"),
    saved("strict_json", "NaN passes for JSON", "object_pairs_hook=_no_duplicates, parse_constant=_no_constants", "object_pairs_hook=_no_duplicates"),
    saved("strict_json", "nested without end", "if not 0 <= depth <= MAX_DEPTH:", "if depth < 0:"),
    saved("tree", "an array comes back as a tensor", "return {\"array\": self._add(value, path)}", "return {\"tensor\": self._add(value, path)}"),
    saved("serialization", "values are not aligned", "raw += b\" \" * (-len(raw) % 8)", "raw += b\" \" * 0"),
    saved("serialization", "a bool of 2 passes", "if entry.dtype.kind == \"b\" and len(raw) and raw.max() > 1:", "if False:"),
    saved("tree", "a parameter comes back without its gradient flag", "{\"leaf\" if value.needs_grad and value.op is None else \"tensor\":", "{\"tensor\":"),
    saved("tree", "a tuple comes back as a list", "return items if kind is list else {\"tuple\": items}", "return items"),
    saved("tree", "a shared array is saved twice", "        if id(array) in self._names:\n            return self._names[id(array)]\n        try:", "        try:"),
    saved("tree", "tensors that nothing refers to pass", "    if unused:\n", "    if False:\n"),
    saved("tree", "a type that cannot be saved is saved as text", "        raise TypeError(\n            f\"save: {_place(path)} is of type", "        return repr(value)\n        raise TypeError(\n            f\"save: {_place(path)} is of type"),
    saved("atomic", "written over the old file at once", "    temporary, file = _create(folder)\n", "    temporary, file = path, open(path, \"wb\")\n", "tests/test_atomic.py"),
    saved("atomic", "a failing save leaves its temporary file", "            os.unlink(temporary)\n        raise", "            os.stat(temporary)\n        raise", "tests/test_atomic.py"),
    saved("atomic", "stale temporaries stay", "    remove_stale(folder)\n    temporary", "    temporary", "tests/test_atomic.py"),
    saved("atomic", "live temporaries are removed", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  #", "None  #", "tests/test_atomic.py"),
    # states
    state("state_dict", "a wrong shape broadcasts", "if value.array.shape != target.array.shape:", "if value.array.size > target.array.size:"),
    state("state_dict", "overflow becomes inf", "kept = cast.astype(value.dtype) == value", "kept = (cast.astype(value.dtype) == value) | np.isinf(cast)"),
    state("state_dict", "fractions are cut off", "if value.dtype.kind == \"f\" and to.kind != \"f\":\n        return None", "if False:\n        return None"),
    state("state_dict", "missing keys pass", "if strict and missing:", "if False:"),
    state("state_dict", "unexpected keys pass", "if strict and unexpected:", "if False:"),
    state("state_dict", "an interrupted load leaves the first half", "        for target, array in reversed(before):\n", "        for target, array in []:\n"),
    state("state_dict", "a load that no backward notices", "            np.copyto(target.array, array)\n            note_write(target.array)", "            np.copyto(target.array, array)"),
    state("state_dict", "loading into the tensors while checking", "            ready.append((target, array))", "            ready.append((target, array))\n            write_all(ready)"),
    # printing
    printed("too few digits", "self.precision = 4", "self.precision = 3"),
    printed("scientific notation too early", "high / low > 1000.0", "high / low > 100.0"),
    printed("the last rows are not shown", "rows = [*range(e), *range(n - e, n)] if cut", "rows = [*range(e), *range(e)] if cut"),
    printed("grad_fn is not named", "suffixes.append(f\"grad_fn=<{node.name()}>\")", "pass"),
    printed("dtypes other than the default are not named", "if d is not default and d.name not in (\"int64\", \"bool\"):", "if False:"),
    printed("whole numbers without their point", "dotted = whole and not sci", "dotted = False"),
    # random numbers
    draw("generator", "one bit less in uniform numbers", "2**24 - 1", "2**23 - 1"),
    draw("generator", "the halves of 64 bits swapped", "drawn[0::2] << np.uint64(32) | drawn[1::2]", "drawn[1::2] << np.uint64(32) | drawn[0::2]"),
    draw("generator", "the second of a pair of normal numbers is forgotten", "self._spare = float(drawn[n]) if drawn.size > n else None", "self._spare = None"),
    draw("generator", "the last 16 normal numbers are not drawn anew", "drawn[-16:] = _box_muller(uniform(g, 16, u.dtype))", "drawn[-16:] = _box_muller(u[-16:])"),
    draw("generator", "a state without its position", "{\"key\": record[\"key\"].astype(np.uint32), \"pos\": position}", "{\"key\": record[\"key\"].astype(np.uint32), \"pos\": 624}"),
    draw("generator", "a new seed keeps the old stream", "self._bits = self._spare = None", "self._spare = None"),
    draw("generator", "a permutation that never swaps the first", "j = i + step", "j = i + (step if i else 0)", DRAWS + " tests/test_data.py"),
    draw("generator", "low is added twice", "np.uint64(low & 0xFFFFFFFFFFFFFFFF)", "np.uint64(2 * low & 0xFFFFFFFFFFFFFFFF)"),
    draw("random", "without replacement: the smallest weights first", "np.argsort(-(rows / clock), -1", "np.argsort((rows / clock), -1"),
    # creation, modules, data
    draw("creation", "full goes by way of float32", "to_array(\"full\", fill_value, kind, copy=False)", "to_array(\"full\", fill_value, None, copy=False)", "tests/test_creation.py tests/test_bad_inputs.py"),
    layer("nn/layers", "another range of the initial bias", "bound = 1 / math.sqrt(self.in_features)", "bound = 1 / self.in_features"),
    layer("nn/layers", "the padding row is drawn as the others", "self.weight.array[self.padding_idx] = 0", "self.weight.array[self.padding_idx] *= 1"),
    layer("nn/clipping", "clipped gradients longer than the bound", "factor = float(max_norm) / (total + 1e-6)", "factor = 2.0 * float(max_norm) / (total + 1e-6)", "tests/test_schedulers.py tests/oracle/test_optim.py tests/test_docs.py"),
    layer("nn/clipping", "short gradients are made longer", "if not factor >= 1.0:", "if True:", "tests/test_schedulers.py tests/oracle/test_optim.py"),
    layer("nn/clipping", "clipped from above only", "np.minimum(np.maximum(g.array, -limit), limit, out=g.array)", "np.minimum(g.array, limit, out=g.array)", "tests/test_schedulers.py tests/oracle/test_optim.py tests/test_docs.py"),
    data("data", "the last batch is dropped", "if len(batch) < self.batch_size and self.drop_last:", "if len(batch) < self.batch_size:"),
    data("samplers", "the order is the same in every epoch", "generator.manual_seed(random_int64(None))", "generator.manual_seed(0)"),
    data("samplers", "with replacement: never the last", "yield randint(0, n, (size,), generator=generator).array", "yield randint(0, max(n - 1, 1), (size,), generator=generator).array"),
    data("data", "the seed of the workers is not drawn", "        random_int64(self.generator)\n", "        pass\n"),
]  # fmt: skip
