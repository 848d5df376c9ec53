import numpy as np
import pytest

from lib.dataset import excerpt, storage
from lib.errors import UserError


@pytest.mark.parametrize("lengths, total", [([100, 100, 40], 120), ([100, 30, 40], 150), ([10, 10], 100), ([7], 3)])
def test_middles_are_as_long_as_asked(lengths, total):
    places = excerpt.middles(lengths, total)
    sizes = [place.stop - place.start for place in places]
    assert sum(sizes) == min(total, sum(lengths))
    for place, size, length in zip(places, sizes, lengths):
        assert 0 <= place.start and place.stop <= length and abs(place.start - (length - place.stop)) <= 1
        assert size == length or size >= max(sizes) - 1  # only what is short is shorter


def test_both_files_are_cut_alike(write_set, tmp_path):
    source = write_set("own", "sensor", "3D") / "own_sensor_3D"
    target = tmp_path / "small_3D" / "own_part_3D"
    excerpt.excerpt(source, target, {"test": 60})
    before, after = (
        [storage.read(next(folder.glob(f"{part}/*_test.npz"))) for part in ("detected", "groundtruth")]
        for folder in (source, target)
    )
    assert (target / "detected" / "own_part_3D_test.npz").is_file()
    assert (target / "groundtruth" / "own_gt_3D_test.npz").is_file()
    assert sum(map(len, after[0]["joints_3d"])) == 60
    for old, new in zip(before, after):
        for whole, part, names, kept in zip(old["joints_3d"], new["joints_3d"], old["imgname"], new["imgname"]):
            start = list(names).index(kept[0])
            assert np.array_equal(part, whole[start : start + len(part)]) and list(kept) == list(
                names[start : start + len(part)]
            )


def test_a_split_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="has no train split"):
        excerpt.excerpt(tmp_path, tmp_path / "x", {"train": 5})
