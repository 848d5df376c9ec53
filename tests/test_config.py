"""The configuration (config, config_values, command_line): one schema, and which layer wins."""

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from lib import config
from lib.command_line import Request
from lib.errors import UserError

# Every key of the published YAMLs (SPEC 7), with values as they write them.
PUBLISHED = """
DEVICE: cuda
SEED_VALUE: 4321
LOGDIR: ''
EXP_NAME: 'train'
DEBUG: False
OUTPUT_DIR: 'results'
DATASET_NAME: ''
ESTIMATOR: ''
BODY_REPRESENTATION: ''
SMPL_MODEL_DIR: "data/smpl/"
CUDNN:
  BENCHMARK: True
  DETERMINISTIC: False
  ENABLED: True
DATASET:
  BASE_DIR: "data/poses"
  ROOT_AIST_SPIN_3D: [2,3]
  ROOT_H36M_FCN_3D: [0]
  ROOT_MUPOTS_TPOSENET_3D: [14]
MODEL:
  SLIDE_WINDOW_SIZE: 8
  d_word_vec: 128
  d_model: 128
  d_inner: 128
  n_layers: 4
  n_head: 4
  d_k: 64
  d_v: 64
  persons: 1
  HIDDEN_SIZE: 512
  RES_HIDDEN_SIZE: 256
  NUM_BLOCK: 3
  DROPOUT: 0.5
TRAIN:
  BATCH_SIZE: 2000
  WORKERS_NUM: 0
  EPOCH: 70
  LR: 1e-3
  LRDECAY: 0.95
  RESUME: None
  VALIDATE: True
  USE_6D_SMPL: True
  noise_std: 25
  noise_type: uniform
EVALUATE:
  PRETRAINED: ''
  ROOT_RELATIVE: True
  SLIDE_WINDOW_STEP_SIZE: 1
  TRADITION: ''
  TRADITION_SAVGOL: {WINDOW_SIZE: 31, POLYORDER: 2}
  TRADITION_GAUS1D: {WINDOW_SIZE: 31, SIGMA: 3}
  TRADITION_ONEEURO: {MIN_CUTOFF: 0.04, BETA: 0.7}
LOSS: {W_ACCEL: 1.0, W_POS: 1.0}
LOG: {NAME: ''}
VIS: {START: 0, END: 1000, INPUT_VIDEO_NUMBER: 10, OUTPUT_VIDEO_PATH: "demo/"}
"""


@pytest.fixture
def yaml_file(tmp_path):
    def write(text):
        path = tmp_path / "own.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.mark.parametrize("command", ["train", "eval", "visualize"])
def test_published_yaml_loads_unchanged(command, yaml_file, caplog):
    cfg = Request(command, ["--cfg", yaml_file(PUBLISHED)]).config()
    assert not caplog.records
    assert cfg.TRAIN.LR == 0.001 and cfg.TRAIN.noise_std == 25.0 and cfg.TRAIN.RESUME == ""
    assert cfg.DATASET.ROOT_AIST_SPIN_3D == [2, 3] and cfg.MODEL.DROPOUT == 0.5
    assert cfg.EVALUATE.TRADITION_GAUS1D.SIGMA == 3.0 and cfg.VIS.INPUT_VIDEO_NUMBER == "10"
    # Every key arrives, whatever its value.
    tree = yaml.safe_load(PUBLISHED)
    found = config.as_dict(cfg)
    for group, keys in tree.items():
        for key in keys if isinstance(keys, dict) else ():
            assert key in found[group]


def test_the_published_defaults():
    """SPEC 7."""
    cfg = config.defaults()
    expected = {
        "DEVICE": "cuda",
        "SEED_VALUE": 4321,
        "OUTPUT_DIR": "results",
        "EXP_NAME": "default",
        "SMPL_MODEL_DIR": "data/smpl/",
        "DATASET.BASE_DIR": "data/poses",
        "MODEL.SLIDE_WINDOW_SIZE": 8,
        "MODEL.NAME": "synsp",
        "MODEL.HIDDEN_SIZE": 512,
        "MODEL.RES_HIDDEN_SIZE": 256,
        "MODEL.NUM_BLOCK": 3,
        "TRAIN.BATCH_SIZE": 1024,
        "TRAIN.WORKERS_NUM": 0,
        "TRAIN.EPOCH": 70,
        "TRAIN.LR": 0.001,
        "TRAIN.LRDECAY": 0.95,
        "TRAIN.VALIDATE": True,
        "TRAIN.USE_6D_SMPL": True,
        "TRAIN.VAL_SHARE": 0.05,
        "TRAIN.MIX": "proportional",
        "EVALUATE.ROOT_RELATIVE": True,
        "EVALUATE.SLIDE_WINDOW_STEP_SIZE": 1,
        "LOSS.W_ACCEL": 1.0,
        "LOSS.W_POS": 1.0,
        "VIS.START": 0,
        "VIS.END": 1000,
        "EVALUATE.TRADITION_SAVGOL.WINDOW_SIZE": 31,
        "EVALUATE.TRADITION_SAVGOL.POLYORDER": 2,
        "EVALUATE.TRADITION_GAUS1D.SIGMA": 3.0,
        "EVALUATE.TRADITION_GAUS1D.BLOCKWISE": False,
        "EVALUATE.TRADITION_ONEEURO.MIN_CUTOFF": 0.04,
        "EVALUATE.TRADITION_ONEEURO.BETA": 0.7,
        "DATASET.JOINT_ORDER": "stored",
        "DATASET.MULTI_VIEW": False,
    }
    flat = dict(config.flatten(cfg))
    assert {key: flat[key] for key in expected} == expected


def test_shipped_yamls_load_without_a_word(root, caplog):
    paths = sorted((root / "configs").glob("*.yaml"))
    assert len(paths) >= 2
    for path in paths:
        Request("train", ["--cfg", str(path)])
    assert not caplog.records


def test_precedence(yaml_file):
    """defaults < YAML < stored in the checkpoint < flags < trailing overrides."""
    path = yaml_file("MODEL: {SLIDE_WINDOW_SIZE: 9, n_head: 3}\nTRAIN: {EPOCH: 7, LR: 0.5, MIX: balanced}")
    stored = {"TRAIN": {"EPOCH": 8, "LR": 0.25}, "MODEL": {"SLIDE_WINDOW_SIZE": 10, "n_layers": 2}}
    request = Request(
        "train",
        ["--cfg", path, "--slide_window_size", "11", "--exp_name", "flag", "TRAIN.LR", "0.125", "EXP_NAME", "pair"],
    )
    cfg = request.config(stored)
    assert cfg.TRAIN.BATCH_SIZE == 1024  # default
    assert cfg.TRAIN.MIX == "balanced" and cfg.MODEL.n_head == 3  # YAML over default
    assert cfg.TRAIN.EPOCH == 8 and cfg.MODEL.n_layers == 2  # stored over YAML and default
    assert cfg.MODEL.SLIDE_WINDOW_SIZE == 11  # flag over stored
    assert cfg.TRAIN.LR == 0.125 and cfg.EXP_NAME == "pair"  # trailing over stored and flag
    assert request.config().TRAIN.EPOCH == 7  # and asking once does not change the next answer
    assert request.explicit("MODEL.SLIDE_WINDOW_SIZE") and request.explicit("TRAIN.LR")
    assert not request.explicit("TRAIN.EPOCH") and not request.explicit("pair")


@pytest.mark.parametrize(
    "words",
    [
        ["TRAIN.EPOCH", "5", "--exp_name", "x", "DEVICE", "cpu"],
        ["--exp_name", "x", "TRAIN.EPOCH", "5", "DEVICE", "cpu"],
        ["DEVICE", "cpu", "TRAIN.EPOCH", "5", "--exp_name", "x"],
    ],
)
def test_overrides_stand_anywhere(words):
    cfg = Request("train", words).config()
    assert (cfg.TRAIN.EPOCH, cfg.EXP_NAME, cfg.DEVICE) == (5, "x", "cpu")


def test_unknown_yaml_keys_are_one_warning(yaml_file, caplog):
    path = yaml_file("TRAIN: {EPOCH: 3, EPOCHS: 4}\nNEW: {A: {B: 1}}\nTRAINING: 1\n5: x")
    request = Request("eval", ["--cfg", path])
    request.config()
    request.config({"TRAIN": {"EPOCH": 2}})
    assert len(caplog.records) == 1 and caplog.records[0].levelno == logging.WARNING
    assert caplog.messages[0].endswith("ignored: TRAIN.EPOCHS, NEW.A.B, TRAINING, 5")
    assert request.config().TRAIN.EPOCH == 3


def test_empty_sections_of_a_yaml_are_nothing(yaml_file, caplog):
    cfg = Request("train", ["--cfg", yaml_file("CUDNN:\nTRAIN:\n  RESUME:\n  INIT: null\n")]).config()
    assert cfg.CUDNN.BENCHMARK is True and cfg.TRAIN.RESUME == cfg.TRAIN.INIT == "" and not caplog.records


@pytest.mark.parametrize("value", ["None", "null", ""])
def test_resume_none_is_no_resume(value):
    assert Request("train", ["TRAIN.RESUME", value]).config().TRAIN.RESUME == ""


@pytest.mark.parametrize(
    "key, text, value",
    [
        ("TRAIN.LR", "1e-3", 0.001),
        ("TRAIN.EPOCH", "1e2", 100),
        ("TRAIN.EPOCH", "5.0", 5),
        ("TRAIN.VALIDATE", "false", False),
        ("TRAIN.VALIDATE", "0", False),
        ("DEBUG", "yes", True),
        ("EXP_NAME", "5", "5"),
        ("TRAIN.noise_std", "25", 25.0),
        ("DATASET.ROOT_MY_VIBE_3D", "[2,3]", [2, 3]),
        ("DATASET.ROOT_MY_VIBE_3D", "(2, 3)", [2, 3]),
        ("DATASET.ROOT_MY_VIBE_3D", "0", [0]),
        ("MODEL.DROPOUT", "-1", -1.0),
    ],
)
def test_values_become_the_type_of_the_default(key, text, value):
    node = Request("train", [key, text]).config()
    for part in key.split("."):
        node = node[part]
    assert node == value and type(node) is type(value)


def test_root_keys_are_upper_case_as_they_are_looked_up():
    assert Request("train", ["DATASET.ROOT_my_vibe_3D", "4"]).config().DATASET.ROOT_MY_VIBE_3D == [4]


@pytest.mark.parametrize(
    "words, message",
    [
        (["TRAIN.EPOCHS", "5"], "override TRAIN.EPOCHS: no such key. Did you mean TRAIN.EPOCH"),
        (["train.epoch", "5"], "override train.epoch: no such key. Did you mean TRAIN.EPOCH"),
        (["DATASET.ROOTS", "5"], "override DATASET.ROOTS: no such key"),
        (["TRAIN.EPOCH.X", "5"], "override TRAIN.EPOCH.X: no such key"),
        (["TRAIN.EPOCH"], "override TRAIN.EPOCH: has no value"),
        (["TRAIN", "5"], "TRAIN: is a group of keys"),
        (["TRAIN.EPOCH", "five"], "TRAIN.EPOCH: 'five' given, but a whole number is needed"),
        (["TRAIN.EPOCH", "2.5"], "TRAIN.EPOCH: '2.5' given"),
        (["TRAIN.EPOCH", "inf"], "TRAIN.EPOCH: 'inf' given"),
        (["TRAIN.EPOCH", "None"], "TRAIN.EPOCH: None given"),
        (["TRAIN.LR", "nan"], "TRAIN.LR: 'nan' given"),
        (["TRAIN.LR", "True"], "TRAIN.LR: 'True' given"),
        (["TRAIN.VALIDATE", "maybe"], "TRAIN.VALIDATE: 'maybe' given"),
        (["DATASET.ROOT_X_Y_3D", "pelvis"], r"DATASET.ROOT_X_Y_3D: 'pelvis' given, but a list of joint numbers"),
        (["--slide_window_size", "eight"], "--slide_window_size: 'eight' given"),
        (["--window", "8"], "--window: no such flag"),
        (["--dataset_name"], "--dataset_name: expected one argument"),
        (["--cfg", "nowhere.yaml"], "--cfg nowhere.yaml: not found"),
    ],
)
def test_mistakes_are_one_line(words, message):
    with pytest.raises(UserError, match=message) as caught:
        Request("train", words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "contains no configuration keys"),
        ("- a\n- b", "contains no configuration keys"),
        ("a: [", "not readable as YAML"),
        ("a: \x00", "not readable as YAML"),
        ("TRAIN: {EPOCH: [1, 2]}", r"TRAIN.EPOCH: \[1, 2\] given"),
        ("TRAIN: 5", "TRAIN: is a group"),
        ("TRAIN: {VALIDATE: 2}", "TRAIN.VALIDATE: 2 given"),
        ("a: !!python/object/apply:os.system [ls]", "not readable as YAML"),
    ],
)
def test_yamls_that_cannot_be(text, message, yaml_file):
    with pytest.raises(UserError, match=message):
        Request("train", ["--cfg", yaml_file(text)])


def test_a_yaml_that_is_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="not readable as YAML"):
        Request("train", ["--cfg", str(tmp_path / "x.yaml")])
    with pytest.raises(UserError, match="not readable as YAML"):
        Request("train", ["--cfg", str(tmp_path)])


def test_dump_is_a_yaml_that_loads_to_the_same(yaml_file):
    cfg = Request("train", ["DATASET.ROOT_A_B_3D", "[1,2]", "TRAIN.LR", "0.25", "--dataset_name", "a,b"]).config()
    assert Request("train", ["--cfg", yaml_file(config.dump(cfg))]).config() == cfg


def test_help_needs_neither_torch_nor_numpy(root):
    code = (
        "import sys; from lib.command_line import Request\n"
        "try: Request('train', ['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'numpy', 'scipy') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True).stdout
    assert "--slide_window_size" in out and out.endswith("[]\n")


BOMB = "\n".join(["x0: &x0 {k: a}"] + [f"x{n}: &x{n} {{p: *x{n - 1}, q: *x{n - 1}}}" for n in range(1, 40)])
MERGED = "\n".join(["x0: &x0 {k: a}"] + [f"x{n}: &x{n} {{<<: [*x{n - 1}, *x{n - 1}]}}" for n in range(1, 40)])


@pytest.mark.parametrize(
    "text, message",
    [
        (BOMB, "more than 10000 values"),
        (MERGED, "more than 10000 values"),
        (BOMB.replace("{k: a}", "[a]").replace("{p:", "[").replace(", q:", ",").replace("}", "]"), "more than 10000"),
        ("a: &a\n  b: *a", "an alias that holds itself"),
        ("a: &a [*a]", "an alias that holds itself"),
        ("EXP_NAME: !!bool 'x'", "KeyError|'x'"),
        ("EXP_NAME: !!timestamp '2020'", "not readable as YAML"),
        ("EXP_NAME: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        ("SEED_VALUE: " + "9" * 5000, "not readable as YAML .*4300 digits"),
        ("EXP_NAME: " + "[" * 1200 + "]" * 1200, "not readable as YAML"),
        ("? [a]\n: b", "(?s)not readable as YAML .*unhashable"),
        ('EXP_NAME: "a\\0b"', "EXP_NAME: .*holds control characters"),
        ("a: 1\n" * 300_000, "far too large"),
    ],
)
def test_yamls_of_strangers(text, message, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    start = time.process_time()
    with pytest.raises(UserError, match=message):
        Request("eval", ["--cfg", str(tmp_path / "x.yaml")])
    assert time.process_time() - start < 10


def test_anchors_of_people_work(tmp_path):
    (tmp_path / "x.yaml").write_text("MODEL: &m {n_head: 2}\nTRAIN:\n  EPOCH: 3\nx: {<<: *m}\n")
    assert Request("eval", ["--cfg", str(tmp_path / "x.yaml")]).config().MODEL.n_head == 2


@pytest.mark.parametrize(
    "key, value, message",
    [
        ("TRAIN.BATCH_SIZE", 0, "must be from 1 to"),
        ("SEED_VALUE", 2**64, "must be from 0 to"),
        ("EVALUATE.TRADITION_GAUS1D.SIGMA", 1e9, r"must be from 0.01 to 1000 \(default 3\)"),
        ("REFINE.MAX_GAP", 1e308, "must be from 0 to 3600"),
        ("REFINE.FPS", 1e-300, "must be from 0.1 to 10000, or 0"),
        ("MODEL.DROPOUT", 1, "must be from 0 to 0.99, or -1"),
        ("REFINE.LAG", -2, "or -1"),
    ],
)
def test_numbers_that_cannot_be(key, value, message):
    with pytest.raises(UserError, match=f"^{key} .*{message}"):
        Request("train", [key, str(value)])


def test_every_number_has_a_range_and_its_default_lies_in_it():
    for key, value in config.flatten(config.defaults()):
        if isinstance(value, int | float) and not isinstance(value, bool):
            default, lowest, highest, off = config.numbers()[key]
            assert value == default and (lowest <= value <= highest or value == off), key


def test_whole_numbers_do_not_pass_through_floats():
    assert Request("train", ["SEED_VALUE", str(2**53 + 1)]).config().SEED_VALUE == 2**53 + 1


def test_where_the_keys_are_listed(root, monkeypatch, tmp_path):
    """An installed package has no lib/config.py."""
    monkeypatch.chdir(root)
    assert str(config.where()) == str(Path("lib", "config.py"))
    monkeypatch.chdir(tmp_path)
    assert config.where().is_file()
