"""Many files in one command: what is taken for a recording, where results go, and how a run ends and goes on."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lib import files
from lib.command_line import Request
from lib.commands import cli, done, inputs, refine_file, refine_many, shards
from lib.errors import UserError
from lib.tracks.refiner import Refiner

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("format_builders", ROOT / "tests" / "formats" / "conftest.py")
builders = importlib.util.module_from_spec(spec)
spec.loader.exec_module(builders)


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """As if no cluster had started this process."""
    for name in ("SLURM_ARRAY_TASK_ID", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


def clip(path, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, np.random.default_rng(seed).normal(size=(20, 5, 3)))
    return path


@pytest.fixture
def tree(tmp_path):
    """Five clips in two folders, one file that is broken, one that is empty, and one of another kind."""
    folder = tmp_path / "in"
    for number in range(5):
        clip(folder / ("deep/er" if number % 2 else "") / f"clip{number}.npy", number)
    (folder / "deep" / "broken.json").write_text('{"people": [')
    (folder / "empty.npy").write_text("")
    (folder / "film.mp4").write_text("frames")
    return folder


def many(*words):
    """The number of failures of `synsp refine`, by a filter."""
    return refine_many.main(Request("refine", [*map(str, words), "--method", "gaus1d"]))


def content(folder):
    """{relative path: bytes} of a tree; of a summary without its times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[path.relative_to(folder).as_posix()] = path.read_bytes()
            if path.name.startswith("summary"):
                summary = json.loads(path.read_text())
                assert summary.pop("time")
                found[path.relative_to(folder).as_posix()] = summary
    return found


def results(folder):
    return sorted(name for name in content(folder) if name.endswith(".npy"))


# ------------------------------------------------------------------------------------ the command line


@pytest.mark.parametrize(
    "words, given, pairs",
    [
        (["a.npy"], ["a.npy"], []),
        (["a.npy", "b.npy", "--fps", "30", "c.npy"], ["a.npy", "b.npy", "c.npy"], []),
        (["a.npy", "DEVICE", "cpu"], ["a.npy"], ["DEVICE", "cpu"]),
        (["a.npy", "b.npy", "REFINE.FPS", "25", "LOSS.W_POS", "2"], ["a.npy", "b.npy"], ["REFINE.FPS", "25"]),
    ],
)
def test_inputs_stand_before_the_first_key(words, given, pairs):
    request = Request("refine", words)
    assert request.args.inputs == given and request.args.input == given[0]
    assert all(request.explicit(key) for key in pairs[::2])


def test_a_file_in_the_place_of_a_group_is_an_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clip(tmp_path / "LOG.npy")
    assert Request("refine", ["a.npy", "LOG.npy"]).args.inputs == ["a.npy", "LOG.npy"]


@pytest.mark.parametrize(
    "words, said",
    [
        (["absent.npy", "."], "absent.npy: not found"),
        ([".", "REFINE.FSP", "30"], "REFINE.FPS"),
        (["."], "no pose file found"),
        ([".", "--jobs", "0"], "--jobs 0"),
        ([".", "--shard", "2/2"], "--shard 2/2"),
        ([".", ".", "--live"], "--live"),
        ([".", "--recursive", "--report", "report"], "--report"),
        ([".", "--recursive", "MODEL.CANONICAL", "True"], "as its file says"),
        ([".", "--recursive", "--strength", "2"], "--strength"),
    ],
)
def test_mistakes(words, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said):
        many(*words)
    assert not list(tmp_path.iterdir())


# ------------------------------------------------------------------------------------ what is a recording


def names(found):
    return [recording.name for recording in found.recordings]


def test_a_folder_of_frames_is_one_recording_and_a_folder_of_recordings_is_many(tmp_path):
    frames = builders.openpose(tmp_path / "a").path
    images = builders.mmpose_images(tmp_path / "b").path
    for number in "12":
        shutil.copy(builders.mmpose(tmp_path / "c").path, tmp_path / "c" / f"video{number}.json")
    assert inputs.is_recording(frames) and inputs.is_recording(images)
    assert not inputs.is_recording(tmp_path / "c") and not inputs.is_recording(tmp_path)
    found = inputs.find([str(tmp_path)], "", recursive=True)
    assert os.path.relpath(frames, tmp_path) in names(found) and os.path.relpath(images, tmp_path) in names(found)
    assert found.folders == 2 and len(found.recordings) == 2 + len(list((tmp_path / "c").iterdir()))


def test_frames_of_two_people_are_no_recordings_by_themselves(tmp_path):
    """EasyMocap's files are lists of people, Ultralytics' labels are text."""
    rng, people = np.random.default_rng(0), tmp_path / "keypoints3d"
    labels = tmp_path / "labels"
    people.mkdir(), labels.mkdir()
    for frame in range(4):
        found = [{"id": number, "keypoints3d": rng.normal(size=(25, 4)).tolist()} for number in range(2)]
        (people / f"{frame:06d}.json").write_text(json.dumps(found))
        line = " ".join(map(str, [0, *rng.uniform(0.2, 0.8, 4), *rng.uniform(0.2, 0.8, 51)]))
        (labels / f"film_{frame}.txt").write_text(f"{line}\n{line}\n")
    assert inputs.is_recording(people) and inputs.is_recording(labels)
    assert names(inputs.find([str(tmp_path)], "", recursive=True)) == ["keypoints3d", "labels"]


def test_a_recording_whose_first_frame_is_broken_stays_one(tmp_path):
    frames = builders.openpose(tmp_path).path
    sorted(frames.glob("*.json"))[0].write_text("{")
    assert inputs.is_recording(frames)


def test_a_folder_of_frames_is_refined_as_alone(tmp_path):
    frames = builders.openpose(tmp_path / "in" / "person").path
    many(tmp_path / "in", "--recursive", "--output", tmp_path / "out")
    alone = refine_file.main(
        Request("refine", [str(frames), "--method", "gaus1d", "--output", str(tmp_path / "alone")])
    )
    refined = tmp_path / "out" / frames.relative_to(tmp_path / "in")
    assert content(refined) == content(alone) and content(alone) != content(frames)


def test_inputs_are_told_by_their_endings_unless_named(tree):
    found = inputs.find([str(tree)], "", recursive=False)
    assert names(found) == ["clip0.npy", "clip2.npy", "clip4.npy", "empty.npy"]
    assert found.left_out[".mp4"] == 1 and sum(found.left_out.values()) == 2
    assert names(inputs.find([str(tree / "film.mp4")])) == ["film.mp4"]


# ------------------------------------------------------------------------------------ where results go


@pytest.mark.parametrize("name", ["walk.slp", "walk.pose", "ik.mot", "ik.sto", "res.pk", "S001.skeleton"])
def test_files_of_kinds_that_came_later_are_found_in_a_folder(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    assert names(inputs.find([str(tmp_path)])) == [name]


def test_the_output_mirrors_the_tree_and_failures_are_lines(tree, tmp_path):
    assert many(tree, "--recursive", "--output", tmp_path / "out") == 2
    out = content(tmp_path / "out")
    assert results(tmp_path / "out") == [
        "clip0.npy",
        "clip2.npy",
        "clip4.npy",
        "deep/er/clip1.npy",
        "deep/er/clip3.npy",
    ]
    alone = refine_file.main(Request("refine", [str(tree / "clip0.npy"), "--method", "gaus1d"]))
    assert out["clip0.npy"] == alone.read_bytes()
    failures = [json.loads(line) for line in out["failures.jsonl"].splitlines()]
    assert [os.path.basename(one["file"]) for one in failures] == ["broken.json", "empty.npy"]
    assert "not complete JSON" in failures[0]["reason"] and "empty" in failures[1]["reason"]
    summary = out["summary.json"]
    assert (summary["recordings"], summary["done"], summary["failed"], summary["frames"]) == (7, 5, 2, 100)
    assert summary["left out"] == {".mp4": 1} and summary["counts"]["key points"] == 500


def test_means_are_those_of_the_single_files(tree, tmp_path):
    many(tree, "--recursive", "--output", tmp_path / "out", "--fps", 30)
    rows = {row["method"]: row for row in content(tmp_path / "out")["summary.json"]["mean scores"]}
    jitter = [
        np.linalg.norm(np.diff(np.load(path), n=2, axis=0), axis=-1).mean() for path in tree.rglob("clip*[0-9].npy")
    ]
    assert rows["input"]["unit"] == "mm"  # the clips are as large as people in m
    assert rows["input"]["jitter"] == pytest.approx(1000 * np.mean(jitter)) and rows["input"]["amplitude kept"] == 1
    assert rows["gaus1d"]["jitter"] < 0.2 * rows["input"]["jitter"]


def test_several_files_are_refined_beside_themselves(tmp_path):
    one, two = clip(tmp_path / "one.npy"), clip(tmp_path / "sub" / "two.npy", 1)
    assert many(one, two) == 0
    assert results(tmp_path) == ["one.npy", "one_refined.npy", "sub/two.npy", "sub/two_refined.npy"]
    many(one, tmp_path / "one_refined.npy", two, two)  # as a shell's *.npy names them the second time
    many(tmp_path, "--recursive")
    assert results(tmp_path) == ["one.npy", "one_refined.npy", "sub/two.npy", "sub/two_refined.npy"]
    assert content(tmp_path)["summary.json"]["recordings"] == 2
    with pytest.raises(UserError, match="refined already"):
        many(tmp_path / "one_refined.npy", tmp_path / "one_refined.npy")


def test_equal_names_and_replaced_inputs_are_refused(tmp_path):
    one, two = clip(tmp_path / "a" / "clip.npy"), clip(tmp_path / "b" / "clip.npy", 1)
    before = content(tmp_path)
    with pytest.raises(UserError, match="would be the result of"):
        many(one, two, "--output", tmp_path / "out")
    with pytest.raises(UserError, match="replace inputs"):
        many(tmp_path / "a", "--recursive", "--output", tmp_path / "a")
    with pytest.raises(UserError, match="is a file"):
        many(one, tmp_path / "b", "--output", one)
    assert content(tmp_path) == before


def test_an_output_folder_within_the_input_is_no_input(tree):
    for _ in range(2):
        many(tree, "--recursive", "--output", tree / "out")
    assert content(tree / "out")["summary.json"]["recordings"] == 7


def test_exit_codes(tree, tmp_path):
    words = ["--recursive", "--output", str(tmp_path / "out"), "--method", "gaus1d"]
    with pytest.raises(SystemExit) as ended:
        cli.refine([str(tree), *words])
    assert ended.value.code == 3
    (tree / "deep" / "broken.json").unlink(), (tree / "empty.npy").unlink()
    cli.refine([str(tree), *words])
    assert (tmp_path / "out" / "failures.jsonl").read_text() == ""
    for path in tree.rglob("*.npy"):
        path.write_text("")
    with pytest.raises(SystemExit) as ended:
        cli.refine([str(tree), *words])
    assert ended.value.code == 3


def test_a_full_disk_ends_the_run(tree, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device", "out")

    monkeypatch.setattr(refine_file, "write", full)
    with pytest.raises(OSError, match="No space"):
        many(tree, "--recursive", "--output", tmp_path / "out")


# ------------------------------------------------------------------------------------ going on


def test_what_is_done_is_left_as_it_is(tree, tmp_path):
    words = (tree, "--recursive", "--output", tmp_path / "out")
    many(*words)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("clip*.npy")}

    def redone():
        return sorted(path.name for path in before if path.stat().st_mtime_ns != before[path])

    many(*words)
    assert redone() == [] and json.loads((tmp_path / "out" / "summary.json").read_text())["time"]["done before"] == 5
    clip(tree / "clip0.npy", 7)  # another input
    (tmp_path / "out" / "clip2.npy").unlink()
    os.utime(clip(tree / "clip0.npy", 7), ns=(1, 1))
    before.pop(tmp_path / "out" / "clip2.npy")
    many(*words)
    assert redone() == ["clip0.npy"] and (tmp_path / "out" / "clip2.npy").exists()
    many(*words, "EVALUATE.TRADITION_GAUS1D.SIGMA", 2)  # other options
    assert redone() == ["clip0.npy", "clip1.npy", "clip3.npy", "clip4.npy"]
    before = {path: path.stat().st_mtime_ns for path in before}
    many(*words, "EVALUATE.TRADITION_GAUS1D.SIGMA", 2, "REFINE.FORGET", 9)  # of no weight for files
    assert redone() == []
    many(*words, "EVALUATE.TRADITION_GAUS1D.SIGMA", 2, "--no_resume")
    assert len(redone()) == 4


def test_other_weights_are_other_settings(tmp_path):
    request = Request("refine", ["a.npy", "REFINE.CHECKPOINT_DIR", str(tmp_path)])
    kept = []
    for text in ("one", "two"):
        (tmp_path / "smoothnet_w8.pth.tar").write_text(text)
        kept.append(done.settings(request.config(), request.args))
    assert kept[0]["weights"] != kept[1]["weights"]
    assert {**kept[0], "weights": ""} == {**kept[1], "weights": ""}


class Killed(BaseException):
    """Not caught by anything, as `kill -9` is not."""


@pytest.mark.parametrize("moment", ["before", "within", "after"])
def test_a_killed_run_goes_on_to_the_same_tree(tree, tmp_path, monkeypatch, moment):
    words = (tree, "--recursive", "--output", tmp_path / "out")
    many(tree, "--recursive", "--output", tmp_path / "whole")
    write, left = refine_file.write, [3]

    def dying(pose_file, made, refine, source, output, cfg):
        left[0] -= 1
        if left[0]:
            return write(pose_file, made, refine, source, output, cfg)
        output.parent.mkdir(parents=True, exist_ok=True)
        if moment == "within":  # a process that is gone left its temporary file
            (output.parent / f"{files.PREFIX}{files._host()}-4194305-x.npy").write_bytes(b"half")
        if moment == "after":
            write(pose_file, made, refine, source, output, cfg)
        raise Killed

    files._remove_leftovers.cache_clear()
    monkeypatch.setattr(refine_file, "write", dying)
    with pytest.raises(Killed):
        many(*words)
    monkeypatch.setattr(refine_file, "write", write)
    files._remove_leftovers.cache_clear()
    many(*words)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_result_of_other_options_loses_its_record_before_it_is_replaced(tree, tmp_path, monkeypatch):
    """Killed between result and record, the old record must not vouch for the new result."""
    words = (tree / "clip0.npy", tree / "clip2.npy", "--output", tmp_path / "out")
    many(*words)
    monkeypatch.setattr(done, "write", lambda *_: (_ for _ in ()).throw(Killed()))
    with pytest.raises(Killed):
        many(*words, "EVALUATE.TRADITION_GAUS1D.SIGMA", 1)
    monkeypatch.undo()
    many(*words)
    many(tree / "clip0.npy", tree / "clip2.npy", "--output", tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_two_runs_at_once_share_the_work(tree, tmp_path, monkeypatch):
    """The second run takes place while the first one is about to write its first result."""
    words = (tree, "--recursive", "--output", tmp_path / "out")
    write, begun = refine_file.write, []

    def second(*given):
        if not begun:
            begun.append(True)
            many(*words)
        return write(*given)

    monkeypatch.setattr(refine_file, "write", second)
    many(*words)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["done"], summary["time"]["refined"]) == (5, 1)
    monkeypatch.setattr(refine_file, "write", write)
    many(tree, "--recursive", "--output", tmp_path / "whole")
    assert content(tmp_path / "out") == content(tmp_path / "whole")


# ------------------------------------------------------------------------------------ parts


def slurm(task, count, first, last, step=1):
    values = {"ID": task, "COUNT": count, "MIN": first, "MAX": last, "STEP": step}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    "text, environment, expected",
    [
        (None, {}, (0, 1)),
        ("3/10", slurm(1, 2, 0, 1), (3, 10)),
        (None, slurm(7, 4, 5, 8), (2, 4)),
        (None, slurm(4, 3, 2, 6, 2), (1, 3)),
        (None, {"RANK": "1", "WORLD_SIZE": "8"}, (1, 8)),
        (None, {**slurm(0, 2, 0, 1), "RANK": "1", "WORLD_SIZE": "8"}, (0, 2)),
    ],
)
def test_which_part(text, environment, expected):
    assert shards.choose(text, environment)[:2] == expected


@pytest.mark.parametrize(
    "text, environment",
    [
        ("1", {}),
        ("2/2", {}),
        ("a/b", {}),
        ("0/0", {}),
        (None, slurm(7, 2, 3, 7)),
        (None, {"RANK": "x", "WORLD_SIZE": "2"}),
    ],
)
def test_impossible_parts(text, environment):
    with pytest.raises(UserError, match="I/N"):
        shards.choose(text, environment)


def test_parts_are_disjoint_and_whole_and_named(tree, tmp_path, monkeypatch):
    seen = []
    for index in range(3):
        monkeypatch.setenv("RANK", str(index)), monkeypatch.setenv("WORLD_SIZE", "3")
        many(tree, "--recursive", "--output", tmp_path / "out")
        seen.append(content(tmp_path / "out")[f"summary.{index}.json"]["recordings"])
    assert sum(seen) == 7 and len(results(tmp_path / "out")) == 5
    failures = [path.read_text().splitlines() for path in (tmp_path / "out").glob("failures.?.jsonl")]
    assert len(failures) == 3 and len(sum(failures, [])) == 2
    many(tree, "--recursive", "--output", tmp_path / "whole", "--shard", "0/1")
    whole = content(tmp_path / "whole")
    assert {name: whole[name] for name in results(tmp_path / "whole")} == {
        name: data for name, data in content(tmp_path / "out").items() if name.endswith(".npy")
    }


@pytest.mark.slow
def test_two_processes_give_the_same_tree(tree, tmp_path):
    assert many(tree, "--recursive", "--output", tmp_path / "one") == 2
    assert many(tree, "--recursive", "--output", tmp_path / "two", "--jobs", 2) == 2
    assert content(tmp_path / "one") == content(tmp_path / "two")


# ------------------------------------------------------------------------------------ docs/scale.md


def code(language):
    return (ROOT / "docs" / "scale.md").read_text().split(f"```{language}\n")[1].split("```")[0]


def test_the_slurm_script_is_what_the_command_takes(tree, tmp_path, monkeypatch):
    """Run by bash as Slurm does, with a `synsp` that writes down its words and what Slurm said."""
    fake = tmp_path / "bin" / "synsp"
    fake.parent.mkdir()
    fake.write_text('#!/bin/bash\nprintf "%s\\n" "$@" > "$SCRATCH/words"\n')
    fake.chmod(0o755)
    place = {"HOME": str(tmp_path), "SCRATCH": str(tmp_path), "SLURM_CPUS_PER_TASK": "1", **slurm(1, 2, 0, 1)}
    paths = f"{fake.parent}:{os.environ['PATH']}"
    subprocess.run(["bash", "-c", code("bash")], check=True, env={**os.environ, **place, "PATH": paths})
    tree.rename(tmp_path / "poses")
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[0] == "refine"
    many(*words[1:])
    assert (tmp_path / "refined" / "summary.1.json").exists()


@pytest.mark.slow
def test_the_ray_recipe(tmp_path):
    pytest.importorskip("ray")
    tables = pytest.importorskip("pyarrow.parquet")
    for name in ("lib", "data"):  # as installed: a package `synsp`
        (tmp_path / {"lib": "synsp"}.get(name, name)).symlink_to(ROOT / name)
    (tmp_path / "recipe.py").write_text(code("python"))
    paths = [clip(tmp_path / f"{number}.npy", number) for number in range(3)]
    subprocess.run(
        [sys.executable, tmp_path / "recipe.py", tmp_path / "out", *paths],
        check=True,
        timeout=600,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    rows = tables.read_table(tmp_path / "out").to_pylist()
    refiner = Refiner("auto", fps=30)
    assert sorted(row["path"] for row in rows) == sorted(map(str, paths))
    for row in rows:
        expected = refiner(np.load(row["path"]))
        np.testing.assert_allclose(np.reshape(row["poses"], row["shape"]), expected, atol=1e-6)
