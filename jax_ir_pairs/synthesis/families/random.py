"""Random numbers as programs draw them: samples, noise, dropout, augmentation, initial weights."""

from __future__ import annotations

import math

from jax_ir_pairs.synthesis.constructs import chains, noisy_steps
from jax_ir_pairs.synthesis.constructs.chains import noise_like, sample
from jax_ir_pairs.synthesis.graph import Code, Literal, Transformed, Var
from jax_ir_pairs.synthesis.growth import (
    Family,
    Form,
    Mix,
    float_value,
    grow_ops,
    leaves,
    one_of,
    scalar,
    use_all,
)
from jax_ir_pairs.synthesis.op import IllTyped
from jax_ir_pairs.synthesis.ops.indexing import part_of
from jax_ir_pairs.synthesis.ops.keys import fresh, keys, legacy, split
from jax_ir_pairs.synthesis.ops.sampling import DRAWN
from jax_ir_pairs.synthesis.scope import MAX_ELEMENTS, Scope
from jax_ir_pairs.synthesis.types import FLOATS, KEY, Aval, Record, Tree


def _value(scope: Scope, rank: int) -> Var:
    """Gives a calm floating value of the default dtype, of this rank at least."""
    dtype = scope.float_dtype
    x = scope.pick((dtype,), needs=(-50, 50), where=lambda v: rank <= v.aval.rank < 4)
    if x is None or scope.stream.chance(0.2):
        x = scope.input(Aval(dtype, tuple(scope.side() for _ in range(rank or 1))), "x")
    return x


def _samples(scope: Scope, budget: int, mix: Mix) -> None:
    """A few draws from any distributions, and what is done with them."""
    for _ in range(scope.stream.integer(1, 3)):
        sample(scope)
    grow_ops(scope, budget, mix)


def _drawn_from(scope: Scope, budget: int, mix: Mix) -> None:
    """Draws from arrays: categories, choices, permutations."""
    _value(scope, scope.stream.integer(1, 2))
    for _ in range(scope.stream.integer(1, 2)):
        scope.draw(scope.stream.choice(DRAWN))
    grow_ops(scope, budget, mix)


def _dropout(scope: Scope, budget: int, mix: Mix) -> None:
    x, keep = float_value(scope), scope.stream.choice((0.5, 0.8, 0.9))
    mask = scope.let("random_bernoulli_shaped", fresh(scope), x, p=keep, role="mask")
    scaled = scope.let("div", x, Literal(keep))
    scope.let("where", mask, scaled, Literal(0.0))


def _noise(scope: Scope, budget: int, mix: Mix) -> None:
    """A value with noise on it: of inputs, of gradients, of weights."""
    x = float_value(scope)
    noise = noise_like(scope, x)
    scope.let("add", x, scope.let("mul", noise, Literal(scope.stream.choice((0.01, 0.1, 0.3)))))


def _reparameterize(scope: Scope, budget: int, mix: Mix) -> None:
    """A sample of a Gaussian as a function of its parameters, with or without the KL term."""
    mu = _value(scope, 1)
    log_var = scope.pick(where=lambda v: v.aval == mu.aval and v is not mu, needs=(-8, 8))
    log_var = log_var or scope.input(mu.aval, "log_var")
    std = scope.let("exp", scope.let("mul", Literal(0.5), log_var), role="std")
    eps = noise_like(scope, mu, "eps")
    scope.let("add", mu, scope.let("mul", std, eps), role="z")
    if scope.stream.chance(0.5):
        inner = scope.let("sub", scope.let("add", Literal(1.0), log_var), scope.let("square", mu))
        inner = scope.let("sub", inner, scope.let("exp", log_var))
        total = scope.let("sum", inner, axis=-1)
        scope.let("mul", Literal(-0.5), total, role="kl")


def _gumbel_softmax(scope: Scope, budget: int, mix: Mix) -> None:
    logits = _value(scope, 1)
    noise = scope.let("random_gumbel_shaped", fresh(scope), logits, role="gumbel")
    tau = Literal(scope.stream.choice((0.5, 1.0, 2.0)))
    y = scope.let("softmax", scope.let("div", scope.let("add", logits, noise), tau), axis=-1)
    if logits.aval.rank < 4 and scope.stream.chance(0.4):
        index = scope.let("argmax", y, axis=-1)
        if index.aval.dtype == "i32":
            hard = scope.let("one_hot", index, num_classes=logits.aval.shape[-1], role="y_hard")
            soft = scope.let("stop_gradient", y)
            scope.let("add", scope.let("sub", hard, soft), y)


def _over_keys(scope: Scope, budget: int, mix: Mix) -> None:
    """Monte Carlo: a function of a key, mapped over many keys, and the mean of what it gives."""
    count = scope.stream.choice((4, 8, 10, 16, 32, 64))
    many = keys(scope, count)
    body = scope.nested([Var(Aval(many.aval.dtype), role="key")])
    drawn = sample(body)
    mix.fill(body, max(2, budget - 2))
    y = use_all(body, leaves(body, 1)[0], [drawn])
    name = scope.stream.choice(("sample", "simulate", "estimate", "one_sample"))
    if scope.stream.chance(0.4):
        y = use_all(body, scalar(body), [drawn])
    aval = Aval(y.aval.dtype, (count, *y.aval.shape))
    if aval.size > MAX_ELEMENTS:
        raise IllTyped("too many samples")
    out = Var(aval, y.bounds, "samples")
    scope.bind("apply", (Transformed("vmap", body.close(name, y)), many), {}, out)
    if y.aval.dtype in FLOATS and scope.stream.chance(0.7):
        scope.let("mean", out, axis=0)
        if scope.stream.chance(0.3):
            scope.let("std", out, axis=0)


def _bootstrap(scope: Scope, budget: int, mix: Mix) -> None:
    """A statistic of resampled rows, for many keys."""
    data = _value(scope, 1)
    n, many = data.aval.shape[0], keys(scope, scope.stream.choice((8, 16, 32, 64)))
    body = scope.nested([Var(Aval(many.aval.dtype), role="key")], [data])
    index = body.let("random_randint", body.params[0], shape=(n,), minval=0, maxval=n, role="idx")
    resampled = body.let("gather", data, index)
    value = body.let(scope.stream.choice(("mean", "std", "max")), resampled,
                     axis=0)  # fmt: skip
    out = Var(Aval(value.aval.dtype, (many.aval.shape[0], *value.aval.shape)), value.bounds)
    function = body.close(scope.stream.choice(("resample", "bootstrap_stat")), value)
    scope.bind("apply", (Transformed("vmap", function), many), {}, out)
    scope.let("std", out, axis=0)


def _augment(scope: Scope, budget: int, mix: Mix) -> None:
    """A random crop of an image, or a flip, or both."""
    image = _value(scope, 2)
    k1, k2 = split(scope, "crop_key", "flip_key")
    side = image.aval.shape[0]
    size = max(1, side * 3 // 4)
    start = scope.let("random_randint", k1, shape=(), minval=0, maxval=side - size + 1)
    if start.aval.dtype != "i32":
        start = scope.let("astype", start, dtype="i32")
    crop = scope.let("dynamic_slice", image, start, slice_size=size, axis=0, role="crop")
    flip = scope.let("random_bernoulli", k2, Literal(0.5), shape=(), role="flip")
    scope.let("where", flip, scope.let("flip", crop, axis=1), crop)


def _minibatch(scope: Scope, budget: int, mix: Mix) -> None:
    """Shuffled rows of data and targets, and the first of them."""
    x = _value(scope, 1)
    n = x.aval.shape[0]
    order = scope.let("random_permuted_range", fresh(scope), n=n, role="perm")
    y = scope.input(Aval(scope.float_dtype, (n,)), "targets")
    if n > 2 and scope.stream.chance(0.6):
        size = scope.stream.integer(1, n - 1)
        order = part_of(scope, order, slice(None, size))
    scope.let("gather", x, order, role="batch_x")
    scope.let("gather", y, order, role="batch_y")


def _mixup(scope: Scope, budget: int, mix: Mix) -> None:
    """Each example mixed with another one by a weight from a Beta distribution."""
    x = _value(scope, 2)
    k1, k2 = split(scope, "lam_key", "perm_key")
    a = Literal(scope.stream.choice((0.4, 1.0)))
    lam = scope.let("random_beta", k1, a, a, shape=(), role="lam")
    other = scope.let("random_permutation", k2, x)
    kept = scope.let("mul", lam, x)
    scope.let("add", kept, scope.let("mul", scope.let("sub", Literal(1.0), lam), other))


def _random_features(scope: Scope, budget: int, mix: Mix) -> None:
    """Random Fourier features of the last axis."""
    x = _value(scope, 2)
    k1, k2 = split(scope, "w_key", "b_key")
    units = scope.stream.choice((8, 16, 32, 64))
    w = scope.let("random_normal", k1, shape=(x.aval.shape[-1], units), role="w")
    high = round(2 * math.pi, 4)
    b = scope.let("random_uniform", k2, shape=(units,), minval=0.0, maxval=high, role="b")
    wave = scope.let("cos", scope.let("add", scope.let("matmul", x, w), b))
    scope.let("mul", wave, Literal(round(math.sqrt(2 / units), 4)), role="features")


def _legacy(scope: Scope, budget: int, mix: Mix) -> None:
    """Keys of the old kind, which are arrays of words."""
    roles = scope.stream.choice((("rng",), ("k1", "k2"), ("rng_a", "rng_b", "rng_c")))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(1, 2)))
    total: Var | None = None
    for key in legacy(scope, *roles):
        name = scope.stream.choice(("normal", "uniform", "gumbel", "exponential", "laplace"))
        drawn = scope.let(f"random_{name}", key, shape=shape)
        total = drawn if total is None else scope.let("add", total, drawn)
    grow_ops(scope, budget // 2, mix)


_INITIALIZERS = (
    "glorot_normal()", "glorot_uniform()", "he_normal()", "he_uniform()", "lecun_normal()",
    "lecun_uniform()", "xavier_uniform()", "xavier_normal()", "kaiming_normal()",
    "kaiming_uniform()", "normal(0.02)", "normal()", "normal(stddev=0.1)",
    "truncated_normal(stddev=0.02)", "uniform(0.05)", "uniform(scale=0.1)", "orthogonal()",
    'variance_scaling(1.0, "fan_in", "truncated_normal")',
    'variance_scaling(2.0, "fan_avg", "uniform")',
)  # fmt: skip
_CONSTANT = ("zeros", "constant(0.1)", "ones", "zeros")


def _initialize(scope: Scope, budget: int, mix: Mix) -> None:
    """The initial weights of a network, and its first forward pass or only them."""
    stream = scope.stream
    x = _value(scope, 2)
    widths = [x.aval.shape[-1], *(scope.side() for _ in range(stream.integer(1, 3)))]
    roles = tuple(f"k{n}" for n in range(1, len(widths)))
    given = split(scope, *roles)
    method = stream.choice(_INITIALIZERS)
    items: list[tuple[str, Tree]] = []
    values: list[tuple[str, Var]] = []
    for number, (inside, units, key) in enumerate(zip(widths[:-1], widths[1:], given, strict=True)):
        if stream.chance(0.3):
            method = stream.choice(_INITIALIZERS)
        code = Code(f"jax.nn.initializers.{method}")
        w = scope.let("initializer", key, initializer=code, shape=(inside, units))
        if stream.chance(0.3):
            constant = Code(f"jax.nn.initializers.{stream.choice(_CONSTANT)}")
            # A constant takes a key as every initializer does, and does not use it.
            b = scope.let("initializer", key, initializer=constant, shape=(units,))
        else:
            b = scope.let("zeros", shape=(units,))
        values += [(f"w{number + 1}", w), (f"b{number + 1}", b)]
    items = [(name, var.type) for name, var in values]
    if stream.chance(0.35):
        params = Var(Record(tuple(items)), role="params")
        scope.bind("unpack", (Record(tuple(values)),), {}, params)  # type: ignore[arg-type]
        return
    h = x
    for place in range(0, len(values), 2):
        h = h if max(map(abs, h.bounds)) <= 100 else scope.let("tanh", h)
        h = scope.let("add", scope.let("matmul", h, values[place][1]), values[place + 1][1])
        if place + 2 < len(values):
            h = scope.let(stream.choice(("tanh", "relu", "sigmoid")), h)


def _decode(scope: Scope, budget: int, mix: Mix) -> None:
    """Tokens drawn from logits, at a temperature and from the k likeliest."""
    stream = scope.stream
    logits = scope.let("div", _value(scope, 1), Literal(stream.choice((0.7, 0.8, 1.2, 2.0))))
    side = logits.aval.shape[-1]
    if side > 3 and stream.chance(0.6):
        k = stream.integer(2, min(side - 1, 8))
        ordered = scope.let("sort", logits, axis=-1)
        least = part_of(scope, ordered, Ellipsis, -k, None)
        low = scope.let("less", logits, least)
        logits = scope.let("where", low, Literal(-1e4), logits)
    token = scope.let("random_categorical", fresh(scope), logits, role="token")
    if stream.chance(0.4):
        logp = scope.let("log_softmax", logits, axis=-1)
        place = scope.let("expand_dims", token, axis=-1)
        if place.aval.rank == logp.aval.rank:
            scope.let("take_along_axis", logp, place, axis=-1)


def _key_input(scope: Scope, budget: int, mix: Mix) -> None:
    """Many keys as an input, one draw for each."""
    count = scope.side()
    many = scope.input(Aval(KEY[0], (count,)), "keys")
    body = scope.nested([Var(Aval(KEY[0]), role="key")])
    k = body.let("key_clone", body.params[0]) if scope.stream.chance(0.4) else body.params[0]
    if scope.stream.chance(0.3):
        k = body.let("fold_in", k, Literal(scope.stream.choice((0, 1, 3))))
    shape = tuple(scope.side() for _ in range(scope.stream.integer(0, 1)))
    name = scope.stream.choice(("random_normal", "random_uniform", "random_gumbel"))
    drawn = body.let(name, k, shape=shape)
    grow_ops(body, min(budget, 6), mix)
    y = use_all(body, leaves(body, 1)[0], [drawn])
    out = Aval(y.aval.dtype, (count, *y.aval.shape))
    if out.size > MAX_ELEMENTS:
        raise IllTyped("too many samples")
    function = body.close(scope.stream.choice(("draw", "sample", "noise")), y)
    scope.bind("apply", (Transformed("vmap", function), many), {}, Var(out, y.bounds))


FAMILY = Family(
    "random",
    one_of(
        Form(_samples, 4.0),
        Form(_drawn_from, 2.5),
        Form(_dropout, 1.5),
        Form(_noise, 1.2),
        Form(_reparameterize, 1.2),
        Form(_gumbel_softmax),
        Form(_over_keys, 2.0),
        Form(_bootstrap, 0.7),
        Form(_augment, 0.8),
        Form(_minibatch, 0.8),
        Form(_mixup, 0.6),
        Form(_random_features, 0.6),
        Form(_legacy, 1.0),
        Form(_initialize, 1.5),
        Form(_decode),
        Form(_key_input, 0.8),
        *chains.FORMS,
        *noisy_steps.FORMS,
    ),
)
