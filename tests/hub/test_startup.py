from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from jax_ir_pairs.errors import BuildError
from jax_ir_pairs.hub import startup

ROOT = Path(__file__).parent.parent.parent
Python = Callable[..., str]


@pytest.fixture
def site_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site-packages"
    monkeypatch.setattr(startup, "_folders", lambda: [folder])
    return folder


def test_register_writes_one_commented_file(site_packages: Path) -> None:
    assert startup.registered() is None
    path = startup.register()
    assert path.parent == site_packages
    assert list(site_packages.iterdir()) == [path]
    assert path.read_text().startswith("# ")
    assert startup.registered() == path
    assert startup.register() == path


def test_register_renews_the_file_of_another_version(site_packages: Path) -> None:
    path = startup.register()
    content = path.read_text()
    path.write_text("# of an older version\n")
    assert startup.register() == path
    assert path.read_text() == content


def test_unregister_takes_it_out(site_packages: Path) -> None:
    path = startup.register()
    assert startup.unregister() == path
    assert list(site_packages.iterdir()) == []
    assert startup.unregister() is None


def test_the_next_folder_is_taken_where_one_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setattr(startup, "_folders", lambda: [blocked, tmp_path / "user"])
    assert startup.register().parent == tmp_path / "user"
    monkeypatch.setattr(startup, "_folders", lambda: [blocked / "below"])
    with pytest.raises(BuildError, match=r"Cannot write .*file.*use a virtual environment"):
        startup.register()


def test_this_environment_is_what_is_meant() -> None:
    assert str(startup._folders()[0]) == sysconfig.get_path("purelib")


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """Gives a Python of a new environment that finds the packages of this one, and this checkout.

    Each by a `.pth` file, as an editable install does it.
    """
    venv.create(tmp_path / "venv", symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    target = Path(sysconfig.get_path("purelib", vars={"base": str(tmp_path / "venv")}))
    (target / "packages.pth").write_text(sysconfig.get_path("purelib"))
    (target / "jip_checkout.pth").write_text(str(ROOT))
    return python


REGISTER = "from jax_ir_pairs.hub.startup import {0}; print({0}())"
LOADED = "import sys; print('jax_ir_pairs' in sys.modules)"


def test_a_registered_environment_registers_with_datasets(
    environment: Path, tmp_path: Path, python: Python
) -> None:
    def run(code: str) -> str:
        return python(code, executable=str(environment), folder=tmp_path)

    assert run(LOADED) == "False"
    path = Path(run(REGISTER.format("register")))
    assert path.is_relative_to(tmp_path / "venv")
    assert run(LOADED) == "True"
    if int(run("import datasets; print(datasets.__version__)").split(".")[0]) >= 4:
        script = str(ROOT / "builder_script.py")
        code = f"""
from datasets import load_dataset
rows = load_dataset({script!r}, "hlo-100", split="test", streaming=True)
print(next(iter(rows))["config"])
"""
        assert run(code) == "hlo-100"
    assert run(REGISTER.format("unregister")) == str(path)
    assert not path.exists()
    assert run(LOADED) == "False"


def test_the_file_is_silent_after_the_project_is_gone(environment: Path, tmp_path: Path) -> None:
    subprocess.run(
        [environment, "-c", REGISTER.format("register")], check=True, capture_output=True
    )
    for checkout in (tmp_path / "venv").rglob("jip_checkout.pth"):
        checkout.unlink()
    for packages in (tmp_path / "venv").rglob("packages.pth"):
        packages.unlink()
    done = subprocess.run(
        [environment, "-c", LOADED],
        env=os.environ | {"PYTHONPATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("False\n", "")
