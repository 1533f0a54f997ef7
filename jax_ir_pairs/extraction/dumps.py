"""XLA's dumps: where they lie for the time of one compilation, and what one holds. In the child.

Read are those that are protocol buffers. Those of text are not the module to the letter: they are
printed by the thread that compiles, which takes denormal numbers for zeros, and by newer versions
of XLA in a style that leaves out `get-tuple-element`.
"""

from __future__ import annotations

import os
from tempfile import TemporaryDirectory

from jax_ir_pairs.extraction.environment import DUMPS

_MODULE = 1  # the number of `HloProto.hlo_module`
_BYTES = 2  # the wire type of a field that says its length, as all of an `HloProto` do


def folder_for_dumps() -> TemporaryDirectory[str]:
    """Gives a folder for the dumps of one compilation, in that of the process where it has one."""
    return TemporaryDirectory(dir=os.environ.get(DUMPS))


def module_in(dump: bytes) -> bytes | None:
    """Gives the serialized `HloModuleProto` of a serialized `HloProto`.

    Nothing where the dump is not whole: XLA goes on where it has no room to write one.
    """
    module, place = None, 0
    while place < len(dump):
        key, place = _varint(dump, place)
        length, place = _varint(dump, place)
        if key & 7 != _BYTES or place + length > len(dump):
            return None
        if key >> 3 == _MODULE:
            module = dump[place : place + length]
        place += length
    return module


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Gives the number at `place`, of seven bits a byte and the last below 128, and what follows.

    One that is cut off is as long as no dump is.
    """
    number = 0
    for index, byte in enumerate(message[place : place + 10]):
        number |= (byte & 127) << 7 * index
        if byte < 128:
            return number, place + index + 1
    return 1 << 70, len(message)
