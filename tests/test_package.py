"""The installed package: what is in it, what it finds from any folder, and that it stands beside the checkout."""

import logging
import os
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lib
from lib import errors, messages, weights
from lib.commands import cli
from lib.errors import UserError

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SETUP = PROJECT["tool"]["setuptools"]


def python(*words, cwd=ROOT, **environment):
    """A Python process with these arguments. Its standard streams are text."""
    return subprocess.run(
        [sys.executable, *map(str, words)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


def test_every_folder_of_the_code_is_in_the_package():
    folders = {path.parent for path in (ROOT / "lib").rglob("*.py")}
    names = {".".join(("synsp", *folder.relative_to(ROOT / "lib").parts)) for folder in folders}
    assert names | {"synsp.checkpoints"} == set(SETUP["packages"])


def test_every_file_read_at_run_time_is_in_the_package():
    others = {
        path
        for path in (ROOT / "lib").rglob("*")
        if path.is_file() and path.suffix != ".py" and path.parent.name != "__pycache__"  # numba's are there too
    }
    listed = {
        path
        for package, patterns in SETUP["package-data"].items()
        for pattern in patterns
        for path in (ROOT / "lib").joinpath(*package.split(".")[1:]).glob(pattern)
    }
    assert others == {path for path in listed if ROOT / "lib" in path.parents}
    for pattern in SETUP["package-data"]["synsp.checkpoints"]:
        assert list((ROOT / "data" / "checkpoints").glob(pattern)), pattern


def test_the_face_is_imported_when_it_is_asked_for():
    done = python("-c", "import lib, sys; assert 'torch' not in sys.modules; lib.Refiner, lib.load, lib.refine")
    assert done.returncode == 0, done.stderr
    assert lib.__version__ == "0.2.0"
    with pytest.raises(AttributeError, match="smooth"):
        lib.smooth  # noqa: B018


@pytest.mark.parametrize("words", [["--help"], ["refine", "--help"], ["--version"]])
def test_help_needs_less_than_half_a_second(words):
    """Of processor time, which another program's load does not lengthen."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = python("-m", "lib", *words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0 and done.stdout and not done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.5


def test_the_command_lists_what_it_can_do(capsys):
    cli.main([])
    said = capsys.readouterr().out
    assert all(f"  {name} " in said for name in cli.COMMANDS)
    with pytest.raises(UserError, match="refin: no such command. Commands: refine, train"):
        cli.main(["refin"])


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_help_in_its_own_name(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: synsp {name} " in capsys.readouterr().out


def test_a_missing_library_is_one_line_that_names_its_extra(capsys):
    def without():
        raise ModuleNotFoundError("No module named 'tensorboard'", name="tensorboard.compat")

    with pytest.raises(SystemExit) as ended:
        errors.run(without)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == 'error: this needs the library tensorboard, which is not installed: pip install ".[train]"\n'


def test_every_extra_that_messages_name_exists():
    assert set(errors.EXTRAS.values()) <= set(PROJECT["project"]["optional-dependencies"])


def test_loggers_are_children_of_synsp_in_both_forms():
    assert messages.logger("lib.tracks.plan") is messages.logger("synsp.tracks.plan")
    assert messages.logger("synsp") is logging.getLogger("synsp")
    for path in (ROOT / "lib").rglob("*.py"):
        assert "getLogger(__name__)" not in path.read_text(encoding="utf-8"), path


# ---------------------------------------------------------------------------------------------- weights


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Folders a, b, c; the package and the checkout are b and c."""
    monkeypatch.delenv(weights.VARIABLE, raising=False)
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "lib")
    found = tmp_path / "a", tmp_path / "lib" / "checkpoints", tmp_path / "data" / "checkpoints"
    for folder in found:
        folder.mkdir(parents=True)
        (folder / "synsp_3D_w8.pth.tar").touch()
    return found


def test_weights_are_looked_for_in_a_fixed_order(places, tmp_path, monkeypatch):
    chosen, package, checkout = places
    assert weights.folder() == package
    (package / "synsp_3D_w8.pth.tar").unlink()
    assert weights.folder("") == checkout
    monkeypatch.setenv(weights.VARIABLE, str(chosen))
    assert weights.folder() == chosen
    assert weights.folder(tmp_path / "b") == tmp_path / "b"


def test_no_weights_are_a_warning_that_names_the_folders(places, caplog):
    weights.warn_of_none()
    assert not caplog.records
    for folder in places:
        (folder / "synsp_3D_w8.pth.tar").unlink()
    weights.warn_of_none()
    (warning,) = caplog.messages
    assert all(str(folder) in warning for folder in places[1:]) and weights.VARIABLE in warning


def test_without_weights_a_file_is_filtered(tmp_path):
    np.save(tmp_path / "poses.npy", np.random.default_rng(0).normal(0, 0.3, (40, 17, 3)))
    done = python("refine_smoothnet.py", tmp_path / "poses.npy", SYNSP_WEIGHTS=str(tmp_path / "none"))
    assert done.returncode == 0, done.stderr
    assert f"warning: no trained weights (*.pth.tar) in {tmp_path / 'none'}" in done.stderr
    assert "method: the filter " in done.stderr
    assert np.load(tmp_path / "poses_refined.npy").shape == (40, 17, 3)


# ------------------------------------------------------------------------------------------------ wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the installed wheel, built of a copy of the checkout."""
    pytest.importorskip("setuptools", minversion="77")
    folder = tmp_path_factory.mktemp("wheel")
    source, target = folder / "source", folder / "site"
    shutil.copytree(ROOT / "lib", source / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "data" / "checkpoints", source / "data" / "checkpoints")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    done = python("-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", target, source)
    assert done.returncode == 0, done.stderr
    return target


@pytest.mark.slow
def test_the_wheel_refines_a_file_from_another_folder(installed, tmp_path):
    np.save(tmp_path / "poses.npy", _walk())
    script = (
        "import sys; from synsp.commands import cli; cli.main(); "
        "import synsp; assert 'lib' not in sys.modules; print(synsp.__file__, synsp.__version__)"
    )
    done = python("-c", script, "refine", "poses.npy", cwd=tmp_path, PYTHONPATH=str(installed), SYNSP_WEIGHTS="")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(installed / "synsp" / "__init__.py"), "0.2.0"]
    assert "SynSP (synsp_3D_w8.pth.tar)" in done.stderr and str(installed / "synsp" / "checkpoints") in done.stderr
    from_checkout = tmp_path / "checkout.npy"
    done = python("refine_smoothnet.py", tmp_path / "poses.npy", "--output", from_checkout, SYNSP_WEIGHTS="")
    assert done.returncode == 0, done.stderr
    assert np.allclose(np.load(tmp_path / "poses_refined.npy"), np.load(from_checkout), atol=1e-6)


def _walk():
    """Detections [T, 17, 3] of the sample's first test clip."""
    with np.load(ROOT / "data/poses/mocap_noise_3D/detected/mocap_noise_3D_test.npz", allow_pickle=True) as stored:
        return stored["joints_3d"][0].reshape(-1, 17, 3)


@pytest.mark.slow
def test_the_checkout_never_imports_the_installed_package(tmp_path, installed):
    np.save(tmp_path / "poses.npy", _walk())
    script = (
        "import sys; sys.argv[0] = 'refine_smoothnet.py'; import refine_smoothnet; refine_smoothnet.main(); "
        "assert 'synsp' not in sys.modules and 'lib' in sys.modules"
    )
    done = python("-c", script, tmp_path / "poses.npy", PYTHONPATH=os.pathsep.join([str(ROOT), str(installed)]))
    assert done.returncode == 0, done.stderr
