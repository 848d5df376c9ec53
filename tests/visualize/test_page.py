"""The page as a file: what is packed, how small and how precise, and that no text can become markup.

What it does in a browser is tested in browser/test_page_browser.py.
"""

import base64
import hashlib
import json
import re
import zlib

import numpy as np
import pytest

from lib.poses.skeletons import LAYOUTS, chain
from lib.visualize.page import PageSequence, PageTrack, write_page

H36M = LAYOUTS["h36m17"]


def written(path, *args, **kwargs):
    """The page's text and its data."""
    text = write_page(path, *args, **kwargs).read_text(encoding="utf-8")
    return text, json.loads(re.search(r'id="page-data">(.*?)</script>', text, re.DOTALL).group(1))


def packed(path, joints):
    """A track after the way through the file, unpacked as the description at the top of page.py says."""
    frames, count, dims = joints.shape
    sequence = PageSequence("s", 30, [PageTrack("input", "input", joints)])
    track = written(path, [sequence], chain(count), {})[1]["sequences"][0]["tracks"][0]
    planes = np.frombuffer(zlib.decompress(base64.b64decode(track["data"])), np.uint8)
    low, high = planes.reshape(2, -1).astype(int)
    codes = (low + 256 * high).reshape(count, dims, frames)
    deltas = np.where(codes % 2, -(codes + 1) // 2, codes // 2)
    deltas[codes == 0xFFFF] = 0
    levels = np.array(track["origin"]).reshape(count, dims, 1) + deltas.cumsum(axis=2)
    values = np.where(codes == 0xFFFF, np.nan, levels * track["step"])
    return values.transpose(2, 0, 1), track["step"]


def walk(frames, joints=17, dims=3, scale=1.0, noise=0.0, seed=0):
    """Smooth tracks with white noise on them, [T, J, dims]."""
    generator = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 30
    rate, phase = generator.uniform(0.2, 1.5, (2, 1, joints, dims))
    start = generator.uniform(-1, 1, (joints, dims))
    smooth = start + 0.3 * np.sin(2 * np.pi * (rate * time + phase))
    return scale * (smooth + noise * generator.normal(size=(frames, joints, dims)))


@pytest.mark.parametrize(
    "joints, within",
    [
        (walk(200), 0.05e-3),  # m: a twentieth of a millimetre
        (walk(200) + [40.0, -3.0, 90.0], 0.05e-3),
        (walk(200, dims=2, scale=900), 1 / 64),  # px
        (walk(200, dims=2, scale=0.4), 4e-5),  # shares of the image
        (walk(1), 0.05e-3),
        (np.zeros((4, 3, 3)), 0),
    ],
)
def test_coordinates_survive_to_within_half_a_step(tmp_path, joints, within):
    values, step = packed(tmp_path / "page.html", joints)
    assert np.abs(values - joints).max() <= within * 1.001
    assert step / 2 <= max(within * 1.001, 0.05e-3)


def test_a_jump_too_far_for_16_bit_costs_precision_and_says_so(tmp_path):
    joints = walk(50)
    joints[20, 3] += 500
    values, step = packed(tmp_path / "page.html", joints)
    assert 500 / 32767 < step < 520 / 32767
    assert np.abs(values - joints).max() <= step / 2 * 1.001


def test_missing_joints_stay_missing_and_cost_their_neighbours_nothing(tmp_path):
    joints = walk(60)
    joints[:5] = np.nan
    joints[10:20, 4] = np.nan
    joints[30, 7, 1] = np.inf  # one coordinate lost is the joint lost
    joints[:, 9] = np.nan
    missing = ~np.isfinite(joints).all(axis=2)
    values, _ = packed(tmp_path / "page.html", joints)
    assert np.array_equal(np.isnan(values).any(axis=2), missing)
    assert np.abs(values - joints)[~missing].max() <= 0.0501e-3
    assert np.isnan(packed(tmp_path / "page.html", np.full((5, 2, 2), np.nan))[0]).all()


def test_ten_thousand_frames_of_four_tracks_stay_under_4_mb(tmp_path):
    """Noise of 7 mm a coordinate on three tracks; an estimator's is about that, a filter's much less."""
    noises = {"input": 0.007, "refined": 0.007, "filter": 0.007, "truth": 0.0}
    tracks = [PageTrack(role, role, walk(10_000, noise=noise)) for role, noise in noises.items()]
    page = write_page(tmp_path / "page.html", [PageSequence("long", 60, tracks)], H36M, {})
    assert page.stat().st_size < 4e6


HOSTILE = [
    "</script><script>window.hacked = 1</script>",
    "<!--<script>",
    "<img src=x onerror=alert(1)>",
    "{{script}} {{data}}",
    "\u2028 \udc80 & \" ' \\",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_the_users_becomes_markup(tmp_path, text):
    names = (text, "s")
    hostile, plain = (PageSequence(name, 30, [PageTrack(name, "input", walk(3), name)]) for name in names)
    page, data = written(tmp_path / "page.html", [hostile], H36M, {text: text}, [{text: text}], title=text)
    assert page.count("<") == written(tmp_path / "plain.html", [plain], H36M, {"a": "b"})[0].count("<")
    assert data["title"] == data["sequences"][0]["name"] == text
    assert data["sequences"][0]["tracks"][0]["person"] == text
    assert data["provenance"] == data["metrics"][0] == {text: text}


def test_the_policy_names_exactly_the_pages_own_script_and_style(tmp_path):
    sequence = PageSequence("s", 30, [PageTrack("t", "input", walk(3))])
    page, _ = written(tmp_path / "page.html", [sequence], H36M, {})
    policy = re.search(r'http-equiv="Content-Security-Policy"\s+content="([^"]*)"', page).group(1)
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert len(content) == 1
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert re.findall(rf"{tag}-src ([^;]*);", policy) == [f"'sha256-{digest}'"]
    assert "://" not in page
    assert set(re.findall(r'(?:src|href)="([^"]*)"', page)) == {"data:,"}


def test_metrics_that_json_cannot_hold(tmp_path):
    rows = [{"a": np.float32(1.5), "b": float("nan"), "c": np.int64(3), "d": None}]
    sequence = PageSequence("s", 30, [PageTrack("t", "input", walk(3))])
    data = written(tmp_path / "page.html", [sequence], H36M, {}, rows)[1]
    assert data["metrics"] == [{"a": 1.5, "b": None, "c": 3, "d": None}]


def test_a_sequence_may_bring_its_own_layout(tmp_path):
    sequences = [
        PageSequence("one", 30, [PageTrack("t", "input", walk(3))]),
        PageSequence("two", 30, [PageTrack("t", "input", walk(3, joints=14))], LAYOUTS["lsp14"]),
        PageSequence("three", 30, [PageTrack("t", "input", walk(3))]),
    ]
    data = written(tmp_path / "page.html", sequences, H36M, {})[1]
    assert [sequence["layout"] for sequence in data["sequences"]] == [0, 1, 0]
    assert data["layouts"][1]["joints"] == list(LAYOUTS["lsp14"].joints)


def test_a_track_may_bring_its_sigma(tmp_path):
    sigma = np.abs(walk(50, dims=1, scale=0.01)[..., 0])
    tracks = [PageTrack("t", "input", walk(50)), PageTrack("u", "refined", walk(50), sigma=sigma)]
    data = written(tmp_path / "page.html", [PageSequence("s", 30, tracks)], H36M, {})[1]
    plain, banded = data["sequences"][0]["tracks"]
    assert "sigma" not in plain and len(banded["sigma"]["origin"]) == 17 and banded["sigma"]["step"] <= 1e-4


@pytest.mark.parametrize(
    "sequences, message",
    [
        ([], "at least one"),
        ([PageSequence("s", 30, [PageTrack("t", "input", walk(3), sigma=np.ones(3))])], r"sigma of 't' is \(3,\)"),
        ([PageSequence("s", 30, [])], "no tracks"),
        ([PageSequence("s", 0, [PageTrack("t", "input", walk(3))])], "frame rate 0"),
        ([PageSequence("s", 30, [PageTrack("t", "input", walk(3, joints=16))])], r"\(3, 16, 3\).*\[T, 17"),
        ([PageSequence("s", 30, [PageTrack("t", "input", walk(3)[:0])])], r"\(0, 17, 3\)"),
        ([PageSequence("s", 30, [PageTrack("t", "input", np.zeros((3, 51)))])], r"\(3, 51\)"),
        ([PageSequence("s", 30, [PageTrack("t", "guess", walk(3))])], "'guess'"),
        (
            [PageSequence("s", 30, [PageTrack("t", "input", walk(3)), PageTrack("u", "truth", walk(4))])],
            r"'u' is \(4.*expected \(3",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, sequences, message):
    with pytest.raises(ValueError, match=message):
        write_page(tmp_path / "page.html", sequences, H36M, {})
    assert not list(tmp_path.iterdir())
