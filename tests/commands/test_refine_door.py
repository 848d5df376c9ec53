"""refine_smoothnet.py as a user has it: a file in, the same kind of file out."""

import hashlib
import importlib.util
import json
import logging
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lib.command_line import Request
from lib.commands import refine_file
from lib.dataset import storage
from lib.errors import UserError
from lib.filters.registry import FILTERS
from lib.formats import registry
from lib.models.attention import Sizes
from lib.models.body import load_body
from lib.models.synsp import SynSP

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("format_builders", ROOT / "tests" / "formats" / "conftest.py")
builders = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builders)


def command(*arguments, **options):
    return subprocess.run(
        [sys.executable, str(ROOT / "refine_smoothnet.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        **options,
    )


def here(*arguments, folder):
    """The command in this process, without weights: (output path)."""
    return refine_file.main(Request("refine", [*map(str, arguments), "REFINE.CHECKPOINT_DIR", str(folder / "none")]))


def digest(path):
    """The bytes of a file, or of all files of a folder."""
    files = [path] if path.is_file() else sorted(path.iterdir())
    return [(file.name if path.is_dir() else "", hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


@pytest.mark.parametrize("kind", ["openpose", "csv_people", "vibe"])
def test_a_bare_command(kind, tmp_path):
    sample = builders.BUILDERS[kind](tmp_path)
    before = digest(sample.path)
    done = command(sample.path, "--report", tmp_path / "report")
    assert done.returncode == 0, done.stderr
    assert "written: " in done.stderr and "method" in done.stderr and "key points" in done.stderr
    output = refine_file.beside(sample.path)
    assert digest(sample.path) == before
    raw, refined = registry.read(sample.path), registry.read(output)
    assert refined.format == sample.format and len(refined.tracks) == len(raw.tracks)
    for one, two in zip(raw.tracks, refined.tracks):
        assert one.id == two.id and one.poses.shape == two.poses.shape
        assert np.nanmax(np.abs(one.poses - two.poses)) > 0
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert sample.path.name in page and "refined" in page


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["missing.json"], "not found"),
        ([], "INPUT"),
        (["README.md", "--method", "magic"], "Known: auto"),
        (["-"], "--live"),
        (["README.md", "--live"], "standard input"),
        (["README.md", "--strength", "2"], "--strength 2.0"),
        (["README.md", "--fps", "fast"], "--fps: "),
        (["README.md", "--up", "north"], "Known: -y"),
        (["README.md", "--lag", "soon"], "--lag: "),
        (["README.md", "--input_format", "fax"], "Known: panoptic"),
        (["README.md", "--checkpoint", "absent.pth.tar"], "not found"),
    ],
)
def test_mistakes_are_one_line(arguments, said):
    with pytest.raises(UserError, match=said) as error:
        refine_file.main(Request("refine", arguments))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "words, said",
    [
        (["MODEL.SLIDE_WINDOW_SIZE", "16"], "shipped weights say their window"),
        (["--checkpoint", "synsp_3D_w8", "MODEL.SLIDE_WINDOW_SIZE", "16"], "SIZE 16: .*synsp_3D_w8.* of 8 frames"),
    ],
)
def test_a_window_that_would_not_be_used_is_refused(words, said):
    with pytest.raises(UserError, match=said):
        refine_file.checked(Request("refine", ["README.md", *words]))


def test_the_window_of_published_weights_is_given(tmp_path):
    """Their files do not say it; what a file says may be said again."""
    published = tmp_path / "published.pth.tar"
    torch.save({"state_dict": SynSP(51, Sizes(32, 48, 2, 4, 16, 16)).state_dict()}, published)
    for path, window in ((published, "16"), ("synsp_3D_w8", "8")):
        words = ["README.md", "--checkpoint", str(path), "MODEL.SLIDE_WINDOW_SIZE", window]
        assert refine_file.checked(Request("refine", words)).MODEL.SLIDE_WINDOW_SIZE == int(window)


def test_a_frame_rate_of_0_is_said_to_be_none(caplog):
    refine_file.checked(Request("refine", ["README.md", "--fps", "0"]))
    assert "--fps 0: taken as unknown" in caplog.text


def test_a_mistake_ends_with_exit_code_2():
    done = command("README.md")
    assert done.returncode == 2 and done.stdout == ""
    said = done.stderr.strip().splitlines()
    assert len(said) == 2 and "cannot be told" in said[0] and said[1].startswith("what to do: ")


def test_live_through_pipes():
    lines = "".join(
        json.dumps({"t": frame / 30, "id": 0, "pose": [[frame, 2.0], [3.0, 100.0]]}) + "\n" for frame in range(5)
    )
    done = command("-", "--live", "--method", "oneeuro", "--fps", "30", "--lag", "2", input=lines)
    assert done.returncode == 0, done.stderr
    out = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["t"] for record in out] == [frame / 30 for frame in range(5)]
    assert "lag 2 frames = 67 ms" in done.stderr


@pytest.mark.parametrize("kind", builders.BUILDERS)
def test_none_copies_the_file(kind, tmp_path):
    sample = builders.BUILDERS[kind](tmp_path)
    output = here(sample.path, "--method", "none", folder=tmp_path)
    assert digest(output) == digest(sample.path) and output != sample.path


@pytest.mark.parametrize("kind", builders.BUILDERS)
def test_every_kind_comes_back_as_itself(kind, tmp_path):
    sample = builders.BUILDERS[kind](tmp_path)
    output = here(sample.path, "--output", tmp_path / "out" / sample.path.name, folder=tmp_path)
    raw, refined = registry.read(sample.path), registry.read(output, sample.format)
    if not raw.tracked:  # who is who may be told otherwise from smoother poses
        assert sum(len(track.poses) for track in refined.tracks) >= max(len(track.poses) for track in raw.tracks)
        return
    assert [track.name for track in refined.tracks] == [track.name for track in raw.tracks]
    for one, two in zip(raw.tracks, refined.tracks):
        assert one.poses.shape == two.poses.shape
        if one.confidence is not None:  # what was filled where the file has no score counts as seen
            there = one.confidence > 0
            np.testing.assert_array_equal(one.confidence[there], two.confidence[there])


def test_the_input_is_overwritten_only_when_told(tmp_path):
    poses = np.random.default_rng(0).normal(size=(20, 5, 3))
    path = tmp_path / "poses.npy"
    np.save(path, poses)
    assert here(path, folder=tmp_path) == tmp_path / "poses_refined.npy"
    np.testing.assert_array_equal(np.load(path), poses)
    here(path, "--output", path, folder=tmp_path)
    np.testing.assert_array_equal(np.load(path), np.load(tmp_path / "poses_refined.npy"))


def test_counts_and_what_is_removed_are_said(tmp_path, caplog):
    sample = builders.vibe(tmp_path)
    with caplog.at_level(logging.INFO):
        output = here(sample.path, "--fps", 30, folder=tmp_path)
    # The second person's frames 5 and 6 are missing: 2 x 24 rotations of 12 x 24 + 6 x 24. The file has no place for them.
    assert "432 key points, 48 missing, 48 still missing, 24 gaps, " in caplog.text
    assert "longest gap 2 frames" in caplog.text
    assert (
        "verts: follows from the poses" in caplog.text and "path through the room" not in caplog.text
    )  # VIBE has none
    content = pickle.loads(output.read_bytes())
    assert "verts" not in content[1] and set(content) == {1, 4}


def test_compare_tells_methods_apart(tmp_path, capsys):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(90) / 45)[:, None, None] * rng.uniform(0.2, 1, (1, 6, 3))
    np.save(tmp_path / "poses.npy", wave + rng.normal(0, 0.01, wave.shape))
    here(tmp_path / "poses.npy", "--compare", "--fps", 30, "--report", tmp_path, folder=tmp_path)
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()[1:]}
    assert set(rows) == {"input", "auto", *FILTERS}
    # Second differences of white noise of s have the norm of 3D normal numbers of s sqrt(6): mean s sqrt(6) sqrt(8 / pi).
    # A body of 2 has its length in m; the table says mm.
    assert float(rows["input"][2]) == pytest.approx(10 * np.sqrt(6) * np.sqrt(8 / np.pi), rel=0.15)
    assert rows["input"][5] == "100.0%" and float(rows["input"][3]) == 0 and rows["input"][6] == "mm"
    assert float(rows["gaus1d"][2]) < 0.4 * float(rows["input"][2])
    assert float(rows["gaus1d"][5].rstrip("%")) < float(rows["butterworth"][5].rstrip("%"))
    assert '"accel/frame\\u00b2"' in (tmp_path / "report.html").read_text()


def body_files():
    """tests/models/test_body.py, which makes SMPL models of random numbers."""
    found = importlib.util.spec_from_file_location("body_files", ROOT / "tests" / "models" / "test_body.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize("moved", [False, True])
def test_vertices_are_made_anew_where_there_is_a_body(tmp_path, moved):
    arrays, _ = body_files().artificial(60)
    (tmp_path / "smpl").mkdir()
    np.savez(tmp_path / "smpl" / "SMPL_NEUTRAL.npz", **arrays)
    body = load_body(tmp_path / "smpl")
    sample = builders.wham(tmp_path)
    content = pickle.loads(sample.path.read_bytes())
    person = content[0]
    trans = person["trans"] if moved else None
    person["verts"] = body.vertices(person["pose"], person["betas"], trans).numpy()
    sample.path.write_bytes(pickle.dumps(content))
    output = here(sample.path, "--method", "gaus1d", "SMPL_MODEL_DIR", tmp_path / "smpl", folder=tmp_path)
    refined = pickle.loads(output.read_bytes())[0]
    assert np.abs(refined["pose"] - person["pose"]).max() > 1e-4
    np.testing.assert_allclose(refined["verts"], body.vertices(refined["pose"], refined["betas"], trans), atol=1e-5)
    assert refined["verts"].dtype == person["verts"].dtype


def test_translation_of_a_world_trajectory(tmp_path):
    sample = builders.wham(tmp_path)
    content = pickle.loads(sample.path.read_bytes())
    content[0]["trans"] = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    sample.path.write_bytes(pickle.dumps(content))
    left = pickle.loads(here(sample.path, folder=tmp_path).read_bytes())[0]["trans"]
    np.testing.assert_array_equal(left, content[0]["trans"])
    moved = pickle.loads(here(sample.path, "--refine_translation", folder=tmp_path).read_bytes())[0]["trans"]
    assert np.abs(np.diff(moved, 2, axis=0)).mean() < 0.5 * np.abs(np.diff(left, 2, axis=0)).mean()


def test_folder_and_file_are_not_confused(tmp_path):
    sample = builders.openpose(tmp_path)
    (tmp_path / "file.json").write_text("x")
    with pytest.raises(UserError, match="--output"):
        here(sample.path, "--output", tmp_path / "file.json", folder=tmp_path)


def test_an_output_of_another_ending_is_refused(tmp_path):
    """The bytes of an .npy lay under the name of a .json, and the command said: written."""
    np.save(tmp_path / "poses.npy", np.random.default_rng(0).normal(size=(12, 17, 3)))
    with pytest.raises(UserError, match=r"the input's kind \(.npy\)"):
        here(tmp_path / "poses.npy", "--output", tmp_path / "out.json", folder=tmp_path)
    assert here(tmp_path / "poses.npy", "--output", tmp_path / "out.data", folder=tmp_path).exists()


def test_suggest_prints_plots_and_writes_no_poses(tmp_path, capsys):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(200) / 60)[:, None, None] * rng.uniform(0.2, 1, (1, 4, 3))
    np.save(tmp_path / "poses.npy", wave + rng.normal(0, 0.02, wave.shape))
    found = here(tmp_path / "poses.npy", "--suggest", "--fps", 60, "--report", tmp_path / "plots", folder=tmp_path)
    said = capsys.readouterr().out
    (result,) = found.values()
    assert f"--method butterworth --cutoff {result.body_suggestion:.1f}" in said
    assert result.body_noise == pytest.approx(0.02, rel=0.1) and 2 < result.body_suggestion < 9
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plots", "poses.npy"]
    assert (tmp_path / "plots" / "residual_analysis.png").read_bytes()[1:4] == b"PNG"
    np.save(tmp_path / "short.npy", wave[:12])
    here(tmp_path / "short.npy", "--suggest", folder=tmp_path)
    assert "nothing to suggest" in capsys.readouterr().out


def test_suggest_takes_out_exchanges_and_spikes_first(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    truth = storage.read(ROOT / "data/poses/mocap_noise_3D/groundtruth/mocap_gt_3D_test.npz")["joints_3d"][1].reshape(
        -1, 17, 3
    )
    clean = truth + np.random.default_rng(0).normal(0, 0.002, truth.shape)
    wrong = clean.copy()
    wrong[60, 3] += 3
    np.save(tmp_path / "clean.npy", clean)
    np.save(tmp_path / "wrong.npy", wrong)
    found = [
        here(tmp_path / f"{name}.npy", "--suggest", "--fps", 30, *more, folder=tmp_path)["person"]
        for name, more in (("clean", ()), ("wrong", ()), ("wrong", ("--no_repair",)))
    ]
    clean, repaired, not_repaired = (one.noise[3] for one in found)
    assert repaired == pytest.approx(clean, rel=0.2) and not_repaired > 10 * clean
    assert caplog.text.count("1 spike removed") == 1


def test_a_cutoff_is_in_hertz(tmp_path):
    wave = np.sin(2 * np.pi * 5 * np.arange(240) / 120)[:, None, None] * np.ones((1, 4, 3))
    np.save(tmp_path / "poses.npy", wave)
    kept = {}
    for cutoff in (2.5, 5, 40):
        path = here(
            tmp_path / "poses.npy", "--method", "butterworth", "--cutoff", cutoff, "--fps", 120, folder=tmp_path
        )
        kept[cutoff] = np.abs(np.load(path)[60:-60]).max()
    assert kept[5] == pytest.approx(0.5, abs=0.03)  # half the amplitude at the cut-off: both ways
    assert kept[2.5] < 0.1 and kept[40] > 0.98
    for words, said in (
        (("--method", "gaus1d", "--cutoff", 6), "needs --method butterworth"),
        (("--method", "butterworth", "--cutoff", 60, "--fps", 120), "nothing above 60 Hz"),
    ):
        with pytest.raises(UserError, match=said):
            here(tmp_path / "poses.npy", *words, folder=tmp_path)
