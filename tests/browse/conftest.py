"""Folders of rows that the tests of the page share, and the browser that they drive."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from playwright.sync_api import Browser, sync_playwright

from jax_ir_pairs.browse.rows import FolderRows, Rows
from jax_ir_pairs.browse.server import Server, open_server
from jax_ir_pairs.inspect.parquet_files import find_config
from jax_ir_pairs.schema import arrow_schema

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample"
TARGETS = ("cpu", "tpu-v5e", "cuda-h100")
HOSTILE = "</script><img src=x onerror=\"document.title='run'\"><!-- <script> ]]> & &lt; \u2028"
"""What ends a script, starts an element and runs as its picture does not load."""


@pytest.fixture(scope="session")
def sample() -> FolderRows:
    """The rows of `data/sample`."""
    return FolderRows(find_config(SAMPLE))


@pytest.fixture(scope="session")
def special(tmp_path_factory: pytest.TempPathFactory) -> FolderRows:
    """Two rows without machine code: one of three targets, of which a GPU refuses it, and one that
    is hostile."""
    row = pq.read_table(SAMPLE / "train-00000-of-00001.parquet").to_pylist()[3]
    tpu = row["optimized_hlo"].replace("fusion", "tpu_fusion").replace(" add(", " subtract(")
    row |= {
        "stablehlo_tpu_v5e": None,
        "optimized_hlo_tpu_v5e": tpu,
        "stablehlo_cuda_h100": None,
        "optimized_hlo_cuda_h100": None,
        "peak_memory_bytes": None,
        "executed": False,
    }
    text = {"python", "jaxpr", "stablehlo", "hlo", "entry_point", "family", "checked_by", "config"}
    hostile: dict[str, Any] = {k: f"{HOSTILE} in {k}\n" if k in text else v for k, v in row.items()}
    instruction = '  ROOT %{0} = f32[1]{{0}} custom-call(), custom_call_target="{0}"\n'
    module = f"HloModule m\n\nENTRY %main () -> f32[1] {{\n{instruction.format(HOSTILE)}}}\n"
    hostile |= {"id": "0" * 16, "transforms": [HOSTILE], "primitives": [HOSTILE]}
    hostile |= {"optimized_hlo": module, "optimized_hlo_tpu_v5e": module}
    folder = tmp_path_factory.mktemp("out") / "special"
    folder.mkdir()
    table = pa.Table.from_pylist([row, hostile], arrow_schema(TARGETS))
    pq.write_table(table, folder / "train-00000-of-00001.parquet")
    return FolderRows(find_config(folder))


def served(rows: Rows) -> Iterator[Server]:
    """Gives a server of `rows`, which runs until the generator goes on."""
    with open_server(rows, 0) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def sample_server(sample: FolderRows) -> Iterator[Server]:
    yield from served(sample)


@pytest.fixture(scope="session")
def special_server(special: FolderRows) -> Iterator[Server]:
    yield from served(special)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium of the system, without a window."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        # A container's root has no user namespaces for Chromium's own sandbox.
        found = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu"]
        )
        yield found
        found.close()
