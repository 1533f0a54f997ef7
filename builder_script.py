"""The script to give to `load_dataset`; the builder itself is in the installed package.

    load_dataset("./builder_script.py", "hlo-1k", split="train", streaming=True)

With `datasets` 4.0 and later say `import jax_ir_pairs` first, or `jax-ir-pairs register` once;
with 3.6 pass `trust_remote_code=True`.
"""

from jax_ir_pairs.hub.builder import JaxIrPairs


class BuilderScript(JaxIrPairs):
    """The builder, as a class of this file.

    `datasets` 3.6 writes a lock beside the folder of a builder's file: of this one it has a copy
    in its cache, while the package may be where nobody may write.
    """
