"""Files that are no checkpoint, or a damaged, foreign or hostile one: refused by name, in one line, and never executed."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.errors import UserError
from lib.models import checkpoints
from lib.models.smoothnet import SmoothNet
from tests.models.conftest import SYNSP, refusal


class Runs:
    """Pickles into a call of os.system that would leave a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.mark.parametrize("how", ["torch", "old torch", "pickle"])
def test_a_file_that_would_run_code_is_refused_by_name(tmp_path, how):
    path, trace = tmp_path / "evil.pth.tar", tmp_path / "executed"
    evil = {"state_dict": {}, "performance": Runs(trace)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(evil))
    else:
        torch.save(evil, path, _use_new_zipfile_serialization=how == "torch")
    message = refusal(path)
    assert not trace.exists()
    assert ("system" if how != "pickle" else "a pickle") in message


def test_a_whole_pickled_network_is_refused_by_name(tmp_path):
    torch.save(SmoothNet(8, 4, 2, 1), tmp_path / "x.pth.tar")
    assert "SmoothNet" in refusal(tmp_path / "x.pth.tar")


def test_missing(tmp_path):
    assert "not found" in refusal(tmp_path / "absent.pth.tar")


def test_a_folder(tmp_path):
    assert "folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    "content, hint",
    [
        (b"", "empty"),
        (b"hello, this is text\n", ""),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "LFS"),
        (b"\x1f\x8b" + bytes(50), "gzip"),
        (bytes(1000), ""),
        (b"\x93NUMPY\x01\x00", ".npy"),
        (b"\x80", "pickle"),
    ],
)
def test_other_files_are_called_what_they_are(tmp_path, content, hint):
    path = tmp_path / "x.pth.tar"
    path.write_bytes(content)
    message = refusal(path)
    assert "not a readable checkpoint" in message and hint in message


def test_an_npz(tmp_path):
    np.savez(tmp_path / "x.npz", joints_3d=np.zeros((3, 51)))
    assert "npz" in refusal(tmp_path / "x.npz")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(tmp_path, share):
    whole = SYNSP.read_bytes()
    (tmp_path / "x.pth.tar").write_bytes(whole[: int(len(whole) * share)])
    assert "truncated" in refusal(tmp_path / "x.pth.tar")


def test_damaged_inside(tmp_path):
    """The pickle within the zip archive overwritten."""
    with zipfile.ZipFile(SYNSP) as source, zipfile.ZipFile(tmp_path / "x.pth.tar", "w") as target:
        for name in source.namelist():
            target.writestr(name, b"\x80\x02garbage" if name.endswith("data.pkl") else source.read(name))
    assert "not a readable checkpoint" in refusal(tmp_path / "x.pth.tar")


@pytest.mark.parametrize("content", [torch.zeros(3), [1, 2], {"model": {}}, {"weights": torch.zeros(2)}, "text", 5])
def test_torch_files_of_other_content(tmp_path, content):
    torch.save(content, tmp_path / "x.pth.tar")
    assert "state_dict" in refusal(tmp_path / "x.pth.tar")


@pytest.mark.parametrize("weights", [{}, {"conv.weight": torch.zeros(3)}])
def test_weights_of_another_network(tmp_path, weights):
    torch.save({"state_dict": weights}, tmp_path / "x.pth.tar")
    message = refusal(tmp_path / "x.pth.tar")
    assert "neither SynSP" in message and all(name in message for name in weights)


@pytest.mark.parametrize(
    "weights",
    [
        [],
        None,
        {"proj_i_a.0.weight": 3},
        {"encoder.0.weight": "text"},
        {5: torch.zeros(2)},
        {"proj_i_a.0.weight": torch.zeros(5)},
        {"encoder.0.weight": torch.zeros(2, 2, 2)},
    ],
)
def test_a_state_dict_that_is_none(tmp_path, weights):
    torch.save({"state_dict": weights}, tmp_path / "x.pth.tar")
    refusal(tmp_path / "x.pth.tar")


@pytest.mark.parametrize("version", [3, 99])
def test_a_later_format_is_refused_with_both_versions(content, tmp_path, version):
    torch.save({**content, "format_version": version}, tmp_path / "x.pth.tar")
    message = refusal(tmp_path / "x.pth.tar", n_head=2)
    assert f"format {version}" in message and "up to 2" in message and "Update" in message


@pytest.mark.parametrize("version", ["two", None, [1]])
def test_a_format_that_is_no_number(content, tmp_path, version):
    torch.save({**content, "format_version": version}, tmp_path / "x.pth.tar")
    assert "format" in refusal(tmp_path / "x.pth.tar", n_head=2)


def edited(tmp_path, change):
    content = torch.load(Path(__file__).parents[1] / "reference" / "format_1.pth.tar", weights_only=True)
    change(content)
    torch.save(content, tmp_path / "x.pth.tar")
    return tmp_path / "x.pth.tar"


def test_weights_that_are_not_finite_are_refused(tmp_path):
    """They were loaded, and every pose came back as it was, as refined."""

    def spoil(content):
        next(iter(content["state_dict"].values())).view(-1)[0] = float("nan")

    with pytest.raises(UserError, match=r"x.pth.tar: .* holds numbers that are not finite"):
        checkpoints.load(edited(tmp_path, spoil))


@pytest.mark.parametrize("key, value", [("n_head", "4"), ("dropout", "x"), ("canonical", 5), ("align_views", [1])])
def test_a_model_of_another_kind_is_one_line(tmp_path, key, value):
    with pytest.raises(UserError, match="x.pth.tar: "):
        checkpoints.load(edited(tmp_path, lambda content: content["model"].update({key: value})))


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    def grow(content):
        content["state_dict"]["extra"] = torch.zeros(1).expand(10**9)

    with pytest.raises(UserError, match="refused, because its tensors claim"):
        checkpoints.load(edited(tmp_path, grow))


def test_a_program_without_an_end_is_refused(tmp_path):
    """A tuple of itself twice, 40 times over, as a key: torch would hash it for days."""
    path = tmp_path / "x.pth.tar"
    path.write_bytes(b"\x80\x02}" + b")q\x00" + b"h\x00h\x00\x86q\x00" * 40 + b"K\x01s.")
    with pytest.raises(UserError, match="x.pth.tar"):
        checkpoints.load(path)
