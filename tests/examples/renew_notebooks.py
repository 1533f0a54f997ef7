"""Runs the notebooks on the rows of `JAX_IR_PAIRS_DATA`, and keeps what they show."""

from __future__ import annotations

import nbformat

from tests.examples.notebooks import EXAMPLES, NOTEBOOKS, executed


def main() -> None:
    """Runs each notebook and writes it where it lies, with no more of this run than its outputs."""
    for path in NOTEBOOKS:
        print(f"Running {path.name}")
        notebook = executed(path, EXAMPLES, {})
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
