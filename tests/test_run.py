"""lib/run.py: a run's folder lies in OUTPUT_DIR whatever the two are called, or one line says why it cannot."""

import pytest

from lib import config, run
from lib.errors import UserError


@pytest.fixture
def cfg(tmp_path):
    cfg = config.defaults()
    cfg.OUTPUT_DIR, cfg.EXP_NAME = str(tmp_path / "results"), "run"
    return cfg


@pytest.mark.parametrize("name", ["run[1]", "with blanks", "a*b?", "group/run", "Zoë"])
def test_any_name_is_found_again(cfg, name):
    cfg.EXP_NAME = name
    assert run.newest_folder(cfg) is None
    folder, again = run.new_folder(cfg), run.new_folder(cfg)
    assert folder != again
    (folder / "checkpoint_last.pth.tar").touch()
    assert run.newest_folder(cfg) == folder


@pytest.mark.parametrize("name", ["../run", "a/../../run", "/tmp/run"])
def test_no_run_leaves_its_place(cfg, name, tmp_path):
    cfg.EXP_NAME = name
    for ask in (run.new_folder, run.newest_folder):
        with pytest.raises(UserError, match="EXP_NAME .* must stay inside OUTPUT_DIR"):
            ask(cfg)
    assert not list(tmp_path.iterdir())


def test_output_dir_is_a_link_into_nowhere(cfg, tmp_path):
    """This looked for a free name without an end."""
    (tmp_path / "results").symlink_to(tmp_path / "unmounted" / "results")
    with pytest.raises(UserError, match="results is a link to .*unmounted/results, which is not there"):
        run.new_folder(cfg)


def test_output_dir_is_a_circle_of_links(cfg, tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "results")
    with pytest.raises(UserError, match="is a link to"):
        run.new_folder(cfg)


def test_output_dir_is_a_file_or_lies_in_one(cfg, tmp_path):
    (tmp_path / "results").touch()
    for place in ("results", "results/deep"):
        cfg.OUTPUT_DIR = str(tmp_path / place)
        with pytest.raises(UserError, match="is a file, not a folder"):
            run.new_folder(cfg)
