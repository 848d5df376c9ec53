"""The house: which room may import which, no import circles, and no comparison with a kind's name outside its table."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LIB = ROOT / "lib"

# From the ground up: a room imports what stands before it, never what stands after.
FLOORS = (
    "poses",
    "windows",
    "filters",
    "models",
    "dataset",
    "formats",
    "tracks",
    "pairs",
    "training",
    "evaluation",
    "visualize",
    "commands",
)
MODULES = sorted(LIB.rglob("*.py"))


def dotted(path):
    parts = path.relative_to(LIB).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path):
    """The modules of lib that a module imports anywhere in it, as dotted names."""
    package = list(path.relative_to(LIB).parent.parts)
    known = {dotted(module) for module in MODULES}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1] + (node.module.split(".") if node.module else [])
        for alias in node.names:
            inner = ".".join([*base, alias.name])
            yield inner if inner in known else ".".join(base)


def test_inside_lib_every_import_is_relative():
    """So that the same folder can be installed as `synsp`."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            assert not [name for name in names if name.split(".")[0] in ("lib", "synsp")], path


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_a_lower_floor_never_imports_a_higher_one(path):
    room = path.relative_to(LIB).parts[0]
    if room not in FLOORS:  # the doors beside the rooms (api, config, run, …)
        return
    for target in imports(path):
        other = target.split(".")[0]
        if other in FLOORS:
            assert FLOORS.index(other) <= FLOORS.index(room), f"{dotted(path)} imports {target}"


def test_every_room_has_a_floor():
    rooms = {path.parent.name for path in LIB.glob("*/__init__.py")}
    assert rooms == set(FLOORS)


def test_no_import_circles():
    graph = {dotted(path): {target for target in imports(path) if target != dotted(path)} for path in MODULES}
    done, path = set(), []

    def visit(module):
        assert module not in path, f"circle: {' -> '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        for target in sorted(graph.get(module, ())):
            visit(target)
        path.pop()
        done.add(module)

    for module in sorted(graph):
        visit(module)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_no_comparison_with_a_kinds_name_outside_the_table(path):
    """What differs between kinds is asked of lib/poses/kinds.py. Readers compare the keys of foreign files."""
    if path.relative_to(LIB).parts[0] == "formats":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            values = [part for side in (node.left, *node.comparators) for part in ast.walk(side)]
            named = [part.value for part in values if isinstance(part, ast.Constant)]
            assert not set(named) & {"2D", "3D", "smpl"}, f"{path}:{node.lineno}"


def test_networks_are_not_recognised_by_hasattr():
    for path in MODULES:
        if path.relative_to(LIB).parts[0] in ("windows", "models", "training", "tracks", "evaluation"):
            assert "hasattr(" not in path.read_text(encoding="utf-8"), path


def test_constructors_of_many_arguments_are_keyword_only():
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name == "__init__":
                positional = len(node.args.posonlyargs) + len(node.args.args) - 1
                assert positional <= 5 or node.args.vararg, (
                    f"{path}:{node.lineno} takes {positional} positional arguments"
                )
