"""The campaign in small: every damaged input that ever failed, 500 mutated ones, hostile pickles among them."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


sys.path.insert(0, str(HERE))  # this folder is no package: run.py is started by its name

import cases  # noqa: E402
import doors  # noqa: E402
import inputs  # noqa: E402


@pytest.mark.parametrize("name", cases.CASES)
def test_a_damaged_input_is_one_line_or_written(name, tmp_path, monkeypatch):
    """Within 20 s and 2 GB; nothing is left over, and nothing runs."""
    words, says = cases.CASES[name]
    monkeypatch.chdir(tmp_path)
    np.save("h36m.npy", np.random.default_rng(0).normal(size=(24, 17, 3)))
    path = cases.make(name, tmp_path)
    out = tmp_path / f"out{path.suffix}"
    found = {"FILE": path, "OUT": out}
    before = sorted(tmp_path.rglob("*"))
    ended = doors.run([found.get(word, word) for word in words], path if words[1] == "-" else "/dev/null")
    assert "Traceback" not in ended.err and ended.code >= 0, (ended.code, ended.err[-500:])
    if says == "written":
        assert ended.code == 0 and out.exists(), ended.err
        assert "taken as" in ended.err or "timestamp" not in name  # an odd unit of time is said
        return
    if ended.code == 0 and name == "live_deep.jsonl":
        return  # whether 987 levels are too many depends on what stands above them
    (line,) = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert ended.code == 2 and re.search(says, line), line
    assert line.isprintable() and len(line) < 1500
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", sorted(inputs.registry.FORMATS))
def test_a_folder_forced_into_any_kind(kind, tmp_path):
    path = inputs.BUILDERS["openpose"](tmp_path).path
    try:
        inputs.registry.read(path, kind)
    except inputs.UserError as error:
        assert path.name in str(error)


def test_a_body_of_strangers(tmp_path):
    from lib.errors import UserError
    from lib.models import body, smpl_file

    shutil.copyfile(HERE / "corpus" / "smpl_compression.npz", tmp_path / "SMPL_NEUTRAL.npz")
    with pytest.raises(UserError, match="SMPL_NEUTRAL.npz"):
        body.load_body(tmp_path)
    with pytest.raises(UserError, match="smpl_extra_record.npy"):
        smpl_file.extra_regressor(HERE / "corpus" / "smpl_extra_record.npy", 40)


def test_hdf5_that_meets_the_end_of_the_memory():
    """HDF5 crashes there while it writes, so that the memory is asked for before."""
    h5py = pytest.importorskip("h5py")
    from lib import errors
    from lib.formats import hdf5_files

    with h5py.File.in_memory() as file:
        file.create_dataset("tracks", (2, 2, 17, 40_000), "f8", chunks=True)  # 22 MB, none of which is stored
        file.flush()
        content, values = file.id.get_file_image(), np.ones(file["tracks"].shape[1:])

    def write():
        _, file = hdf5_files.open_copy(content, "clip.h5", "r+")
        with file:
            file["tracks"][0] = values
            file["tracks"][1] = values

    said = {}
    for megabytes in (0.5, 2, 12, 30, 200):
        ours, theirs = os.pipe()
        child = os.fork()
        if not child:
            size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (size + int(megabytes * 2**20),) * 2)
            try:
                write()
            except BaseException as error:
                os.write(theirs, (errors.message_of(error) or f"defect: {error!r}").encode())
            os._exit(0)
        os.close(theirs)
        with open(ours) as pipe:
            said[megabytes] = pipe.read()
        assert os.waitpid(child, 0)[1] == 0, megabytes
    assert any("not enough memory" in text for text in said.values()), said
    assert all("not enough memory" in text or not text for text in said.values()), said


def test_five_hundred_mutated_inputs():
    """`make campaign` gives ten thousand; the seeds of an input that fails are in the table, to run it again with --only."""
    words = [sys.executable, "-W", "ignore", str(HERE / "run.py"), "--inputs", "500", "--seeds", "1", "2", "3"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-1000:]
    assert "| all | 500 |" in ended.stdout
