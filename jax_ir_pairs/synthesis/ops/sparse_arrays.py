"""Sparse matrices of `jax.experimental.sparse`; the family that uses them types their results."""

from __future__ import annotations

from jax_ir_pairs.synthesis.op import Op, spell


def _row(name: str, *templates: str) -> Op:
    return Op(f"sparse_{name}", "sparse", spell(*templates))


OPS = (
    _row("fromdense", "sparse.{kind}.fromdense({0}{kw})"),
    _row("new", "sparse.BCOO(({0}, {1}), shape={shape})"),
    _row("random", "sparse.random_bcoo({0}, {shape}, nse={nse}, dtype={dtype})"),
    _row("todense", "{0}.todense()"),
    _row("todense_function", "sparse.todense({0})"),
    _row("matmul", "{0} @ {1}"),
    _row("dot_general", "sparse.bcoo_dot_general({0}, {1}{kw})"),
    _row("sampled", "sparse.bcoo_dot_general_sampled({0}, {1}, {2}{kw})"),
    _row("T", "{0}.T"),
    _row("transpose", "{0}.transpose((1, 0))", "sparse.bcoo_transpose({0}, permutation=(1, 0))"),
    _row("sum", "{0}.sum({axis})", "{0}.sum(axis={axis})"),
    _row("reduce_sum", "sparse.bcoo_reduce_sum({0}{kw})"),
    _row("scaled", "{0} * {factor}"),
    _row("add", "{0} + {1}"),
    _row("negative", "-{0}"),
    _row("times", "{0} * {1}"),
    _row("multiply_sparse", "sparse.bcoo_multiply_sparse({0}, {1})"),
    _row("extract", "sparse.bcoo_extract({0}, {1})"),
    _row("getitem", "{0}[{subscript}]"),
    _row("slice", "sparse.bcoo_slice({0}{kw})"),
    _row("dynamic_slice", "sparse.bcoo_dynamic_slice({0}, {1}, {slice_sizes})"),
    _row("reshape", "{0}.reshape({shape})"),
    _row("concatenate", "sparse.bcoo_concatenate([{0}]{kw})"),
    _row("rev", "sparse.bcoo_rev({0}{kw})"),
    _row("broadcast_in_dim", "sparse.bcoo_broadcast_in_dim({0}{kw})"),
    _row("sort_indices", "{0}.sort_indices()"),
    _row("sum_duplicates", "{0}.sum_duplicates({kw})"),
    _row("update_layout", "sparse.bcoo_update_layout({0}{kw})"),
    _row("from_bcoo", "sparse.BCSR.from_bcoo({0})"),
    _row("to_bcoo", "{0}.to_bcoo()"),
    _row("bcsr_extract", "sparse.bcsr_extract({0}.indices, {0}.indptr, {1})"),
    _row("spsolve", "spsolve({0}.data, {0}.indices, {0}.indptr, {1})"),
    _row("sparsify", "sparse.sparsify({function})({0}, {1})"),
    _row("grad", "sparse.grad({function})({0}, {1})"),
    _row("value_and_grad", "sparse.value_and_grad({function})({0}, {1})"),
)
"""A use of one has `kind`, a class of the module, as `Code`."""
