"""lib/commands/live_lines.py: a stream goes on whatever a line holds, and keeps nobody for ever."""

import gc
import json
import resource

import pytest

from lib.commands import live_lines
from lib.errors import UserError
from lib.tracks.refiner import Refiner

GOOD = json.dumps({"t": 0.0, "id": 7, "pose": [[1.0, 2.0]]})


def serve(refiner, lines, **options):
    out, said = [], []
    live_lines.serve(refiner, lines, out.append, said.append, **options)
    return [json.loads(line) for line in out], said


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[1]",
        '{"pose": 3}',
        '{"pose": [[1, "x"]]}',
        '{"pose": [[1, 2], [1]]}',
        '{"pose": [[1]]}',
        '{"pose": []}',
        '{"pose": [[1' + "0" * 400 + ", 2]]}",
        '{"pose": {"a": 1}}',
        '{"pose": [[1, 2, 3, 4, 5]]}',
        '{"pose": null}',
        '{"keypoints": [[1.0, 2.0]]}',
        '{"pose": [["1", 2.0]]}',
        '{"pose": [[true, 2.0]]}',
        '{"pose": [[1.0, 2.0]], "t": ' + "9" * 5000 + "}",
        '{"pose": [[1.0, 2.0]], "deep": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"pose": [[1.0, 2.0], [3.0, 4.0]], "id": 7}',  # another number of joints than this person had
    ],
)
def test_a_bad_line_is_answered_in_its_place(line):
    out, said = serve(Refiner("oneeuro"), [GOOD, line, GOOD])
    assert [("error" in record, "pose" in record) for record in out] == [(False, True), (True, False), (False, True)]
    assert "standard input, line 2: " in out[1]["error"] or out[1]["error"] == "nested too deeply"
    assert said[-1] == "1 line was answered by an error"


@pytest.mark.parametrize("line", ["{", '{"keypoints": [[1.0, 2.0]]}', '{"id": 1, "pose": null}', "[" * 10**5])
def test_a_first_line_that_cannot_be_read_ends_the_stream(line):
    with pytest.raises(UserError, match="standard input, line 1: "):
        serve(Refiner("oneeuro"), [line, GOOD])


def test_an_end_is_no_mistake():
    out, said = serve(Refiner("oneeuro"), ['{"id": 7, "end": true}', GOOD, '{"id": 7, "end": true}', GOOD])
    assert len(out) == 2 and not any("error" in text for text in said)


def crowd(ids, unit=1.0, frames=30, together=20):
    """`together` people at a time at 30 Hz, each for so many frames and never ended."""
    for first in range(0, ids, together):
        for frame in range(frames):
            t = (first // together * frames + frame) / 30 / unit
            for who in range(first, first + together):
                pose = [[0.5 * joint + frame, who % 7 + joint] for joint in range(17)]
                yield json.dumps({"t": t, "id": who, "pose": pose} if unit else {"id": who, "pose": pose})


@pytest.mark.parametrize("unit", [1.0, 1e-3, 1e-9])
def test_who_is_not_seen_for_long_is_let_go(unit, monkeypatch):
    """Whatever the unit of t; what was still to come of them is written."""
    alive = []
    gone = live_lines._Clock.gone

    def counted(self, people, *more):
        found = gone(self, people, *more)
        alive.append(len(people))
        return found

    monkeypatch.setattr(live_lines._Clock, "gone", counted)
    out, _ = serve(Refiner("oneeuro", fps=30, lag=2), crowd(200, unit, 5), forget=0.4)
    assert len(out) == 200 * 5 and all(None not in record["pose"][0] for record in out)
    assert max(alive) <= 100  # of 0.4 s = 12 frames, and one frame before the unit is told


def test_without_times_frames_are_counted():
    lines = [json.dumps({"id": who, "pose": [[1.0, 2.0]]}) for who in (1, *[2] * 40, 1)]
    refiner = Refiner("oneeuro", fps=30)
    opened = []
    stream = refiner.stream
    refiner.stream = lambda: opened.append(1) or stream()
    serve(refiner, lines, forget=1.0)
    assert len(opened) == 3  # 1, 2, and 1 anew


@pytest.mark.slow
@pytest.mark.parametrize("method, ids, forget", [("oneeuro", 10_000, 60.0), ("auto", 400, 4.0)])
def test_people_who_never_end(method, ids, forget, root):
    """Under 100 MB once the networks are loaded, and under 1 kB for each of the second half."""
    refiner, used, marks = Refiner(method, fps=30, folder=str(root / "data" / "checkpoints")), [], (600, ids * 15)

    def lines():
        for number, line in enumerate(crowd(ids)):
            if number in marks:
                used.append(_resident())
            yield line

    live_lines.serve(refiner, lines(), lambda text: None, lambda text: None, forget=forget)
    used.append(_resident())
    assert used[2] - used[0] < 100 * 2**20
    assert (used[2] - used[1]) / (ids / 2) < 1024


def _resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def test_answers_are_json_whatever_stood_in_a_line():
    """A t of NaN and an id of 1e400 came back as NaN and Infinity, which no JSON reader takes."""
    lines = [json.dumps({"id": 1, "t": 0.0, "pose": [[1.0, 2.0]]}), '{"id": 1, "t": NaN, "more": [Infinity], "pose": [[1, 2]]}',
             '{"id": 1e400, "t": 0.1}']  # fmt: skip
    out = []
    live_lines.serve(Refiner("oneeuro", fps=30), lines, out.append, lambda text: None)

    def refuse(name):
        raise AssertionError(name)

    found = [json.loads(line, parse_constant=refuse) for line in out]
    assert found[1]["t"] is None and found[1]["more"] == [None]
    assert found[2]["id"] is None and "no pose" in found[2]["error"]
