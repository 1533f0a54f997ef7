"""Keys of random numbers: made, split, folded, taken apart; and where an op gets a fresh one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jax_ir_pairs.synthesis.graph import Operand, Var
from jax_ir_pairs.synthesis.op import IllTyped, Op, Typed, spell
from jax_ir_pairs.synthesis.scope import MAX_INPUTS, Scope
from jax_ir_pairs.synthesis.types import ANYTHING, KEY, RAW_KEY, Aval

Drawn = tuple[tuple[Operand, ...], dict[str, Any]] | None

IMPLEMENTATIONS = {"threefry2x32": "key<fry>", "rbg": "key<rbg>", "unsafe_rbg": "key<urbg>"}
_WORDS = {"key<fry>": 2, "key<rbg>": 4, "key<urbg>": 4}

SEEDS = (0, 0, 0, 1, 2, 7, 42, 123, 1234)


def is_key(item: Any) -> bool:
    """Tells whether an operand is one key, not an array of them."""
    if not isinstance(item, Var) or not isinstance(item.type, Aval):
        return False
    return item.type.dtype in KEY and not item.type.shape


def _key(operand: Any) -> Aval:
    if not is_key(operand):
        raise IllTyped("no key")
    aval: Aval = operand.aval
    return aval


def _infer_key(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    return Aval(IMPLEMENTATIONS[params.get("impl", "threefry2x32")]), ANYTHING


def _infer_seeded(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (seed,) = operands
    if seed.aval.dtype[0] not in "iu" or seed.aval.shape:
        raise IllTyped("a seed is an integer")
    return Aval(KEY[0]), ANYTHING


def _infer_raw(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    return Aval(RAW_KEY), ANYTHING


def _infer_split(operands: Sequence[Any], params: Mapping[str, Any]) -> list[Typed]:
    return [(_key(operands[0]), ANYTHING)] * params.get("num", 2)


def _infer_keys(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    num = params["num"]
    shape = num if isinstance(num, tuple) else (num,)
    return _key(operands[0]).with_shape(*shape), ANYTHING


def _infer_same(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    return _key(operands[0]), ANYTHING


def _infer_getitem(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (keys,) = operands
    if keys.aval.dtype not in KEY or keys.aval.rank != 1:
        raise IllTyped("no keys")
    return Aval(keys.aval.dtype), ANYTHING


def _infer_data(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (keys,) = operands
    if keys.aval.dtype not in _WORDS:
        raise IllTyped("no key")
    return Aval("u32", (*keys.aval.shape, _WORDS[keys.aval.dtype])), ANYTHING


def _infer_wrap(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (data,) = operands
    if data.aval.dtype != "u32" or data.aval.shape[-1:] != (2,):
        raise IllTyped("no data of a key")
    return Aval(KEY[0], data.aval.shape[:-1]), ANYTHING


def _new(scope: Scope) -> Var:
    """Gives a key that nothing has used, as a person comes by one at this place."""
    stream = scope.stream
    role = stream.choice(("key", "key", "rng"))
    step = _step(scope)
    if step is not None and stream.chance(0.8):
        base = scope.let("random_key", seed=stream.choice(SEEDS), role=role)
        return scope.let("fold_in", base, step, role="step_key")
    way = stream.weighted(("input", "literal", "seed", "impl", "wrap"), (5, 4, 0.7, 0.5, 0.3))
    root = scope.root()
    if scope.sealed or (way in ("input", "seed", "wrap") and len(root.params) >= MAX_INPUTS - 1):
        way = "literal"
    if way == "input":
        key = scope.input(Aval(KEY[0]), role)
        if root is not scope:
            root.unused.pop(key)  # it is for this function alone
        return key
    if way == "seed":
        return scope.let("random_key_of", scope.input(Aval("i32"), "seed"), role=role)
    if way == "wrap":
        data = Var(Aval("u32", (2,)), (0, 1000), "key_data")
        root.params.append(data)  # no value of the scope: ordinary ops take no key
        return scope.let("wrap_key_data", data, role=role)
    params: dict[str, Any] = {"seed": stream.choice(SEEDS)}
    if way == "impl":
        params["impl"] = stream.choice(("rbg", "unsafe_rbg", "threefry2x32"))
    return scope.let("random_key", role=role, **params)


def _step(scope: Scope) -> Var | None:
    """Gives the counter of the loop around, where there is one."""
    if scope.outer is None:
        return None
    counters = [v for v in scope.params if isinstance(v.type, Aval) and v.role == "i"]
    return next((v for v in counters if v.aval in (Aval("i32"), Aval("i64"))), None)


def held(scope: Scope) -> Var | None:
    """Gives a key of the scope that nothing has used yet."""
    found = [v for v in scope.unused if is_key(v) and v.aval.dtype != RAW_KEY]
    return found[-1] if found else None


def fresh(scope: Scope, role: str = "subkey", *, threefry: bool = False) -> Var:
    """Gives a key to use once: one that is left over, a new one, or one split off.

    `threefry`: what it is used for takes keys of the default implementation only.
    """
    key = held(scope)
    if key is None or (threefry and key.aval.dtype != KEY[0]):
        key = _new(scope)
    if threefry and key.aval.dtype != KEY[0]:
        key = scope.let("random_key", seed=scope.stream.choice(SEEDS), role="key")
    if key.role not in ("key", "rng") or scope.stream.chance(0.35):
        return key
    return scope.let_all("random_split", key, roles=(key.role, role))[1]


def split(scope: Scope, *roles: str, threefry: bool = False) -> tuple[Var, ...]:
    """Gives several keys at once, under these names."""
    if len(roles) == 1:
        return (fresh(scope, roles[0], threefry=threefry),)
    key = held(scope)
    if key is None or (threefry and key.aval.dtype != KEY[0]):
        key = _new(scope)
    if threefry and key.aval.dtype != KEY[0]:
        key = scope.let("random_key", seed=scope.stream.choice(SEEDS), role="key")
    if scope.stream.chance(0.2):
        array = scope.let("random_keys", key, num=len(roles), role="keys")
        return tuple(scope.let("key_at", array, place=place) for place in range(len(roles)))
    if len(roles) == 2:
        return scope.let_all("random_split", key, roles=roles)
    return scope.let_all("random_split_many", key, roles=roles, num=len(roles))


def legacy(scope: Scope, *roles: str) -> tuple[Var, ...]:
    """Gives several keys of the old kind, arrays of words; every one of them must be used."""
    rng = scope.let("prng_key", seed=scope.stream.choice(SEEDS), role="rng")
    if len(roles) == 1:
        return (rng,)
    if len(roles) == 2:
        return scope.let_all("random_split", rng, roles=roles)
    return scope.let_all("random_split_many", rng, roles=roles, num=len(roles))


def keys(scope: Scope, count: int | tuple[int, ...], role: str = "keys") -> Var:
    """Gives an array of fresh keys, to map over."""
    return scope.let("random_keys", fresh(scope), num=count, role=role)


def _draw_key_data(scope: Scope) -> Drawn:
    return (fresh(scope),), {}


def _infer_threefry(operands: Sequence[Any], params: Mapping[str, Any]) -> Typed:
    (words,) = operands
    if words.aval != Aval("u32", (2,)):
        raise IllTyped("no words of a key")
    return Aval("u32", (params["n"],)), ANYTHING


def _draw_threefry(scope: Scope) -> Drawn:
    """Counters that are hashed under the words of a key."""
    words = scope.let("key_data", fresh(scope, threefry=True), role="key_data")
    return (words,), {"n": scope.side()}


def _op(name: str, infer: Any, *templates: str) -> Op:
    return Op(name, "key", spell(*templates), infer)


OPS = (
    _op("random_key", _infer_key, "jax.random.key({seed}{kw})"),
    _op("random_key_of", _infer_seeded, "jax.random.key({0})"),
    _op("prng_key", _infer_raw, "jax.random.PRNGKey({seed})"),
    _op("random_split", _infer_split, "jax.random.split({0})"),
    _op("random_split_many", _infer_split, "jax.random.split({0}, {num})"),
    _op("random_keys", _infer_keys, "jax.random.split({0}, {num})"),
    _op("fold_in", _infer_same, "jax.random.fold_in({0}, {1})"),
    _op("key_clone", _infer_same, "jax.random.clone({0})"),
    _op("key_at", _infer_getitem, "{0}[{place}]"),
    _op("wrap_key_data", _infer_wrap, "jax.random.wrap_key_data({0})"),
    Op(
        "threefry",
        "random",
        spell("threefry_2x32({0}, jnp.arange({n}, dtype=jnp.uint32))"),
        _infer_threefry,
        _draw_threefry,
        0.3,
        reverse=False,
    ),
    Op("key_data", "random", spell("jax.random.key_data({0})"), _infer_data, _draw_key_data, 0.4),
)
