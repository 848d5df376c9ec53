"""Mutations of files that know how the file is built, so that most of them reach beyond the first check.

`mutate(path, dice)` changes a file (or one of a folder) in place and says in a few words what was done; dice: a
`random.Random`. The samples are our own, so that pickle and torch may load them here.
"""

import csv
import io
import json
import pickle
import zipfile

import numpy as np
import torch
import yaml

# What stands where something else was expected.
STRANGE = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**70, 10**400, 1e308, -1e308, 1e-300, float("nan"), float("inf"), 0.5, "", "1",
    "nan", "x" * 3000, "\ud800", "\x1b[31mred\x07", "a\nb", [], {}, [[]], [None], [1], [1, 2, 3], [[1, 2], [3]], {"x": 1},
    {"a": {"b": []}}, [[[[[]]]]], ["1", "2"], [True, False], [1e308] * 3, list(range(300)),
]  # fmt: skip
TEXTS = [
    "",
    "nan",
    "inf",
    "-",
    "1e999",
    "0x10",
    "1_000",
    "9" * 5000,
    "x" * 200_000,
    "\x00",
    "\ufeff",
    "é",
    "1,2",
    '"',
    "1;2",
    "-0",
    "\x1b]0;t\x07",
]
DTYPES = ["i1", "u8", "f2", "f4", "f8", "c16", "U8", "S4", "O", "?", ">f4", "M8[s]"]


def mutate(path, dice):
    if path.is_dir():
        files = sorted(path.iterdir())
        if dice.random() < 0.1:
            odd = path / dice.choice(["._walk_000000000005_keypoints.json", "x.json", "999999999999.json", "a.txt"])
            odd.write_bytes(dice.choice([b"", b"{}", b"[]", b"\x00\x05\x16\x07", files[0].read_bytes()]))
            return f"file {odd.name} added"
        path = dice.choice(files)
    content = path.read_bytes()
    if dice.random() < 0.2:
        path.write_bytes(damaged(content, dice))
        return "bytes"
    change = {
        ".json": of_json, ".jsonl": of_lines, ".npz": of_npz, ".npy": of_npy, ".pkl": of_pickle, ".pt": of_torch, ".tar": of_torch,
        ".yaml": of_yaml, ".csv": of_table, ".trc": of_table, ".mot": of_table, ".sto": of_table, ".txt": of_table, ".pk": of_pickle,
        ".tsv": of_table, ".skeleton": of_table, ".h5": of_hdf5, ".slp": of_hdf5, ".pose": of_numbers, ".c3d": of_numbers,
    }.get(path.suffix)  # fmt: skip
    try:
        content, said = change(content, dice) if change else (damaged(content, dice), "bytes")
    except Exception:  # what cannot be written in this format, such as a tree of 2000 levels
        content, said = damaged(content, dice), "bytes"
    path.write_bytes(content)
    return said


def damaged(content, dice):
    """Bytes flipped, cut, doubled, put in or overwritten."""
    content = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 8])):
        at, length = dice.randrange(len(content) + 1), dice.choice([1, 2, 4, 30, 1000])
        kind = dice.choice(["flip", "cut", "drop", "double", "put", "zero"])
        if kind == "flip" and at < len(content):
            content[at] ^= 1 << dice.randrange(8)
        elif kind == "cut":
            del content[max(at, 1) :]
        elif kind == "drop":
            del content[at : at + length]
        elif kind == "double":
            content[at:at] = content[at : at + length]
        elif kind == "put":
            content[at:at] = dice.randbytes(length)
        else:
            content[at : at + length] = bytes(length)
    return bytes(content)


# ---------------------------------------------------------------------------------------------- trees


def places(value, place=()):
    """Where something stands in nested dicts and lists."""
    if isinstance(value, dict | list | tuple):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield (*place, key)
            yield from places(item, (*place, key))


def changed(tree, dice, strange=None):
    """The tree with one to four places changed."""
    strange = strange or (lambda old: dice.choice(STRANGE))
    for _ in range(dice.choice([1, 1, 1, 2, 4])):
        found = list(places(tree))
        if not found:
            return strange(tree)
        place = min(dice.choices(found, k=dice.choice([1, 4, 20])), key=len)  # high up as often as deep down
        tree = at_place(tree, place, dice, strange)
    return tree


def at_place(tree, place, dice, strange):
    key, *rest = place
    if isinstance(tree, tuple):
        return tuple(at_place(list(tree), place, dice, strange))
    if rest:
        tree[key] = at_place(tree[key], rest, dice, strange)
        return tree
    kind = dice.choice(["strange", "strange", "strange", "drop", "double", "rename", "wrap", "deep", "number"])
    if kind == "drop":
        del tree[key]
    elif kind == "double" and isinstance(tree, list):
        tree[key:key] = [tree[key]] * dice.choice([1, 2, 50])
    elif kind == "rename" and isinstance(tree, dict):
        tree[dice.choice(["pose", "fps", "id", "t", "keypoints", 7, ""])] = tree.pop(key)
    elif kind == "wrap":
        tree[key] = dice.choice([[tree[key]], {"a": tree[key]}])
    elif kind == "deep":
        for _ in range(dice.choice([3, 200, 2000])):
            tree[key] = [tree[key]]
    elif kind == "number" and isinstance(tree[key], int | float):
        tree[key] = tree[key] * dice.choice([-1, 0, 1e3, 1e-3, 1e6, 1e30, 2**40])
    else:
        tree[key] = strange(tree[key])
    return tree


def of_json(content, dice):
    text = json.dumps(changed(json.loads(content), dice))
    if dice.random() < 0.05:
        number = dice.choice(
            [word for word in text.replace(",", " ").replace("]", " ").split() if word[:1].isdigit()] or ["0"]
        )
        text = text.replace(number, "7" * dice.choice([400, 5000]), 1)
    return text.encode("utf-8", "surrogatepass"), "tree"


def of_lines(content, dice):
    lines = content.splitlines()
    for _ in range(dice.choice([1, 3])):
        at = dice.randrange(len(lines))
        lines[at] = (
            dice.choice([of_json, lambda line, dice: (damaged(line, dice), "")])(lines[at] or b"{}", dice)[0] or b"{}"
        )
        if lines[at][:1] not in b"{[":
            break
    return b"\n".join(lines), "line"


def of_yaml(content, dice):
    if dice.random() < 0.3:
        odd = [
            "&a [*a]",
            "!!bool x",
            "!!python/name:os.system",
            "!!binary =",
            "!!timestamp 1",
            "{<<: 1}",
            "*b",
            "? [1]",
            "9" * 5000,
        ]
        lines = content.decode().splitlines()
        lines.insert(dice.randrange(len(lines) + 1), f"{dice.choice(['SEED_VALUE', 'TRAIN', 'x'])}: {dice.choice(odd)}")
        return "\n".join(lines).encode(), "tag"
    return yaml.safe_dump(changed(yaml.safe_load(content), dice)).encode("utf-8", "replace"), "tree"


# --------------------------------------------------------------------------------------------- arrays


def strange_array(array, dice):
    """An array of another type, shape or content."""
    if not isinstance(array, np.ndarray) or array.dtype.hasobject and array.ndim == 0:
        return dice.choice(STRANGE)
    kind = dice.choice(["dtype", "shape", "value", "value", "cut", "strange"])
    with np.errstate(all="ignore"):
        try:
            if kind == "dtype":
                return array.astype(dice.choice(DTYPES))
            if kind == "shape":
                return dice.choice(
                    [
                        array[None],
                        array.ravel(),
                        array.T,
                        array[..., None],
                        array[:0],
                        array[..., :1],
                        array.reshape(1, -1),
                        array[0],
                    ]
                )
            if kind == "cut":
                return np.delete(array, dice.randrange(array.shape[-1]), axis=-1)
            if kind == "value" and array.dtype.kind in "fiu":
                new = array.astype(float)
                span = slice(None) if dice.random() < 0.3 else slice(0, dice.choice([1, 3, 40]))
                new.reshape(-1)[span] = dice.choice([np.nan, np.inf, -np.inf, 0, -1, 1e30, 1e308, 1e-310, 5])
                return new.astype(dice.choice([float, np.float32]))
        except (ValueError, TypeError, IndexError, OverflowError):
            pass  # not of this array: something else is put in its place
    return np.array(dice.choice([1.0, [1, 2], "text", [[[1.0, 2.0]]], np.nan]))


def of_arrays(arrays, dice):
    for _ in range(dice.choice([1, 1, 2])):
        key = dice.choice(sorted(arrays))
        kind = dice.choice(["array", "array", "element", "drop", "add", "copy"])
        if kind == "drop" and len(arrays) > 1:
            del arrays[key]
        elif kind == "add":
            name = dice.choice(
                ["fps", "timestamps", "scores", "frame_rate", "keypoints", "poses", "imgname", "bbox", "\x1b[1m"]
            )
            arrays[name] = np.array(
                dice.choice([np.inf, np.nan, -1, 1e-300, 1e300, "x", [1.0, 2.0], np.zeros((12, 17)), 30.0])
            )
        elif kind == "copy":
            arrays[dice.choice(["joints_2d", "pose", "positions_2d", "arr_0"])] = arrays[key]
        elif kind == "element" and arrays[key].dtype.hasobject and arrays[key].size:
            flat = arrays[key].copy().reshape(-1)
            place = dice.randrange(len(flat))
            old = flat[place]
            flat[place] = changed(old, dice) if isinstance(old, dict) else strange_array(old, dice)
            arrays[key] = flat.reshape(arrays[key].shape)
        else:
            arrays[key] = strange_array(arrays[key], dice)
    return arrays


def of_npz(content, dice):
    if dice.random() < 0.15:
        return with_header(content, dice), "header"
    with np.load(io.BytesIO(content), allow_pickle=True) as stored:
        arrays = of_arrays(dict(stored), dice)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue(), "array"


def with_header(content, dice):
    """The archive with one member's head changed, its checks anew."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
        spoilt = dice.choice(old.namelist())
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, changed_header(part, dice) if name == spoilt else part)
    return buffer.getvalue()


def changed_header(content, dice):
    if dice.random() < 0.3:
        return damaged(content[:200], dice) + content[200:]
    head = dice.choice([
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3), }", "{'descr': (), 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }", "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (3,), }", "{'descr': '<U999999999', 'fortran_order': False, 'shape': (1,), }",
        "(" * 500, "-" * 5000 + "1", "{'descr'", "", "{'descr': '<f8', 'fortran_order': 1, 'shape': 3, }",
    ])  # fmt: skip
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + content[128:]


def of_npy(content, dice):
    if dice.random() < 0.25:
        return changed_header(content, dice), "header"
    buffer = io.BytesIO()
    np.save(buffer, strange_array(np.load(io.BytesIO(content)), dice), allow_pickle=True)
    return buffer.getvalue(), "array"


# ------------------------------------------------------------------------------------------- pickles

SNIPPETS = [
    b"cos\nsystem\n(S'touch executed'\ntR", b"c__builtin__\neval\n(S'1'\ntR", b"cnumpy\nload\n(S'x'\ntR", b")\x85\x86\x86", b"h\x00h\x00\x86\x94",
    b"c_codecs\nencode\n}b", b"cbuiltins\nbytearray\n(J\xff\xff\xff\x7ftR", b"r\xff\xff\xff\x7f", b"cnumpy\nndarray\n(J\x00\x00\x00\x10tR", b"}(h\x00h\x00u",
    b"\x8e\xff\xff\xff\xff\xff\x00\x00\x00", b"\x96\xff\xff\xff\xff\x0f\x00\x00\x00", b"2\x86" * 40, b"cbuiltins\nlist\n", b"Q", b"\x82\x01", b"(" * 50,
]  # fmt: skip


def of_pickle(content, dice):
    if dice.random() < 0.4:
        at = dice.randrange(2, len(content))
        return content[:at] + dice.choice(SNIPPETS) + content[at:], "steps"
    tree = changed(
        pickle.loads(content),
        dice,
        lambda old: strange_array(old, dice) if dice.random() < 0.7 else dice.choice(STRANGE),
    )
    return pickle.dumps(tree, dice.randrange(6)), "tree"


def strange_tensor(old, dice):
    if not isinstance(old, torch.Tensor) or dice.random() < 0.3:
        return dice.choice(
            [*STRANGE, torch.zeros(1).expand(10**10), torch.zeros(3).to_sparse(), torch.empty(3, device="meta")]
        )
    return dice.choice([
        lambda: old.bfloat16(), lambda: old.half(), lambda: old.double(), lambda: old.int(), lambda: old.flatten(), lambda: old[None],
        lambda: old * float("nan"), lambda: old * 1e38, lambda: old[:0], lambda: old.to(torch.complex64), lambda: old.bool(), lambda: old.T,
        lambda: old[..., :1], lambda: torch.cat([old, old]),
    ])()  # fmt: skip


def of_torch(content, dice):
    tree = torch.load(io.BytesIO(content), weights_only=True)
    if dice.random() < 0.5 and isinstance(tree.get("state_dict"), dict):
        name = dice.choice(list(tree["state_dict"]))
        tree["state_dict"][name] = strange_tensor(tree["state_dict"][name], dice)
    else:
        tree = changed(tree, dice, lambda old: strange_tensor(old, dice))
    buffer = io.BytesIO()
    torch.save(tree, buffer)
    return buffer.getvalue(), "tree"


# ------------------------------------------------------------------------------------- binary files


def of_numbers(content, dice):
    """One to four numbers of the file, mostly of its head, become another of 2, 4 or 8 bytes."""
    content = bytearray(content)
    for _ in range(dice.choice([1, 1, 2, 4])):
        size = dice.choice([2, 4, 4, 8])
        number = dice.choice(
            [0, 1, -1, 2 ** (8 * size - 1) - 1, -(2 ** (8 * size - 1)), dice.randrange(2 ** (8 * size - 1))]
        )
        new = number.to_bytes(size, "little", signed=True)
        if size > 2 and dice.random() < 0.4:
            real = dice.choice([np.nan, np.inf, -np.inf, 1e30, -1.0, 1e-30, 0.0])
            new = np.array(real, "<f4" if size == 4 else "<f8").tobytes()
        at = dice.randrange(min(len(content), dice.choice([16, 64, 700, 10**9])))
        content[at : at + size] = new
    return bytes(content), "numbers"


def of_hdf5(content, dice):
    """Datasets and attributes changed, removed, made large without data, or put elsewhere."""
    import h5py

    known = []
    with h5py.File.in_memory(content) as file:
        file.visititems(lambda name, item: known.append(name))
        for _ in range(dice.choice([1, 1, 2])):
            name = dice.choice([name for name in known if name in file])
            item, kind = (
                file[name],
                dice.choice(["cell", "cell", "cell", "array", "drop", "large", "link", "attribute"]),
            )
            if kind == "drop":
                del file[name]
            elif kind == "link":
                del file[name]
                file[name] = dice.choice([h5py.SoftLink("/"), h5py.SoftLink(name), h5py.ExternalLink("other.h5", name)])
                break  # h5py itself crashes where a link into another file is followed from a file in memory
            elif kind == "attribute" or isinstance(item, h5py.Group):
                owner = item if item.attrs else file[dice.choice([n for n in known if n in file and file[n].attrs])]
                key = dice.choice(list(owner.attrs))
                old = owner.attrs[key]
                if isinstance(old, str | bytes):
                    text = old if isinstance(old, bytes) else old.encode()
                    owner.attrs[key] = np.void(damaged(text, dice) or b"x")
                    if text[:1] in b"{[":
                        owner.attrs[key] = of_json(text, dice)[0].decode("utf-8", "replace")
                else:
                    owner.attrs[key] = dice.choice([0, -1, np.nan, "x", [1, 2]])
            elif kind == "large":
                dtype = item.dtype
                del file[name]
                file.create_dataset(
                    name, dice.choice([(10**5, 10**6), (10**8,), (3, 2, 17, 10**7)]), dtype, chunks=True
                )
            elif item.nbytes > 2**24:
                continue  # made large before: all its numbers would be written into the file
            elif kind == "array" or not item.size:
                array = strange_array(item[()], dice)
                del file[name]
                file[name] = array
            else:
                array = item[()]
                flat = array.reshape(-1)
                place = dice.randrange(len(flat))
                if array.dtype.names:
                    field = dice.choice(array.dtype.names)
                    flat[field][place] = _number_of(flat[field].dtype, dice)
                elif array.dtype.kind == "O":
                    flat[place] = of_json(b'["%d", {"a": 1}]' % place, dice)[0]
                else:
                    flat[place] = _number_of(array.dtype, dice)
                item[...] = flat.reshape(array.shape)
        file.flush()
        return file.id.get_file_image(), "tables"


def _number_of(dtype, dice):
    """A number, or a text, at the edge of what a type holds."""
    if dtype.kind in "iu":
        return dice.choice([0, 1, 5, 300, np.iinfo(dtype).max, np.iinfo(dtype).min])
    return dice.choice([np.nan, np.inf, -np.inf, 1e30, 0, -1, 5])


# -------------------------------------------------------------------------------------------- tables


def of_table(content, dice):
    text = content.decode("utf-8-sig")
    delimiter = max(",;\t ", key=text.count)
    rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for _ in range(dice.choice([1, 1, 3])):
        row = dice.choice([0, 1, 2, 3, 4, dice.randrange(len(rows))]) % len(rows)
        kind = dice.choice(["cell", "cell", "cell", "column", "drop", "double", "swap", "short"])
        if not rows[row]:
            continue
        cell = dice.randrange(len(rows[row]))
        if kind == "cell":
            rows[row][cell] = (
                dice.choice(TEXTS)
                if dice.random() < 0.6
                else rows[dice.randrange(len(rows))][:1][0:1][0]
                if rows[0]
                else ""
            )
        elif kind == "column":
            for other in rows:
                del other[cell : cell + 1]
        elif kind == "drop" and len(rows) > 1:
            del rows[row]
        elif kind == "double":
            rows[row:row] = [list(rows[row])] * dice.choice([1, 3])
        elif kind == "swap":
            rows[row], rows[-1] = rows[-1], rows[row]
        else:
            del rows[row][cell:]
        rows = rows or [[""]]
    out = io.StringIO()
    csv.writer(
        out, delimiter=delimiter, lineterminator=dice.choice(["\n", "\n", "\r\n"]), quoting=csv.QUOTE_MINIMAL
    ).writerows(rows)
    return out.getvalue().encode("utf-8", "surrogatepass"), "cells"
