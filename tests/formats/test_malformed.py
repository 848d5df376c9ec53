"""Every damaged, empty, foreign or hostile file is one line that names the file, the place and the mend."""

import copy
import json
import os
import pickle
import random

import numpy as np
import pytest

from lib.errors import UserError
from lib.formats import registry


def edit_json(path, change):
    path = sorted(path.iterdir())[2] if path.is_dir() else path
    tree = json.loads(path.read_text())
    change(tree)
    path.write_text(json.dumps(tree))
    return path.name


def truncate(path):
    path = sorted(path.iterdir())[2] if path.is_dir() else path
    path.write_bytes(path.read_bytes()[:-40])


def truncate_half(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garbage(path):
    path = sorted(path.iterdir())[0] if path.is_dir() else path
    path.write_bytes(np.random.default_rng(0).bytes(2000))


def empty(path):
    path = sorted(path.iterdir())[2] if path.is_dir() else path
    path.write_bytes(b"")


def set_at(*place, value):
    """A change of parsed JSON: the value at a place."""

    def change(tree):
        holder = tree
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = value

    return lambda path: edit_json(path, change)


def whole(value):
    return lambda path: path.write_text(json.dumps(value))


def all_openpose(people):
    def change(path):
        for file in path.iterdir():
            file.write_text(json.dumps({"version": 1.3, "people": people}))

    return change


def resave_npy(change):
    return lambda path: np.save(path, change(np.load(path)))


def resave_npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def edit_lines(number, change):
    def edit(path):
        lines = path.read_text().split("\n")
        lines[number] = change(lines[number])
        path.write_text("\n".join(lines))

    return edit


def edit_pickle(change):
    def edit(path):
        with open(path, "rb") as file:
            value = pickle.load(file)
        change(value)
        with open(path, "wb") as file:
            pickle.dump(value, file)

    return edit


def whole_pickle(value):
    return lambda path: path.write_bytes(pickle.dumps(value))


class Hostile:
    """Its pickle asks the reader to call os.system."""

    def __reduce__(self):
        return os.system, ("echo executed > executed.txt",)


def hostile_npz(path):
    array = np.empty(1, dtype=object)
    array[0] = Hostile()
    np.savez(path, joints_3d=array)


def hostile_pt(path):
    import torch

    torch.save({"smpl_params_incam": Hostile()}, path)


def nan_people(people):
    for person in people.values():
        person["pose"][:] = np.nan


def drop(key):
    def change(people):
        for person in people.values():
            del person[key]

    return change


CASES = [
    # kind, damage, what the message says
    ("openpose", truncate, r"walk_000000000007_keypoints.json: not complete JSON \(line 1, column \d+"),
    ("openpose", empty, r"walk_000000000007_keypoints.json: the file is empty"),
    ("openpose", garbage, r"walk_000000000005_keypoints.json: not (JSON text|complete JSON)"),
    (
        "openpose",
        set_at("people", 0, "pose_keypoints_2d", value=[1.0, 2.0, 0.5] * 18),
        r"walk_000000000007.*, person 0: body has 18 key points of 2 coordinates, but 25",
    ),
    ("openpose", set_at("people", 0, "pose_keypoints_2d", value=[1.0, 2.0]), r"person 0, pose_keypoints_2d: 2 numbers"),
    (
        "openpose",
        set_at("people", 0, "pose_keypoints_2d", 4, value="12.5"),
        r"walk_000000000007.*, person 0, pose_keypoints_2d: '12.5' is not a number",
    ),
    ("openpose", set_at("people", 0, "pose_keypoints_2d", value="none"), r"person 0, pose_keypoints_2d: 'none' is not"),
    ("openpose", set_at("people", value=3), r"walk_000000000007.*: no list 'people'"),
    ("openpose", set_at("people", 0, value=7), r"person 0: '7' is no person"),
    ("openpose", all_openpose([]), r"clip: no person in any of the 13 frames"),
    ("openpose", all_openpose([{"pose_keypoints_2d": [0] * 75}]), r"clip: every key point of every person is missing"),
    (
        "openpose",
        lambda path: [file.unlink() for file in path.iterdir()],
        r"clip: what kind of .* a folder with nothing in it\n",
    ),
    ("alphapose", truncate, r"not complete JSON"),
    ("alphapose", whole([]), r"alphapose-results.json: nobody in it"),
    ("alphapose", set_at(3, "keypoints", 5, value=None), None),  # null is a missing value, no mistake
    ("alphapose", set_at(3, "keypoints", 5, value=[1]), r"detection 3 \(\d+.jpg\), keypoints: lists of different"),
    ("alphapose", set_at(3, value={"image_id": "1.jpg"}), r"detection 3: no image_id or no keypoints"),
    ("alphapose_open", set_at("0003.jpg", value=[]), r"0003.jpg: no list 'people'"),
    ("mmpose", truncate, r"not complete JSON"),
    (
        "mmpose",
        set_at(4, "instances", 0, "keypoints", 3, value=["a", "b"]),
        r"frame 4, instance 0, keypoints: 'a' is not",
    ),
    (
        "mmpose",
        set_at(4, "instances", 0, "keypoints", 3, value=[1.0]),
        r"frame 4, instance 0, keypoints: lists of diff",
    ),
    ("mmpose", set_at(4, "instances", 0, "keypoint_scores", value=[1.0]), r"17 key points but 1 scores"),
    ("mmpose", set_at(4, "instances", 0, value={}), r"frame 4, instance 0: no keypoints"),
    ("mmpose", set_at(4, value=7), r"frame 4: no list 'instances'"),
    ("mmpose", whole([{"frame_id": 0, "instances": []}]), r"no person in any of the 1 frames"),
    ("mmpose0", set_at(5, value={"a": 1}), r"not a list of frames"),
    ("mmpose0", set_at(5, 0, value={}), r"frame 5, person 0: no keypoints"),
    ("mediapipe", set_at(2, 7, "x", value="0.5"), r"frame 2, person 0, landmarks: '0.5' is not a number"),
    ("mediapipe", set_at(2, 7, value={"x": 1.0}), r"frame 2, person 0, landmarks, landmark 7: no x, y"),
    (
        "mediapipe",
        set_at(2, value=[{"x": 1.0, "y": 1.0, "z": 1.0, "visibility": 1.0}] * 21),
        r"frame 2, person 0: body has 21 key points",
    ),
    ("mediapipe", set_at(2, value="nobody"), r"frame 2: no landmarks"),
    ("mediapipe", whole([None, []]), r"landmarks.json: nobody in any of its 2 frames"),
    ("coco_annotations", set_at("annotations", 3, "image_id", value=77), r"annotation 3: image_id 77 is none of"),
    (
        "coco_annotations",
        set_at("annotations", 3, "keypoints", 0, value="a"),
        r"annotation 3 \(image \d+\), keypoints: 'a'",
    ),
    ("coco_results", set_at(3, "keypoints", value=[1.0] * 50), r"result 3 \(image \d+\), keypoints: 50 numbers"),
    ("npy", truncate_half, r"poses.npy: not a readable array"),
    ("npy", resave_npy(lambda array: array * np.nan), r"poses.npy: every number is NaN or infinite"),
    ("npy", resave_npy(lambda array: array.astype(str)), r"poses.npy: holds <U\d+, not numbers"),
    ("npy", resave_npy(lambda array: array[0, 0]), r"poses.npy: shape \[3\]. Expected axes \[T, J, D\]"),
    ("npy", resave_npy(lambda array: array[:0]), r"poses.npy: no frame in it"),
    ("npy", resave_npy(lambda array: np.ones((5, 72))), r"72 columns do not say .* 'pose' in an .npz"),
    ("npy", resave_npy(lambda array: np.ones((5, 90))), r"90 columns do not say"),
    ("npy", resave_npy(lambda array: np.ones((5, 17, 7))), r"shape \[5, 17, 7\]"),
    (
        "npy",
        lambda path: np.save(path, np.array([Hostile()], dtype=object), allow_pickle=True),
        r"refused, because loading it would call",
    ),
    ("npz", truncate, r"poses.npz: not a readable .npz"),
    ("npz", resave_npz(a=np.zeros(3), b=np.zeros((4, 4))), r"what kind of pose file"),
    ("sequences", hostile_npz, r"h36m_fcn_3D_test.npz: joints_3d: refused, because loading it would call posix.system"),
    (
        "sequences",
        resave_npz(joints_3d=np.array([np.full((3, 51), np.nan), None], dtype=object)),
        r"joints_3d, sequence 0|1",
    ),
    ("videopose3d", resave_npz(positions_2d={"S1": {"Walk": "none"}}), r"S1 / Walk: str"),
    ("videopose3d", resave_npz(positions_2d={"S1": {"Walk": [np.full((3, 17, 2), np.nan)]}}), r"no finite pose"),
    (
        "trc",
        edit_lines(8, lambda line: line.replace("\t", "\tx", 2)),
        r"walk.trc: line 9, Time: 'x0.0\d+' is not a number",
    ),
    ("trc", edit_lines(8, lambda line: line + "\t1\t2"), r"walk.trc: line 9: 16 columns for 4 markers"),
    ("trc", edit_lines(3, lambda line: "Frame#\tTime"), r"walk.trc: line 4 names no marker"),
    ("trc", lambda path: path.write_text("PathFileType\t4\n"), r"walk.trc: only 1 lines"),
    ("trc", garbage, r"walk.trc: not a text file"),
    (
        "csv_table",
        edit_lines(3, lambda line: line.replace("0.08", "0.08x")),
        r"landmarks.csv: line 4, time: '0.08x' is not",
    ),
    ("csv_table", edit_lines(3, lambda line: line + ",1"), r"landmarks.csv: line 4: \d+ columns, the first line has"),
    ("csv_table", edit_lines(0, lambda line: line.replace("_x", "_q")), r"what kind of pose file"),
    ("csv_table", garbage, r"landmarks.csv: not a text file"),
    (
        "csv_people",
        edit_lines(2, lambda line: line.replace(";4;", ";3;")),
        r"people.csv: several lines of one frame .* columns: track_id",
    ),
    ("vibe", truncate, r"vibe_output.pkl: the pickled data are damaged"),
    ("vibe", garbage, r"vibe_output.pkl: the pickled data are damaged"),
    ("vibe", whole_pickle({1: {"pose": Hostile()}}), r"refused, because loading it would call posix.system"),
    ("vibe", edit_pickle(nan_people), r"vibe_output.pkl: no person with a finite pose"),
    ("vibe", edit_pickle(lambda people: people[1].update(pose=np.ones((12, 71)))), r"person 1, pose: shape \[12, 71\]"),
    ("vibe", edit_pickle(lambda people: people[1].update(pose="none")), r"what kind|person 1, pose: str"),
    (
        "vibe",
        edit_pickle(lambda people: people[1].update(frame_ids=np.arange(5))),
        r"person 1: frame_ids has 5 numbers",
    ),
    ("vibe", whole_pickle([1, 2]), r"what kind of pose file"),
    ("phalp", edit_pickle(drop("tracked_time")), None),
    (
        "phalp",
        edit_pickle(lambda frames: frames["_DEMO/walk/img/000003.jpg"]["smpl"].pop()),
        r"frame _DEMO/walk/img/000003.jpg: 2 tid, 2 tracked_time, 1 smpl entries",
    ),
    (
        "phalp",
        edit_pickle(lambda frames: frames["_DEMO/walk/img/000003.jpg"]["smpl"][1].pop("body_pose")),
        r"000003.jpg, person 1 \(tid 5\): smpl has no global_orient and body_pose",
    ),
    (
        "phalp",
        edit_pickle(lambda frames: frames["_DEMO/walk/img/000003.jpg"].update(tid=[5, 5])),
        r"tid 5 stands twice",
    ),
    ("gvhmr", truncate_half, r"hmr4d_results.pt: not a readable .pt file"),
    ("gvhmr", garbage, r"hmr4d_results.pt: (not a readable .pt file|refused)"),
    ("gvhmr", hostile_pt, r"hmr4d_results.pt: refused, because loading it would call posix.system"),
]


@pytest.mark.parametrize(
    "kind, damage, message", CASES, ids=[f"{kind}-{number}" for number, (kind, *_) in enumerate(CASES)]
)
def test_malformed(build, kind, damage, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = build(kind).path
    damage(path)
    if message is None:
        registry.read(path)
        return
    with pytest.raises(UserError, match=message) as caught:
        registry.read(path)
    text = str(caught.value)
    assert path.name in text and ("\n" not in text or "what to do" in text)
    assert not (tmp_path / "executed.txt").exists()


WRONG = [
    None,
    "abc",
    3,
    -7,
    [],
    {},
    [1],
    True,
    float("inf"),
    [[1, 2], [3]],
    {"x": 1},
    2**70,
    "12",
    [None],
    [[]],
    {"a": {}},
    1.5,
]


def places(value, place=()):
    """Where something stands in nested dicts and lists."""
    yield place
    items = enumerate(value) if isinstance(value, (list, tuple)) else ()
    for key, item in value.items() if isinstance(value, dict) else items:
        yield from places(item, (*place, key))


def test_anything_anywhere(sample):
    """A wrong value or byte at a random place gives a result or one line, never another exception."""
    path = sorted(sample.path.iterdir())[3] if sample.path.is_dir() else sample.path
    original, dice = path.read_bytes(), random.Random(0)
    for _ in range(40):
        if path.suffix in (".json", ".pkl"):
            tree = json.loads(original) if path.suffix == ".json" else pickle.loads(original)
            candidates = [place for place in places(tree) if place]
            # The fewer the candidates, the deeper the place.
            *above, last = min(dice.choices(candidates, k=dice.choice([1, 8, 40])), key=len)
            holder = tree
            for key in above:
                holder = holder[key]
            holder[last] = copy.deepcopy(dice.choice(WRONG))
            path.write_bytes(json.dumps(tree).encode() if path.suffix == ".json" else pickle.dumps(tree))
        elif path.suffix in (".npz", ".pt"):  # the archive's own checks are the library's
            path.write_bytes(original[: dice.randrange(len(original))])
        else:
            content = bytearray(original)
            content[dice.randrange(len(content))] = dice.choice(b"\t,;\n0.x\xff")
            path.write_bytes(content)
        try:
            pose_file = registry.read(sample.path)
            registry.write(
                pose_file,
                [track.poses + 1 for track in pose_file.tracks],
                path.parent.parent / f"out{sample.path.suffix}",
            )
        except UserError:
            pass


@pytest.mark.parametrize("kind", registry.FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04garbage",
        b"{}",
        b"[]",
        b"[[",
        b"null",
        b"PK\x03\x04broken",
        b"a,b\n1,2",
        b"\xff\xfe\x00\x01",
        b"7",
        b'[{"a": 1}]',
        b'{"people": [{}]}',
        b"x_x,x_y\n,\n",
        b"[[[1, 2], [3, null]]]",
        b"\x93NUMPY\x01",
        b"\x78\x9cbroken",
    ],
)
def test_forced_on_a_foreign_file(tmp_path, kind, content):
    """Whatever the kind that the user insists on, a foreign file is a line and no traceback."""
    (tmp_path / "file").write_bytes(content)
    try:
        registry.read(tmp_path / "file", kind)
    except UserError as error:
        assert "file" in str(error) and "\n" not in str(error)


@pytest.mark.parametrize(
    "content, suffix", [(b"hello", ".txt"), (b"\0" * 100, ".bin"), (b"<xml/>", ".xml"), (b"x", "")]
)
def test_unknown_kind_says_what_it_looks_like(tmp_path, content, suffix):
    (tmp_path / f"file{suffix}").write_bytes(content)
    with pytest.raises(UserError, match="cannot be told") as caught:
        registry.read(tmp_path / f"file{suffix}")
    looks, mend = str(caught.value).splitlines()
    assert "It looks like" in looks and mend.startswith("what to do: ")


def test_not_found(tmp_path):
    with pytest.raises(UserError, match="nowhere.json: not found"):
        registry.read(tmp_path / "nowhere.json")
