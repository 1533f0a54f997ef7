"""Names for variables and functions."""

from __future__ import annotations

import builtins
import keyword

from jax_ir_pairs.synthesis.render.style import TRANSFORMS
from jax_ir_pairs.synthesis.stream import Stream
from jax_ir_pairs.synthesis.types import BOOL, FLOATS, Aval, Tree

_MODULES = (
    "jax",
    "jnp",
    "lax",
    "nn",
    "np",
    "random",
    "jr",
    "P",
    "partial",
    "ad",
    "batching",
    "mlir",
    "odeint",
    "minimize",
)
RESERVED = frozenset({*_MODULES, *TRANSFORMS, *keyword.kwlist, *dir(builtins)}) - {"input", "next"}

_BY_OP = {
    "matmul": ("h", "out", "hidden", "proj"),
    "einsum": ("out", "prod", "mixed"),
    "vdot": ("dot", "energy"),
    "outer": ("outer",),
    "sum": ("total", "s"),
    "mean": ("mean", "mu", "avg"),
    "var": ("var",),
    "std": ("std",),
    "max": ("peak", "top"),
    "min": ("low", "floor"),
    "norm": ("norm",),
    "softmax": ("probs", "weights", "attn"),
    "log_softmax": ("log_probs",),
    "logsumexp": ("lse",),
    "argmax": ("best", "pred"),
    "argmin": ("idx",),
    "argsort": ("order",),
    "sort": ("ordered",),
    "exp": ("e", "exps"),
    "sigmoid": ("gate", "p"),
    "relu": ("act", "h"),
    "gelu": ("act", "h"),
    "silu": ("act", "h"),
    "tanh": ("t", "h"),
    "cumsum": ("acc", "csum"),
    "where": ("masked", "out", "y"),
    "clip": ("clipped",),
    "one_hot": ("onehot", "targets"),
    "gather": ("rows", "picked"),
    "take": ("picked", "taken"),
    "getitem": ("part", "head", "v"),
    "concatenate": ("joined", "cat"),
    "stack": ("stacked",),
    "reshape": ("flat", "grouped", "r"),
    "square": ("sq",),
    "diff": ("delta",),
    "segment_sum": ("pooled",),
    "at": ("updated", "x_new"),
    "at_rows": ("updated", "scattered"),
    "gather_pairs": ("picked", "entries"),
    "gather_columns": ("cols", "picked"),
    "gather_mesh": ("sub", "block"),
    "dynamic_slice": ("window", "chunk"),
    "dynamic_slice_nd": ("patch", "block"),
    "max_pool": ("pooled", "h"),
    "mean_pool": ("pooled", "smoothed"),
    "add_pool": ("pooled", "sums"),
    "image_resize": ("resized", "upsampled"),
    "conv_1d": ("conv", "h"),
    "conv_2d": ("conv", "feature_map"),
    "conv_transpose": ("upsampled",),
    "conv_patches": ("patches",),
    "pad_mode": ("padded",),
    "lax_pad": ("padded",),
    "split": ("first", "part"),
    "length_mask": ("mask", "valid"),
    "causal_mask": ("mask", "causal"),
    "arange": ("pos", "steps"),
    "linspace": ("grid",),
    "psum": ("total", "summed"),
    "pmean": ("mean", "averaged"),
    "pmax": ("peak", "global_max"),
    "pmin": ("global_min", "low"),
    "all_gather": ("gathered", "full"),
    "psum_scatter": ("shard", "scattered"),
    "all_to_all": ("exchanged", "swapped"),
    "ppermute": ("received", "shifted", "neighbour"),
    "pshuffle": ("shuffled", "received"),
    "axis_index": ("idx", "rank", "device_id"),
    "sub": ("diff", "err", "d"),
    "fori_loop": ("out", "state"),
    "while_loop": ("out", "state"),
    "scan": ("out", "carry"),
    "stop_gradient": ("frozen", "target"),
    "tree_sum_squares": ("total", "sum_sq"),
    "tree_vdot": ("total", "sum_sq"),
    "tree_reduce": ("total",),
    "scale_power": ("decay",),
    "cond": ("out", "branch"),
    "random_normal": ("noise", "eps", "z", "w"),
    "random_uniform": ("u", "noise"),
    "random_bernoulli": ("mask", "coin", "flips"),
    "random_gamma": ("rates", "g"),
    "random_beta": ("theta", "p"),
    "random_dirichlet": ("probs", "theta"),
    "random_poisson": ("counts",),
    "random_binomial": ("counts", "hits"),
    "random_multinomial": ("counts",),
    "random_randint": ("idx", "draws", "ints"),
    "random_categorical": ("token", "choices"),
    "random_choice": ("picked",),
    "random_permutation": ("shuffled",),
    "random_permuted_range": ("perm", "order"),
    "random_exponential": ("waits", "noise"),
    "random_gumbel": ("gumbel", "g"),
    "random_multivariate_normal": ("samples", "draws"),
    "random_orthogonal": ("q", "basis"),
    "random_ball": ("points",),
    "random_bits": ("bits",),
    "key_data": ("data", "words"),
    "quantize": ("q", "x_q", "quantized"),
    "to_float8": ("x_f8", "x8"),
    "from_narrow": ("x_hp", "restored"),
    "dequantize": ("x_hat", "dequantized"),
    "bitcast": ("bits", "raw"),
    "bitcast_parts": ("raw", "parts"),
    "view": ("bits", "raw"),
    "int8_matmul": ("acc", "out_i32"),
    "rng_bit_generator": ("state", "bits"),
    "iota": ("idx", "pos"),
    "broadcasted_iota": ("rows", "cols", "idx"),
    "isclose": ("close",),
    "allclose": ("ok", "same"),
    "apply": ("out", "res", "y"),
    "cholesky": ("chol", "L"),
    "inv": ("inverse", "inv"),
    "solve": ("sol", "solution"),
    "det": ("det",),
    "trace": ("tr",),
    "kron": ("blocks",),
    "matrix_power": ("powered",),
    "fft": ("spectrum", "freq"),
    "rfft": ("spectrum", "freq"),
    "ifft": ("restored",),
    "irfft": ("signal", "restored"),
    "convolve": ("filtered", "conv"),
    "correlate": ("corr",),
    "cov": ("cov",),
    "corrcoef": ("corr",),
    "median": ("med",),
    "quantile": ("q",),
    "percentile": ("cutoff",),
    "interp": ("interpolated",),
    "polyval": ("poly",),
    "gradient": ("slope",),
    "trapezoid": ("area", "integral"),
    "bincount": ("counts",),
    "searchsorted": ("slots", "positions"),
    "digitize": ("bins",),
    "unique": ("uniq",),
    "lexsort": ("order",),
    "ranks": ("ranks",),
    "packbits": ("packed",),
    "unpackbits": ("unpacked",),
}

_LETTERS = tuple("abcdgpqrstuvyz")
_MASKS = ("mask", "keep", "valid", "flags", "active")
_SCALARS = ("value", "coef", "score", "weight", "level", "amount", "alpha", "total")
_ARRAYS = (
    "h", "out", "y", "feats", "res", "vals", "hidden", "z", "buf", "acc", "signal", "mixed",
    "updated", "scaled", "block", "state_vec",
)  # fmt: skip
_INDICES = ("idx", "ids", "codes", "counts", "offsets", "bins")


def _by_type(type: Tree | None) -> tuple[str, ...]:
    if isinstance(type, Aval):
        if type.dtype in BOOL:
            return _MASKS
        if type.dtype not in FLOATS:
            return _INDICES
        return _ARRAYS if type.rank else _SCALARS
    return "pair", "parts"


class Names:
    """Gives each variable and function a name that is free where it is seen.

    A wordy hand names a value that nothing else names after its type, another takes a letter.
    """

    def __init__(self, stream: Stream, *, wordy: bool = False) -> None:
        self._stream = stream
        self._wordy = wordy
        self._letters = stream.shuffled(_LETTERS)
        self._locals: set[str] = set()
        self._functions: set[str] = set()

    def function(self, role: str) -> str:
        """Gives a name for a function of the module: one that no local variable hides."""
        name = self._free(role, self._locals | self._functions)
        self._functions.add(name)
        return name

    def local(self, role: str, op: str, taken: set[str], type: Tree | None = None) -> str:
        """Gives a name after role, op or type, else a letter; adds it to `taken`."""
        taken_here = taken | self._functions
        if role:
            name = role
        elif op in _BY_OP and self._stream.chance(0.75):
            name = self._stream.choice(_BY_OP[op])
        else:
            plenty = _by_type(type) if self._wordy else self._letters
            free = [word for word in plenty if word not in taken_here]
            if self._wordy:
                name = self._stream.choice(free or plenty)
            else:
                name = free[0] if free else "tmp"
        name = self._free(name, taken_here)
        taken.add(name)
        self._locals.add(name)
        return name

    def _free(self, base: str, taken: set[str]) -> str:
        name, number = base, 2
        while name in taken or name in RESERVED:
            name = f"{base}_{number}" if base[-1].isdigit() else f"{base}{number}"
            number += 1
        return name
