"""The documents: links lead somewhere, and commands are ones that exist."""

import re
import shlex
from pathlib import Path

import pytest

from lib.command_line import Request
from lib.commands import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "data").rglob("README.md")])
SCRIPTS = {
    "train_smoothnet.py": "train",
    "eval_smoothnet.py": "eval",
    "visualize_smoothnet.py": "visualize",
    "refine_smoothnet.py": "refine",
    "synsp train": "train",
    "synsp evaluate": "eval",
    "synsp visualize": "visualize",
    "synsp refine": "refine",
}


def commands(page):
    """The commands in the indented blocks of a page, their continued lines joined, without comments."""
    text = re.sub(r"\\\n\s*", " ", page.read_text(encoding="utf-8"))
    for line in re.findall(r"^    (?:\$ |.*\| )?((?:python \w+_smoothnet\.py|synsp \w+).*)$", text, flags=re.MULTILINE):
        yield shlex.split(line.split(" | ")[0], comments=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_exist(page, monkeypatch):
    monkeypatch.chdir(ROOT)
    for program, name, *words in commands(page):
        if program == "synsp":
            assert name in cli.COMMANDS
        if (key := name if program == "python" else f"synsp {name}") in SCRIPTS:
            Request(SCRIPTS[key], words)  # refuses unknown flags, keys and YAML files
            assert not any("<" in word for word in words), (page.name, words)


def test_some_commands_are_found():
    assert sum(len(list(commands(page))) for page in PAGES) > 15


def test_the_readme_is_short_and_its_pictures_small():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
    assert all(picture.stat().st_size < 300_000 for picture in (ROOT / "docs" / "pictures").iterdir())
