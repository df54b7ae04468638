"""What bounds the workloads that miss their goal, as profiles show it, and what was tried: one line each, for the report."""

_THREADS = (
    "NumPy takes the interpreter lock back after every step, and on this machine waking a thread takes longer than a step of 128 K elements: "
    "four threads were up to 3 times slower than one, with blocks of 32 K to 256 K elements alike, so that calls now try both and keep the faster"
)
_STEP = (
    "about 33 NumPy calls (25 us of the 72 us of a step on a quiet core), 60 Python calls and the checks around them (the rest): forward 8, loss 25, backward 21, "
    "optimizer 17 us. Tried: fewer calls in the loss's kernel (16 to 12 us), one pass over the arguments, marks instead of searches in the optimizer: 4 % in all"
)
_TAPE = (
    "an operation, forward and backward, takes 3.0 us, 1.4 of them NumPy's (torch 8.0) at the processor's fast clock, 5.2, 2.3 and 12.8 at its slow one: "
    "the tensor with its eleven fields, two context variables, a birth number and the rule's call are the rest"
)
_BLAS = "OpenBLAS against MKL: the matrix products are nine tenths of the step"
_ADAM = "half of the step is Adam over 100,000 numbers, 12 passes where a fused loop makes one; blocks of 4 K to 128 K elements tried, 64 K is the fastest"

BOUNDED_BY: dict[str, str] = {
    "the documents' loop, Linear(10, 3), batch 32": _STEP,
    "MLP 784-128-10, batch 32": _ADAM,
    "MLP 784-512-512-10, batch 512": _BLAS,
    "100 tiny operations": _TAPE,
    "an operation of the tape, us over the ufuncs": _TAPE,
    "cross_entropy, 10,000 x 1,000, float32": f"four threads only: {_THREADS}",
    "cross_entropy, 1,000,000 x 10, float32": f"four threads only: {_THREADS}",
    "nll_loss": "at a million: filling the gradient with 0, one gather, one scatter and the check of the log-probabilities, each a pass; at ten thousand the call around it, 25 us",
    "binary_cross_entropy_with_logits": f"exp and log1p in float64, 3.5 ns for an element, without which the value's bound would not hold; four threads: {_THREADS}",
    "mse_loss": f"at ten million memory bandwidth: three passes of NumPy where torch makes two; four threads: {_THREADS}",
    "huber_loss": f"five passes of NumPy, 1.05 ns for an element, where torch makes two; four threads: {_THREADS}",
    "smooth_l1_loss": "five passes of NumPy where torch makes two, as huber_loss",
    "soft_margin_loss": "exp and log in float64, without which its float32 bound of 1 ulp would not hold",
    "ctc_loss": "at ten thousand elements the calls: 2 T steps of four NumPy operations on arrays of a few hundred numbers; a single sweep for both directions was 10 % faster here and 37 % slower at T 150",
    "gaussian_nll_loss": f"four threads only: {_THREADS}",
    "kl_div": f"four threads only: {_THREADS}",
}
