"""How people sit, kneel and lie: angles of legs, pelvis and back, drawn within what joints allow.

Motion capture mostly has people on their feet. `draw` says how somebody rests instead, and resting.py poses a body so. Angles in
degrees; ranges after what is common for healthy adults (hips bend to 125 and turn outwards to 60 when bent, more when sitting cross-legged;
knees to 155).
"""

from dataclasses import dataclass, replace

KINDS = {"seat": 0.5, "floor": 0.15, "knees": 0.1, "lying": 0.25}  # and their shares
TABLE = 0.3  # share of those on a seat who have a table before them
BED = 0.5  # share of the lying who do not lie on the floor


@dataclass(frozen=True)
class Leg:
    """flexion: of the thigh from straight down (lying: straight along the body) towards the front, 90 at a right angle; spread: of
    the bent thigh outwards; aside: of the straight leg outwards; twist: of the thigh about itself, outwards; knee: its bend;
    foot: how far the toes point away, None: the sole is flat on the floor."""

    flexion: float
    knee: float
    spread: float = 0.0
    aside: float = 0.0
    twist: float = 0.0
    foot: float | None = None


@dataclass(frozen=True)
class Posture:
    """How a person rests.

    kind: of `KINDS`; how: in a word or two; legs: (left, right); tilt: of the pelvis backwards, 90 on the back; roll: of a lying
    body about its length; bend: of the back (forwards, to the right); head: how far it is nodded, turned to the left and inclined to the
    right; lively: share of the recording's movement that the upper body keeps; elbows: sides (1 left, -1 right) whose elbow props the
    body up; dangling: m from the soles to the floor; bed: m from the floor to what a lying person lies on; table: of a table in front,
    in lengths of the leg over the seat, 0: none.
    """

    kind: str
    how: str
    legs: tuple
    tilt: float
    roll: float = 0.0
    bend: tuple = (0.0, 0.0)
    head: tuple = (0.0, 0.0, 0.0)
    lively: float = 1.0
    elbows: tuple = ()
    dangling: float = 0.0
    bed: float = 0.0
    table: float = 0.0

    @property
    def lies(self):
        return self.kind == "lying"

    @property
    def on_thighs(self):
        """Whether hands that hang down come to lie on the thighs."""
        return self.kind in ("seat", "floor") or self.how == "on the heels"


def draw(rng):
    """A random `Posture`, for a numpy Generator."""
    kind = rng.choice(list(KINDS), p=list(KINDS.values()))
    return {"seat": _on_seat, "floor": _on_floor, "knees": _on_knees, "lying": _lying}[kind](rng)


def _pair(one, other, rng):
    """Legs as (left, right), of a drawn side each."""
    return (one, other) if rng.random() < 0.5 else (other, one)


def _alike(leg, rng, by=3.0):
    """Two legs of nearly the same angles."""

    def varied():
        return replace(
            leg,
            flexion=leg.flexion + rng.normal(0, by),
            knee=max(0.0, leg.knee + rng.normal(0, by)),
            spread=leg.spread + rng.normal(0, by),
            twist=leg.twist + rng.normal(0, by),
        )

    return varied(), varied()


def _back(rng, tilt):
    """The bend of the back of somebody who sits upright or slumps."""
    return rng.uniform(-5, 20) + 0.5 * max(tilt, 0), rng.normal(0, 4)


def _on_seat(rng):
    how = rng.choice(
        ["feet apart", "feet forward", "knees crossed", "ankle on knee", "dangling"], p=[0.5, 0.15, 0.15, 0.08, 0.12]
    )
    thigh, tilt, dangling = rng.uniform(80, 98), rng.uniform(-5, 25), 0.0
    apart = Leg(thigh, thigh - rng.uniform(-25, 18), spread=rng.uniform(0, 25))
    legs = _alike(apart, rng)
    if how == "feet forward":
        legs = _alike(replace(apart, knee=thigh - rng.uniform(25, 50), foot=rng.uniform(0, 20)), rng)
    elif how == "dangling":
        legs, dangling = _alike(replace(apart, foot=rng.uniform(20, 40)), rng, by=6.0), rng.uniform(0.03, 0.3)
    elif how == "knees crossed":
        under = replace(apart, spread=-rng.uniform(4, 8))
        over = Leg(thigh + rng.uniform(15, 20), thigh - rng.uniform(0, 22), spread=-rng.uniform(13, 19), foot=25.0)
        legs = _pair(under, over, rng)
    elif how == "ankle on knee":
        over = Leg(
            thigh + rng.uniform(14, 20),
            rng.uniform(85, 105),
            spread=rng.uniform(8, 18),
            twist=rng.uniform(68, 82),
            foot=5.0,
        )
        legs = _pair(apart, over, rng)
    table = rng.uniform(0.3, 0.42) if how != "ankle on knee" and rng.random() < TABLE else 0.0
    return Posture("seat", str(how), legs, tilt, bend=_back(rng, tilt), dangling=dangling, table=table)


def _on_floor(rng):
    how = rng.choice(["cross-legged", "legs stretched", "knees up", "legs aside"], p=[0.4, 0.25, 0.25, 0.1])
    tilt = rng.uniform(0, 25)
    if how == "cross-legged":
        one = Leg(97, rng.uniform(115, 128), spread=rng.uniform(42, 55), twist=rng.uniform(78, 90), foot=20.0)
        other = Leg(104, rng.uniform(102, 114), spread=rng.uniform(42, 55), twist=rng.uniform(74, 84), foot=20.0)
        legs = _pair(one, other, rng)
    elif how == "legs stretched":
        legs = _alike(
            Leg(90, rng.uniform(0, 10), spread=rng.uniform(2, 22), twist=rng.uniform(0, 20), foot=20.0), rng, 2.0
        )
    elif how == "knees up":
        up = rng.uniform(35, 58)
        raised = Leg(90 + up, 2 * up + 2, spread=rng.uniform(-5, 15))
        flat = Leg(91, 3, spread=rng.uniform(0, 15), foot=15.0)
        legs = _alike(raised, rng, 1.5) if rng.random() < 0.6 else _pair(raised, flat, rng)
    else:  # both shanks to one side
        side = rng.choice([-1, 1])
        near = Leg(92, rng.uniform(100, 125), spread=rng.uniform(25, 40), twist=84, foot=30.0)
        far = Leg(92, rng.uniform(100, 125), spread=rng.uniform(5, 15), twist=-80, foot=30.0)
        legs = (near, far) if side > 0 else (far, near)
    return Posture("floor", str(how), legs, tilt, bend=_back(rng, tilt))


def _on_knees(rng):
    how = rng.choice(["on the heels", "upright", "one knee"], p=[0.4, 0.3, 0.3])
    tilt = rng.uniform(-8, 8)
    spread = rng.uniform(0, 20)
    if how == "on the heels":
        thigh = rng.uniform(60, 68)
        legs = _alike(Leg(thigh, thigh + 87, spread=spread, foot=85.0), rng, 1.0)
    else:
        thigh = rng.uniform(-4, 10)
        legs = _alike(Leg(thigh, thigh + 88, aside=rng.uniform(0, 10), foot=80.0), rng, 1.0)
        if how == "one knee":
            ahead = Leg(rng.uniform(88, 96), rng.uniform(86, 98), spread=spread)
            legs = _pair(replace(legs[0], flexion=2.0, knee=90.0), ahead, rng)
    return Posture("knees", str(how), legs, tilt, bend=(rng.uniform(-5, 12), rng.normal(0, 4)))


def _lying(rng):
    how = str(rng.choice(list(LYING), p=[share for share, _ in LYING.values()]))
    made = LYING[how][1](rng, how)
    return replace(made, lively=rng.uniform(0.15, 0.6), bed=rng.uniform(0.08, 0.6) if rng.random() < BED else 0.0)


def _straight(rng):
    return Leg(rng.uniform(0, 6), rng.uniform(0, 8), aside=rng.uniform(0, 14), twist=rng.uniform(0, 25), foot=35.0)


def _on_back(rng, how):
    up, fall = rng.uniform(25, 58), rng.uniform(30, 55)
    straight, raised = _straight(rng), Leg(up, 2 * up + 3, spread=rng.uniform(-5, 15), foot=10.0)
    fallen = Leg(fall, 2 * fall, spread=rng.uniform(60, 75), foot=25.0)
    both = [_alike(straight, rng), _alike(raised, rng, 1.5)]
    legs = _choice(rng, [*both, _pair(straight, raised, rng), _pair(straight, fallen, rng)])
    bend, head = (rng.uniform(-3, 6), rng.normal(0, 6)), (rng.uniform(0, 20), rng.normal(0, 20), 0.0)
    return Posture("lying", how, legs, 90, rng.normal(0, 4), bend, head)


def _on_front(rng, how):
    straight = replace(_straight(rng), flexion=5.0, foot=80.0)
    kicked = replace(straight, knee=rng.uniform(60, 100), foot=20.0)
    options = [_alike(straight, rng, 2.0), _alike(kicked, rng, 8.0), _pair(straight, kicked, rng)]
    legs, roll = _choice(rng, options, (0.6, 0.2, 0.2)), 180 + rng.normal(0, 3)
    if how == "on both elbows":
        return Posture("lying", how, legs, 90, roll, head=(-rng.uniform(20, 40), 0.0, 0.0), elbows=(1, -1))
    turned = rng.choice([-1, 1]) * rng.uniform(60, 80)
    return Posture("lying", how, legs, 90, roll, (-5.0, rng.normal(0, 4)), (-12.0, turned, 0.0))


def _on_side(rng, how):
    side = int(rng.choice([-1, 1]))  # which is below: 1 the left
    bent = rng.uniform(5, 70)
    below = Leg(bent, 1.2 * bent + rng.uniform(0, 25), aside=2.0, foot=30.0)
    above = Leg(bent + rng.uniform(-5, 30), 1.2 * bent + rng.uniform(0, 35), spread=-10.0, aside=-8.0, foot=30.0)
    legs = (below, above) if side > 0 else (above, below)
    elbows = (side,) if how == "on one elbow" else ()
    bend = (rng.uniform(-3, 15), 0.0 if elbows else rng.normal(0, 5))
    head = (rng.uniform(-10, 10), 0.0, side * (rng.uniform(10, 30) if elbows else rng.uniform(-10, 15)))
    return Posture("lying", how, legs, 90, side * rng.uniform(75, 95), bend, head, elbows=elbows)


LYING = {  # share, what draws it
    "on the back": (0.38, _on_back),
    "on the side": (0.26, _on_side),
    "on the front": (0.14, _on_front),
    "on one elbow": (0.12, _on_side),
    "on both elbows": (0.1, _on_front),
}


def _choice(rng, options, shares=None):
    """One of a list, of which numpy's `choice` would make an array."""
    return options[rng.choice(len(options), p=shares)]
