"""Which clips test and which train: no subject, and no body, is on both sides."""

from collections import Counter

from ..errors import UserError

SHARE = 0.15  # of the clips for the test, where neither the user nor the clips say which


def divide(metas, test=""):
    """(clips that train, clips that test, clips that neither may use), each a set of names.

    metas: [{"clip", "subject", "body", "split"}]; test: subjects by commas, or a share of the clips in [0, 1), or "": as the
    clips were rendered, else `SHARE`. A clip of other subjects whose body is also in the test is used by neither. Raises
    UserError where one side has no subject.
    """
    subjects = Counter(meta["subject"] for meta in metas)
    chosen = _chosen(metas, subjects, test)
    tests = {meta["clip"] for meta in metas if meta["subject"] in chosen}
    bodies = {meta["body"] for meta in metas if meta["subject"] in chosen}
    left = {meta["clip"] for meta in metas if meta["body"] in bodies} - tests
    trains = {meta["clip"] for meta in metas} - tests - left
    if not trains:
        raise UserError(
            f"--test {test or SHARE}: leaves no clip to train on ({len(tests)} of subjects {_listed(chosen)} test, {len(left)} "
            "others have their bodies). Name fewer subjects, or render more"
        )
    return trains, tests, left


def _chosen(metas, subjects, test):
    """The subjects that test."""
    rendered = {meta["subject"] for meta in metas if meta.get("split") == "test"}
    if not test and rendered and rendered != set(subjects):
        return rendered
    try:
        share = float(test) if test else SHARE
    except ValueError:
        named = {name.strip() for name in test.split(",")}
        unknown = named - set(subjects)
        if unknown:
            raise UserError(f"--test {_listed(unknown)}: no such subject. The clips have {_listed(subjects)}") from None
        return named
    if not 0 <= share < 1:
        raise UserError(f"--test {test}: expected subjects, or a share of the clips from 0 to less than 1")
    if share and len(subjects) < 2:
        raise UserError(
            f"--test {share:g}: all clips are of subject {_listed(subjects)}. Render more subjects, or pass --test 0"
        )
    return _nearest(subjects, share * len(metas))


def _nearest(subjects, wanted):
    """Subjects whose clips come nearest to a number, those of few clips first, so that the test has many persons."""
    found, count = set(), 0
    for subject, clips in sorted(subjects.items(), key=lambda item: (item[1], item[0])):
        if len(found) == len(subjects) - 1 or wanted - count < count + clips - wanted:
            break
        found.add(subject)
        count += clips
    return found if found or not wanted else {min(subjects, key=lambda name: (subjects[name], name))}


def _listed(names, most=12):
    names = sorted(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
