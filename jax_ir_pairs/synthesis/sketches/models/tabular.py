"""Models of tables and of users and items: embeddings, crosses, trees."""

import math

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, nested, number, one_of, sketch

user_tower = nested("(params: P, x: features f[b, d]) -> features f[b, h]")


@sketch(
    takes={
        "params": {"bias": "f[]", "linear": "f[d]", "factors": "f[d, k]"},
        "x": "features f[b, d]",
    },
    gives="predictions f[b]",
    sizes={"b": (2, 64), "d": (3, 512), "k": (2, 12)},
    dtypes="f32 bf16",
    also=("Model pairwise interactions of features by inner products of their factors.",),
)
def factorization_machine(params, x):
    """Predict targets by a second-order factorization machine."""
    if x.ndim != 2 or x.shape[1] != params["factors"].shape[0]:
        raise ValueError(f"{params['factors'].shape[0]} factors for features {x.shape}")
    if maybe("standardize_rows", 0.35):
        x = x / (jnp.sqrt(jnp.sum(x * x, axis=-1, keepdims=True)) + 1.0)
    linear = params["bias"] + x @ params["linear"]
    if maybe("pairwise_sum", 0.3):
        gram = params["factors"] @ params["factors"].T
        upper = jnp.triu(gram, k=1)
        interactions = jnp.einsum("bi,ij,bj->b", x, upper, x)
    else:
        # The square of the sum less the sum of the squares counts every pair twice.
        summed = x @ params["factors"]
        squares = (x * x) @ (params["factors"] * params["factors"])
        if maybe("bi_interaction", 0.4):
            # Pooled interactions pass a nonlinearity before they are summed.
            pooled = one_of(jnp.tanh, jax.nn.gelu)(0.5 * (summed * summed - squares))
            interactions = jnp.sum(pooled, axis=-1)
        else:
            interactions = 0.5 * jnp.sum(summed * summed - squares, axis=-1)
    if maybe("scale_down"):
        interactions = interactions / x.shape[-1]
    if maybe("clip_predictions", 0.3):
        return jnp.clip(linear + interactions, -20.0, 20.0)
    return linear + interactions


@sketch(
    takes={
        "params": {
            "tables": ("l", "f[v, k]"),
            "dense": {"w": "f[d, m]", "b": "f[m]"},
            "top": {"w": "f[l*k+m, c]", "b": "f[c]"},
        },
        "categories": "ids i[b, l]: one category per column",
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={
        "b": (2, 64),
        "l": (2, 5),
        "v": (4, 128),
        "k": (2, 8),
        "d": (2, 32),
        "m": (2, 24),
        "c": (2, 8),
    },
    dtypes="f32 bf16",
    also=("Classify rows of a table with categorical and numeric columns.",),
)
def embed_table_columns(params, categories, x):
    """Embed each categorical column and join it with the numeric ones."""
    num_columns = categories.shape[1]
    tables = params["tables"]
    if len(tables) != num_columns:
        raise ValueError(f"{len(tables)} tables for {num_columns} categorical columns")
    if maybe("hash_buckets", 0.3):
        # Unseen categories share the buckets that there are.
        columns = []
        for index, table in enumerate(tables):
            columns.append(table[categories[:, index] * 31 % table.shape[0]])
    else:
        columns = [table[categories[:, column]] for column, table in enumerate(tables)]
    if maybe("renormalize", 0.35):
        columns = [c / (jnp.sqrt(jnp.sum(c * c, axis=-1, keepdims=True)) + 0.1) for c in columns]
    embedded = one_of(jnp.concatenate(columns, axis=-1), jnp.hstack(columns))
    if maybe("standardize"):
        mean, std = jnp.mean(x, axis=0), jnp.std(x, axis=0)
        x = (x - mean) / (std + one_of(1e-3, 1e-2))
    dense = one_of(jax.nn.relu, jax.nn.silu)(x @ params["dense"]["w"] + params["dense"]["b"])
    joined = jnp.concatenate([embedded, dense], axis=-1)
    top = params["top"]
    return joined @ top["w"] / math.sqrt(joined.shape[-1]) + top["b"]


@sketch(
    takes={
        "params": {
            "crosses": ("l", {"w": "f[d, r]", "u": "f[r, d]", "b": "f[d]"}),
            "deep": {"w1": "f[d, m]", "b1": "f[m]", "w2": "f[m, m]", "b2": "f[m]"},
            "head": "f[d+m, c]",
        },
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"b": (2, 64), "l": (1, 4), "d": (3, 64), "r": (1, 4), "m": (4, 64), "c": (2, 16)},
    dtypes="f32 bf16",
    also=("Classify by explicit feature crosses beside a deep network.",),
)
def deep_and_cross(params, x, stacked=one_of(False, True)):
    """Cross features with low-rank layers and join them with a deep network."""
    width = x.shape[-1]
    crossed = x
    for layer in params["crosses"]:
        if maybe("low_rank_first"):
            projected = (crossed @ layer["w"]) @ layer["u"] / width
        else:
            projected = crossed @ (layer["w"] @ layer["u"]) / width
        crossed = x * (projected + layer["b"]) + crossed
        if maybe("bounded", 0.35):
            crossed = 10.0 * jnp.tanh(crossed / 10.0)
    deep = params["deep"]
    activation = one_of(jax.nn.relu, jax.nn.gelu, jnp.tanh)
    source = crossed if stacked else x
    hidden = activation(source @ deep["w1"] / math.sqrt(width) + deep["b1"])
    hidden = activation(hidden @ deep["w2"] / math.sqrt(hidden.shape[-1]) + deep["b2"])
    joined = jnp.concatenate([crossed, hidden], axis=-1)
    return joined @ params["head"] / math.sqrt(joined.shape[-1])


@sketch(
    takes={
        "params": {"user": "P", "items": "f[v, h]"},
        "users": "features f[b, d]",
        "bought": "ids i[b]: the item that each user took",
    },
    gives=("scores f[b, v]", "loss f[]"),
    sizes={"b": (3, 32), "d": (3, 64), "h": (3, 32), "v": (6, 128)},
    also=("Retrieve items for users whose embedding lies near to theirs.",),
)
def two_tower_retrieval(params, users, bought, temperature=number(0.1, 1.0), in_batch=True):
    """Embed users and items in one space and train by in-batch negatives."""
    user = user_tower(params["user"], users)
    items = params["items"]
    if maybe("cosine"):
        user = user / jnp.sqrt(jnp.sum(user * user, axis=-1, keepdims=True) + 1e-6)
        items = items / jnp.sqrt(jnp.sum(items * items, axis=-1, keepdims=True) + 1e-6)
    else:
        user = jnp.tanh(user)
        items = items / math.sqrt(items.shape[-1])
    scores = one_of(user @ items.T, jnp.einsum("bh,vh->bv", user, items)) / temperature
    if in_batch:
        # The other users' items are the negatives.
        pairs = scores[:, bought]
        labels = jnp.arange(users.shape[0])
        log_probs = jax.nn.log_softmax(pairs, axis=-1)
    else:
        labels = bought
        log_probs = jax.nn.log_softmax(scores, axis=-1)
    loss = -jnp.mean(jnp.take_along_axis(log_probs, labels[:, None], axis=-1))
    if maybe("symmetric", 0.3):
        reverse = jax.nn.log_softmax(scores[:, bought], axis=0)
        loss = 0.5 * (loss - jnp.mean(jnp.diagonal(reverse)))
    return scores, loss


@sketch(
    takes={
        "params": {
            "feature_logits": "f[n, k, d]",
            "thresholds": "f[n, k]",
            "leaves": "f[n, 2, 2, 2, c]",
        },
        "x": "features f[b, d]",
    },
    gives="logits f[b, c]",
    sizes={"b": (2, 64), "d": (3, 48), "n": (2, 8), "k": (3, 3), "c": (2, 8)},
    dtypes="f32 bf16",
    also=("Vote with an ensemble of differentiable decision trees.",),
)
def oblivious_trees(params, x, temperature=number(0.5, 2.0)):
    """Average the leaves of soft oblivious trees of depth three."""
    num_trees, depth = params["thresholds"].shape
    if depth != 3:
        raise ValueError(f"leaves are stored for trees of depth 3, got {depth}")
    # Each level of a tree asks one question, about a soft choice of features.
    if maybe("temper_choice", 0.4):
        chosen = jax.nn.softmax(2.0 * params["feature_logits"], axis=-1)
    else:
        chosen = jax.nn.softmax(params["feature_logits"], axis=-1)
    values = jnp.einsum("bd,nkd->bnk", x, chosen)
    margin = (values - params["thresholds"]) / temperature
    if maybe("hard_sigmoid"):
        right = jnp.clip(0.5 + margin / 2, 0.0, 1.0)
    else:
        right = jax.nn.sigmoid(margin)
    if maybe("index_branches"):
        branches = [jnp.stack([1 - right[..., i], right[..., i]], axis=-1) for i in range(depth)]
        first, second, third = branches
    else:
        branches = jnp.stack([1 - right, right], axis=-1)
        first, second, third = (branches[:, :, level] for level in range(depth))
    if maybe("one_contraction"):
        response = jnp.einsum("bni,bnj,bnk,nijkc->bnc", first, second, third, params["leaves"])
    else:
        response = jnp.einsum("bni,nijkc->bnjkc", first, params["leaves"])
        response = jnp.einsum("bnj,bnjkc->bnkc", second, response)
        response = jnp.einsum("bnk,bnkc->bnc", third, response)
    if maybe("weigh_trees", 0.3):
        # Trees that split sharply count for more.
        sharpness = jnp.mean(jnp.abs(2 * right - 1), axis=-1) + 0.1
        shares = sharpness / jnp.sum(sharpness, axis=1, keepdims=True)
        return jnp.einsum("bn,bnc->bc", shares, response)
    return one_of(jnp.mean(response, axis=1), jnp.sum(response, axis=1) / math.sqrt(num_trees))


@sketch(
    takes={
        "params": {
            "users": "f[m, k]",
            "items": "f[n, k]",
            "user_bias": "f[m]",
            "item_bias": "f[n]",
        },
        "batch": {"user": "ids i[b]", "item": "ids i[b]", "rating": "targets f[b]"},
    },
    gives="loss f[]",
    sizes={"m": (4, 128), "n": (4, 128), "k": (2, 16), "b": (2, 128)},
    also=("Train a matrix factorization on observed ratings.",),
)
def rating_loss(params, batch, decay=number(1e-4, 1e-1)):
    """Fit observed ratings by inner products of user and item factors."""
    user, item, rating = batch["user"], batch["item"], batch["rating"]
    p, q = params["users"][user], params["items"][item]
    predicted = one_of(jnp.sum(p * q, axis=-1), jnp.einsum("bk,bk->b", p, q))
    predicted = predicted + params["user_bias"][user] + params["item_bias"][item]
    if maybe("bounded_ratings", 0.4):
        # Ratings are from one to five.
        predicted = 1 + 4 * jax.nn.sigmoid(predicted)
        rating = jnp.clip(rating, 1.0, 5.0)
    loss = jnp.mean((predicted - rating) ** 2)
    if maybe("decay_seen"):
        penalty = jnp.mean(jnp.sum(p * p + q * q, axis=-1))
    else:
        penalty = sum(jnp.mean(leaf * leaf) for leaf in jax.tree.leaves(params))
    return loss + decay * penalty


@sketch(
    takes={
        "item_factors": "matrix f[n, k]",
        "ratings": "f[m, n]: what users gave to items",
        "seen": "mask bool[m, n]: true where there is a rating",
    },
    gives="f[m, k]: user_factors",
    sizes={"m": (2, 24), "n": (4, 48), "k": (2, 8)},
    dtypes="f32 f64",
    also=("Solve for the factors of all users while those of items are held.",),
)
def alternating_least_squares(
    item_factors, ratings, seen, ridge=number(0.1, 2.0), sweeps=integer(1, 2)
):
    """Refit the factors of users, and of items in further sweeps, to ratings."""
    rank = item_factors.shape[1]
    identity = jnp.eye(rank, dtype=item_factors.dtype)

    def solve_rows(factors, observed, present):
        weights = present.astype(factors.dtype)
        gram = jnp.einsum("mn,nk,nl->mkl", weights, factors, factors) + ridge * identity
        moment = jnp.einsum("mn,nk->mk", weights * observed, factors)
        if maybe("vmap_solve"):
            return jax.vmap(jnp.linalg.solve)(gram, moment)
        return jnp.linalg.solve(gram, moment[..., None])[..., 0]

    user_factors = solve_rows(item_factors, ratings, seen)
    for _ in range(sweeps - 1):
        item_factors = solve_rows(user_factors, ratings.T, seen.T)
        user_factors = solve_rows(item_factors, ratings, seen)
    return user_factors
