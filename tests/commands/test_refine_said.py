"""What refine prints: many sentences in one, and refusals before anything is computed."""

import numpy as np
import pytest

from lib.command_line import Request
from lib.commands import cli, refine_file
from lib.commands.refine_said import grouped, merged
from lib.errors import UserError
from lib.messages import counted
from lib.tracks.refiner import Refiner
from tests.formats.walker import walk


def test_sentences_that_differ_in_numbers_alone_are_one():
    assert merged(["4 mm (2 to 7 mm) of net_3D_w8.pth.tar", "6.5 mm (3 to 9 mm) of net_3D_w8.pth.tar"]) == (
        "4 to 6.5 mm (2 to 9 mm) of net_3D_w8.pth.tar"
    )
    assert merged(["93% of it", "9% of it"]) == "9 to 93% of it"
    assert merged(["as it is"]) == "as it is"


def test_names_of_files_and_of_frames_are_no_measures():
    said = grouped(
        [("a", ["2 mm by w8.tar", "exchanged in frames 8-9"]), ("b", ["3 mm by w32.tar", "exchanged in frames 4-5"])]
    )
    assert said == [
        ("2 mm by w8.tar", ["a"]),
        ("exchanged in frames 8-9", ["a"]),
        ("3 mm by w32.tar", ["b"]),
        ("exchanged in frames 4-5", ["b"]),
    ]


def test_one_is_no_plural():
    assert [counted(number, "file") for number in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert counted(2, "person", "people") == "2 people"


def test_an_output_that_cannot_be_is_refused_before_anything_is_refined(tmp_path, monkeypatch):
    np.save(tmp_path / "poses.npy", walk(2, 400.0))
    monkeypatch.setattr(Refiner, "refine_tracks", lambda *args: pytest.fail("refined first"))
    with pytest.raises(UserError, match="BVH needs 3D joints"):
        refine_file.main(Request("refine", [str(tmp_path / "poses.npy"), "--output", str(tmp_path / "walk.bvh")]))


@pytest.mark.parametrize(
    "words, said",
    [
        (("--output", "out.json"), r"--output out.json: the result is of the input's kind .\.npy"),
        (("--fps", "abc"), "--fps: 'abc' given, but a number is needed"),
        (("--strength", "2"), "--strength 2.0: must be from 0 to 1"),
        (("REFINE.STRENGTH", "2"), "REFINE.STRENGTH 2.0: must be from 0 to 1"),
    ],
)
def test_refusals_name_what_was_typed(tmp_path, words, said):
    np.save(tmp_path / "poses.npy", walk(2, 400.0))
    with pytest.raises(UserError, match=said):
        refine_file.main(Request("refine", [str(tmp_path / "poses.npy"), *words]))


@pytest.mark.parametrize("command", ["export", "check", "pairs", "release"])
def test_every_command_complains_in_one_line(command):
    with pytest.raises(UserError, match="--help lists the flags$|^give a source"):
        cli.main([command])
    with pytest.raises(UserError, match="one of|such|unrecognized|required|invalid"):
        cli.main([command, "--nothing", "x"])
