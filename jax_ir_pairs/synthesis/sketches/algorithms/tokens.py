"""Text as arrays of integers: hashes, merges, packing, counts."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import integer, maybe, one_of, size, sketch


@sketch(
    takes={"tokens": "tokens i[n]", "salt?": "i[]"},
    gives="vector f[k]: hashed",
    sizes={"n": (8, 2048), "k": (8, 128)},
    also=("Hash the n-grams of a text into a vector of fixed length.",),
)
def hashed_ngram_features(tokens, salt=None, num_buckets=size("k"), order=integer(1, 3)):
    """Count the n-grams of a sequence in hashed buckets."""
    n = tokens.shape[0]
    if n < order:
        raise ValueError(f"a text of {n} tokens has no {order}-gram")
    hashes = jnp.full(n - order + 1, one_of(17, 2166136261), jnp.uint32)
    if salt is not None:
        hashes = hashes + salt.astype(jnp.uint32)
    for i in range(order):
        shifted = tokens[i : n - order + 1 + i].astype(jnp.uint32)
        if maybe("fnv"):
            # Products wrap around, as they should.
            hashes = (hashes ^ shifted) * jnp.uint32(16777619)
        else:
            hashes = hashes * jnp.uint32(31) + shifted + 1
    buckets = (hashes % num_buckets).astype(int)
    if maybe("signed", 0.4):
        # A sign from another bit lets collisions cancel on average.
        signs = 1.0 - 2.0 * ((hashes >> 16) & 1)
    else:
        signs = jnp.ones(buckets.shape)
    features = jax.ops.segment_sum(signs, buckets, num_segments=num_buckets)
    if maybe("sublinear"):
        return jnp.sign(features) * jnp.log1p(jnp.abs(features))
    if maybe("unit length"):
        return features / jnp.sqrt(jnp.sum(features * features) + 1e-6)
    return features / (n - order + 1)


@sketch(
    takes={"text": "tokens i[n]", "pattern": "tokens i[k]"},
    gives=("mask bool[n-k+1]: matches", "i[]: first"),
    sizes={"n": (16, 1024), "k": (1, 8)},
    dtypes="f32 f64",
    also=("Find all occurrences of a pattern in a text.",),
)
def rolling_hash_search(text, pattern, base=one_of(257, 31, 131), modulus=one_of(7919, 10007)):
    """Search a text for a pattern by the hashes of its windows."""
    n, k = text.shape[0], pattern.shape[0]
    if k > n:
        raise ValueError(f"the pattern ({k}) is longer than the text ({n})")

    def hash_of(window):
        value = jnp.zeros((), window.dtype)
        for i in range(k):
            value = (value * base + window[i]) % modulus
        return value

    if maybe("rolling", 0.6):
        lead = pow(base, k - 1, modulus)

        def roll(value, leaving_and_entering):
            leaving, entering = leaving_and_entering
            value = ((value - leaving * lead) * base + entering) % modulus
            return value, value

        first_hash = hash_of(text[:k])
        _, later = jax.lax.scan(roll, first_hash, (text[: n - k], text[k:]))
        hashes = jnp.concatenate([first_hash[None], later])
    else:
        windows = text[jnp.arange(n - k + 1)[:, None] + jnp.arange(k)]
        hashes = jax.vmap(hash_of)(windows)
    candidates = hashes == hash_of(pattern)
    if maybe("verify"):
        # Equal hashes may be a coincidence.
        for i in range(k):
            candidates = candidates & (text[i : n - k + 1 + i] == pattern[i])
    found = jnp.any(candidates)
    first = jnp.where(found, jnp.argmax(candidates), one_of(-1, n))
    return candidates, first


@sketch(
    takes={"tokens": "tokens i[n]"},
    gives=("i[n]: merged", "i[2]: pair"),
    sizes={"n": (4, 1024)},
    dtypes="f32 f64",
    also=("Learn and apply one merge of byte-pair encoding.",),
)
def byte_pair_merge(tokens, vocab_size=one_of(4, 8), pad_id=-1):
    """Replace the most frequent pair of neighbors by a new token."""
    left, right = tokens[:-1], tokens[1:]
    if maybe("flat"):
        codes = left * vocab_size + right
        frequency = jnp.bincount(codes, length=vocab_size * vocab_size)
        best = jnp.argmax(frequency)
        pair = jnp.stack([best // vocab_size, best % vocab_size])
    else:
        table = jnp.zeros((vocab_size, vocab_size), int).at[left, right].add(1)
        pair = jnp.stack(jnp.unravel_index(jnp.argmax(table), table.shape))
    starts_pair = jnp.append((left == pair[0]) & (right == pair[1]), False)

    def claim(previous_claimed, here):
        # Overlapping occurrences: the first one wins.
        claimed = here & ~previous_claimed
        return claimed, claimed

    _, merges = jax.lax.scan(claim, jnp.zeros((), bool), starts_pair)
    swallowed = jnp.concatenate([jnp.zeros(1, bool), merges[:-1]])
    replaced = jnp.where(merges, vocab_size, tokens)
    if maybe("compact"):
        n = tokens.shape[0]
        destination = jnp.where(swallowed, n, jnp.cumsum(~swallowed) - 1)
        merged = jnp.full(n, pad_id, tokens.dtype).at[destination].set(replaced, mode="drop")
    else:
        merged = jnp.where(swallowed, pad_id, replaced)
    return merged, pair.astype(tokens.dtype)


@sketch(
    takes={"tokens": "tokens i[b, t]", "lengths": "counts i[b]"},
    gives={"tokens": "i[b*t]", "segment": "i[b*t]", "position": "i[b*t]"},
    sizes={"b": (2, 16), "t": (4, 64)},
    dtypes="f32 f64",
    also=("Pack padded sequences into one row without gaps.",),
)
def pack_sequences(tokens, lengths, pad_id=one_of(0, -1)):
    """Concatenate padded sequences, with segment numbers and positions."""
    batch, seq_len = tokens.shape
    if lengths.shape != (batch,):
        raise ValueError(f"{batch} sequences but lengths of shape {lengths.shape}")
    lengths = jnp.minimum(lengths + one_of(1, 2), seq_len)
    offsets = one_of(
        jnp.cumsum(lengths) - lengths,
        jnp.concatenate([jnp.zeros_like(lengths[:1]), jnp.cumsum(lengths)[:-1]]),
    )
    place = jnp.arange(batch * seq_len)
    if maybe("gather"):
        ends = jnp.cumsum(lengths)
        segment = jnp.searchsorted(ends, place, side="right")
        inside = segment < batch
        row = jnp.minimum(segment, batch - 1)
        position = place - offsets[row]
        packed = tokens[row, jnp.clip(position, 0, seq_len - 1)]
    else:
        column = jnp.arange(seq_len)[None, :]
        valid = column < lengths[:, None]
        # What is padding goes out of bounds and is dropped.
        target = jnp.where(valid, offsets[:, None] + column, batch * seq_len)
        empty = jnp.zeros(batch * seq_len, tokens.dtype)
        packed = empty.at[target].set(tokens, mode="drop")
        rows = jnp.broadcast_to(jnp.arange(batch)[:, None], tokens.shape)
        segment = empty.at[target].set(rows, mode="drop")
        position = empty.at[target].set(jnp.broadcast_to(column, tokens.shape), mode="drop")
        inside = place < jnp.sum(lengths)
    return {
        "tokens": jnp.where(inside, packed, pad_id),
        # Zero marks the padding, so segments count from one.
        "segment": jnp.where(inside, segment + 1, 0),
        "position": jnp.where(inside, position, 0),
    }


@sketch(
    takes={"tokens": "tokens i[b, t]", "mask?": "mask bool[b, t]"},
    gives="features f[b, v]: weights",
    sizes={"b": (2, 64), "t": (2, 64), "v": (4, 64)},
    also=("Weigh the words of documents by how rare they are.",),
)
def tf_idf_weights(tokens, mask=None, vocab_size=size("v"), smooth=one_of(1.0, 0.5)):
    """Turn token sequences into normalized tf-idf vectors."""
    num_docs, seq_len = tokens.shape
    weights = jnp.ones(tokens.shape) if mask is None else mask.astype(float)
    if maybe("one hot"):
        hot = jax.nn.one_hot(tokens, vocab_size)
        frequency = jnp.einsum("bt,btv->bv", weights, hot)
    else:
        rows = jnp.arange(num_docs)[:, None]
        frequency = jnp.zeros((num_docs, vocab_size)).at[rows, tokens].add(weights)
    containing = jnp.sum(frequency > 0, axis=0)
    idf = jnp.log((num_docs + smooth) / (containing + smooth)) + 1
    if maybe("log scaled"):
        tf = jnp.log1p(frequency)
    elif maybe("bm25", 0.4):
        # Saturating counts, relative to the average length of a document.
        lengths = jnp.sum(frequency, axis=1, keepdims=True)
        relative = lengths / (jnp.mean(lengths) + 1e-3)
        tf = 2.2 * frequency / (frequency + 1.2 * (0.25 + 0.75 * relative) + 1e-3)
    else:
        tf = frequency / seq_len
    vectors = tf * idf
    if maybe("cosine", 0.6):
        vectors = vectors / (jnp.linalg.norm(vectors, axis=1, keepdims=True) + 1e-3)
    return vectors


@sketch(
    takes={"tokens": "tokens i[n]"},
    gives={"type_token": "f[]", "entropy": "f[]", "repetition": "f[]", "bigram_entropy": "f[]"},
    sizes={"n": (8, 4096)},
    also=("Measure how varied a text is.",),
)
def lexical_statistics(tokens, vocab_size=one_of(4, 8, 16)):
    """Describe the variety of a token sequence by type counts and entropies."""
    n = len(tokens)

    def entropy_of(counts):
        p = counts / jnp.maximum(jnp.sum(counts), 1)
        if maybe("bits"):
            return -jnp.sum(p * jnp.log2(p + 1e-9))
        else:
            return -jnp.sum(jax.scipy.special.xlogy(p, p))

    unigrams = jnp.bincount(tokens, length=vocab_size)
    pair_codes = tokens[:-1] * vocab_size + tokens[1:]
    bigrams = one_of(
        jnp.bincount(pair_codes, length=vocab_size * vocab_size),
        jax.ops.segment_sum(jnp.ones(n - 1), pair_codes, vocab_size * vocab_size),
    )
    num_types = jnp.sum(unigrams > 0)
    type_token = num_types / one_of(n, n**0.5)
    repetition = jnp.mean(tokens[1:] == tokens[:-1])
    if maybe("yule"):
        # Yule's K does not depend on the length of the text.
        repetition = (jnp.sum(unigrams * unigrams) - n) / (n * n)
    return {
        "type_token": type_token,
        "entropy": entropy_of(unigrams),
        "repetition": repetition,
        "bigram_entropy": entropy_of(bigrams),
    }


@sketch(
    takes={"stream": "tokens i[n]"},
    gives=("i[n]: field", "i[n]: offset", "tally i[m]: widths"),
    sizes={"n": (8, 2048), "m": (4, 32)},
    dtypes="f32 f64",
    also=("Split a stream of characters at its delimiters.",),
)
def split_fields(stream, max_fields=size("m"), delimiter=one_of(0, 3)):
    """Number the fields of a delimited stream and measure their widths."""
    is_delimiter = stream == delimiter
    if maybe("inclusive"):
        # A delimiter belongs to the field that it ends.
        field = jnp.cumsum(is_delimiter) - is_delimiter
    else:
        field = jnp.cumsum(is_delimiter)
    if maybe("running maximum"):
        index = jnp.arange(stream.shape[0])
        starts = jnp.where(jnp.diff(field, prepend=-1) != 0, index, 0)
        offset = index - jax.lax.cummax(starts)
    else:

        def count_up(position, ended):
            return jnp.where(ended, 0, position + 1), position

        _, offset = jax.lax.scan(count_up, jnp.zeros((), int), is_delimiter)
    content = (~is_delimiter).astype(int)
    widths = jax.ops.segment_sum(content, field, num_segments=max_fields)
    return field, offset, widths
