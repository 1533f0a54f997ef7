"""StableHLO interpreted with NumPy: what a module means, without XLA. In the child.

`blocks` turns the regions of a module into steps, `module` reads a text and runs it; the files of
operations have a table each: from an operation, as MLIR has it, to the function that computes it.
What a module means is as the StableHLO specification says, and where that leaves something open, as
XLA's "Operation Semantics" does. The tests hold each operation against StableHLO's own reference
interpreter, which ships in jaxlib: it says the same, hundreds of times slower, of one device, and
ends the process at what it lacks.
"""
