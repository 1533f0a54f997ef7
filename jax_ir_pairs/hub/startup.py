"""The `.pth` file that imports this package whenever Python starts in an environment.

With it `load_dataset("./builder_script.py", …)` needs no `import jax_ir_pairs`. Installing the
package never writes it: `jax-ir-pairs register` does, and `jax-ir-pairs register --remove` takes
it out.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

from jax_ir_pairs.errors import BuildError

FILE_NAME = "zz_jax_ir_pairs.pth"
"""Files of this kind run in alphabetical order; this one after those of editable installs."""

_CONTENT = """\
# Lets Hugging Face datasets load builder scripts of jax-ir-pairs without an import of it.
# Written by `jax-ir-pairs register`; `jax-ir-pairs register --remove` deletes it.
import sys; exec("try:\\n import jax_ir_pairs\\nexcept ImportError: pass")
"""


def register() -> Path:
    """Writes the file into this environment and gives its path.

    It goes to the environment's site-packages, or else, outside of a virtual environment, to the
    user's.

    **Raises:** [`BuildError`][] where no such folder can be written.
    """
    if (path := registered()) is not None and path.read_text(encoding="utf-8") == _CONTENT:
        return path
    failures = []
    for folder in _folders():
        path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(_CONTENT, encoding="utf-8")
        except OSError as error:
            failures.append(f"{folder}: {error.strerror}")
        else:
            return path
    raise BuildError(
        f"Cannot write {FILE_NAME} ({'; '.join(failures)}); "
        "use a virtual environment, or say `import jax_ir_pairs` before load_dataset."
    )


def unregister() -> Path | None:
    """Deletes the file and gives the path that it had, or nothing where there is none.

    **Raises:** [`BuildError`][] where it cannot be deleted.
    """
    if (path := registered()) is None:
        return None
    try:
        path.unlink()
    except OSError as error:
        raise BuildError(f"Cannot delete {path}: {error.strerror}.") from None
    return path


def registered() -> Path | None:
    """Gives the path of this environment's file, or nothing where there is none."""
    paths = (folder / FILE_NAME for folder in _folders())
    return next((path for path in paths if path.is_file()), None)


def _folders() -> list[Path]:
    """Gives the folders in which Python looks for such files, the preferred one first."""
    folders = [sysconfig.get_path("purelib")]
    in_virtual_environment = sys.prefix != sys.base_prefix
    if not in_virtual_environment and site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return [Path(os.path.normpath(folder)) for folder in folders]
