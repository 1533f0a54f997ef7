"""Small manipulations of indices, masks, bits and bytes."""

import jax
import jax.numpy as jnp

from jax_ir_pairs.synthesis.holes import maybe, one_of, size, sketch


@sketch(
    takes={"lengths": "counts i[b]"},
    gives="mask bool[b, t]: valid",
    sizes={"b": (1, 128), "t": (4, 128)},
    dtypes="f32 f64 bf16",
    also=("Mark which positions of padded sequences are real.",),
)
def padding_mask(lengths, max_length=size("t"), left=one_of(False, True), at_least=one_of(0, 1)):
    """Turn sequence lengths into a mask of valid positions."""
    if at_least:
        lengths = jnp.maximum(lengths, at_least)
    positions = jnp.arange(max_length)
    if left:
        # Padding comes first, so the valid part ends the row.
        positions = one_of(positions[::-1], max_length - 1 - positions)
    return one_of(positions[None, :] < lengths[:, None], positions < lengths[:, None])


@sketch(
    takes={"bits": "bool[n, 8]"},
    gives="u8[n]: packed",
    sizes={"n": (1, 1024)},
    also=("Store eight flags in one byte.",),
)
def pack_bits_to_bytes(bits, big_endian=one_of(True, False)):
    """Pack rows of eight flags into bytes."""
    if bits.shape[-1] != 8:
        raise ValueError(f"a byte has 8 bits, got rows of {bits.shape[-1]}")
    if maybe("library", 0.25):
        return jnp.packbits(bits, axis=-1, bitorder="big" if big_endian else "little")[:, 0]
    shifts = jnp.arange(8, dtype=jnp.uint8)
    if big_endian:
        shifts = shifts[::-1]
    if maybe("loop"):
        packed = jnp.zeros(bits.shape[0], jnp.uint8)
        for i in range(8):
            packed = packed | (bits[:, i].astype(jnp.uint8) << shifts[i])
        return packed
    return jnp.sum(bits.astype(jnp.uint8) << shifts, axis=-1, dtype=jnp.uint8)


@sketch(
    takes={"codes": "u32[n]: packed fields"},
    gives={"red": "u32[n]", "green": "u32[n]", "blue": "u32[n]"},
    sizes={"n": (1, 4096)},
    also=("Take packed colors apart.",),
)
def unpack_color_fields(codes, order=one_of("rgb", "bgr"), bits=one_of(8, 10, 5)):
    """Extract three bit fields from packed words."""
    if not 1 <= bits <= 10:
        raise ValueError(f"three fields of {bits} bits do not fit a word")
    mask = (1 << bits) - 1
    if maybe("scramble", 0.4):
        codes = codes * jnp.uint32(0x01000193)
    fields = [(codes >> jnp.uint32(bits * i)) & mask for i in range(3)]
    if order == "rgb":
        fields = fields[::-1]
    return dict(zip(("red", "green", "blue"), fields))


@sketch(
    takes={"numbers": "i[n]"},
    gives="i[n]: code",
    sizes={"n": (1, 4096)},
    dtypes="f32 bf16 f64",
    also=("Convert between binary and reflected codes.",),
)
def gray_code(numbers, decode=one_of(True, False), num_bits=one_of(8, 16)):
    """Translate integers to the Gray code, or back."""
    if num_bits <= 0 or num_bits > 31:
        raise ValueError(f"cannot code {num_bits} bits")
    if not decode:
        return numbers ^ (numbers >> 1)
    value = one_of(numbers, numbers & ((1 << num_bits) - 1))
    distance = 1
    while distance < num_bits:
        # Prefix parity, with steps that double.
        value = value ^ (value >> distance)
        distance *= 2
    return value


@sketch(
    takes={"memory": "sequence f[b, t, d]", "new": "features f[b, d]", "step": "i[]"},
    gives="sequence f[b, t, d]: memory",
    sizes={"b": (1, 32), "t": (4, 64), "d": (2, 64)},
    dtypes="f32 bf16 f16",
    also=("Write the newest entry into a cache.",),
)
def write_to_cache(memory, new, step):
    """Overwrite the oldest slot of a cache with a new entry."""
    batch, capacity, width = memory.shape
    if new.shape != (batch, width):
        raise ValueError(f"an entry of shape {(batch, width)} was expected, got {new.shape}")
    slot = step % capacity
    if maybe("scatter"):
        return memory.at[:, slot].set(new)
    if maybe("dynamic update"):
        return jax.lax.dynamic_update_slice_in_dim(memory, new[:, None, :], slot, axis=1)
    is_slot = jnp.arange(capacity) == slot
    return jnp.where(is_slot[None, :, None], new[:, None, :], memory)


@sketch(
    takes={"values": "samples f[n]"},
    gives="ids i[n]: bucket",
    sizes={"n": (1, 4096)},
    dtypes="f32 bf16",
    also=("Sort values into buckets.",),
)
def bucketize(values, low=-2.0, high=2.0, num_inner=2):
    """Assign values to buckets, with one below and one above the range."""
    if low >= high or num_inner < 1:
        raise ValueError(f"no buckets between {low} and {high}")
    if maybe("arithmetic"):
        width = (high - low) / num_inner
        bucket = jnp.floor((values - low) / width).astype(int) + 1
        return jnp.clip(bucket, 0, num_inner + 1)
    edges = jnp.linspace(low, high, num_inner + 1, dtype=values.dtype)
    return one_of(
        jnp.searchsorted(edges, values, side="right"),
        jnp.digitize(values, edges),
        jnp.sum(values[:, None] >= edges, axis=1),
    )


@sketch(
    takes={"votes": "labels i[n, k]"},
    gives=("labels i[n]: winner", "mask bool[n]: unanimous"),
    sizes={"n": (1, 512), "k": (2, 9)},
    dtypes="f32 f64",
    also=("Let several annotators agree on a label.",),
)
def majority_vote(votes, num_labels=4):
    """Take the most frequent label of each row, and the smallest one of equals."""
    num_voters = votes.shape[1]
    if num_voters < 2 or num_labels < 2:
        raise ValueError(f"{num_voters} voters on {num_labels} labels settle nothing")
    if maybe("one hot"):
        tally = jnp.sum(jax.nn.one_hot(votes, num_labels), axis=1)
    else:
        tally = jnp.stack([jnp.sum(votes == label, axis=1) for label in range(num_labels)], axis=1)
    winner = jnp.argmax(tally, axis=1)
    unanimous = one_of(jnp.all(votes == votes[:, :1], axis=1), jnp.max(tally, axis=1) == num_voters)
    return winner, unanimous
