"""Runs over many files that are killed from outside."""

import subprocess

import numpy as np
import pytest

from benchmarks import scale


@pytest.mark.slow
def test_a_run_killed_three_times_leaves_the_tree_of_an_undisturbed_one(tmp_path):
    scale.write_clips(tmp_path / "in", 30, np.random.default_rng(0))
    scale.killed(tmp_path / "in", tmp_path / "killed", 30, 3, "savgol", seed=0)
    subprocess.run(scale.command(tmp_path / "in", tmp_path / "whole", 1, "savgol"), cwd=scale.ROOT, check=True)
    assert scale.content(tmp_path / "killed") == scale.content(tmp_path / "whole")
