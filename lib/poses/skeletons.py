"""Skeleton layouts: names, bones, roots and sides of the joint orders that the published data use."""

from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class Layout:
    """One joint order.

    name: the layout's name; joints: J joint names, with their side as a prefix (`left_`, `right_`);
    edges: bones as pairs of joint indices; root: the joints whose mean is the root.
    """

    name: str
    joints: tuple
    edges: tuple = ()
    root: tuple = (0,)

    @property
    def size(self):
        """J, the number of joints."""
        return len(self.joints)

    @cached_property
    def sides(self):
        """'left', 'right' or 'middle' for each joint, a tuple of J."""
        return tuple(
            next((side for side in ("left", "right") if name.startswith(side + "_")), "middle") for name in self.joints
        )

    @cached_property
    def mirror(self):
        """The joint order after left and right changed places, a tuple of J indices."""
        return tuple(self.joints.index(name) for name in self._mirrored_names)

    @cached_property
    def _mirrored_names(self):
        other = {"left": "right", "right": "left"}
        return tuple(
            name if side == "middle" else name.replace(side, other[side], 1)
            for name, side in zip(self.joints, self.sides)
        )

    @cached_property
    def lines(self):
        """What pictures draw: the bones, and their mirror images where the published bones lack them, pairs of indices."""
        places = {name: place for place, name in enumerate(self.joints)}
        mirrored = [tuple(places.get(self._mirrored_names[joint]) for joint in edge) for edge in self.edges]
        known = {frozenset(edge) for edge in self.edges}
        return (*self.edges, *(edge for edge in mirrored if None not in edge and frozenset(edge) not in known))

    @cached_property
    def parents(self):
        """The parent of each joint on the way to the first root joint, -1 where there is none; a tuple of J."""
        neighbours = {joint: [] for joint in range(self.size)}
        for a, b in self.edges:
            neighbours[a].append(b)
            neighbours[b].append(a)
        parents, seen, queue = [-1] * self.size, {self.root[0]}, [self.root[0]]
        while queue:
            joint = queue.pop(0)
            for child in neighbours[joint]:
                if child not in seen:
                    seen.add(child)
                    parents[child] = joint
                    queue.append(child)
        return tuple(parents)

    @property
    def is_tree(self):
        """Whether bones join every joint to the first root joint."""
        return self.parents.count(-1) == 1


def _layout(name, joints, edges, root=(0,)):
    """A layout from one string of joint names (r_/l_ for right_/left_) and one of bones (`0-1 1-2`)."""
    full = {"r": "right_", "l": "left_"}
    names = tuple(full[part[0]] + part[2:] if part[1:2] == "_" else part for part in joints.split())
    return Layout(name, names, tuple(tuple(map(int, edge.split("-"))) for edge in edges.split()), root)


LAYOUTS = {
    layout.name: layout
    for layout in (
        _layout(
            "h36m17",
            "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax nose head "
            "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
            "0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 9-10 8-11 11-12 12-13 8-14 14-15 15-16",
        ),
        _layout(
            "h36m16",
            "pelvis r_hip r_knee r_ankle l_hip l_knee l_ankle spine thorax head "
            "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist",
            "0-1 1-2 2-3 0-4 4-5 5-6 0-7 7-8 8-9 8-10 10-11 11-12 8-13 13-14 14-15",
        ),
        _layout(
            "lsp14",
            "r_ankle r_knee r_hip l_hip l_knee l_ankle r_wrist r_elbow r_shoulder "
            "l_shoulder l_elbow l_wrist neck head_top",
            "0-1 1-2 2-3 3-4 4-5 2-8 3-9 6-7 7-8 9-10 10-11 9-12 12-13",
            root=(2, 3),
        ),
        # `DATASET.JOINT_ORDER: aist14`: the 14 joints of mpi17 that published models were trained on, left leg first.
        _layout(
            "aist14",
            "l_ankle l_knee l_hip r_hip r_knee r_ankle l_wrist l_elbow l_shoulder "
            "r_shoulder r_elbow r_wrist neck head_top",
            "0-1 1-2 2-3 3-4 4-5 2-8 3-9 6-7 7-8 9-10 10-11 9-12 12-13",
            root=(2, 3),
        ),
        _layout(
            "mpi17",
            "head_top neck r_shoulder r_elbow r_wrist l_shoulder l_elbow l_wrist "
            "r_hip r_knee r_ankle l_hip l_knee l_ankle pelvis spine head",
            "14-8 8-9 9-10 14-11 11-12 12-13 14-15 15-1 1-16 16-0 1-5 5-6 6-7 1-2 2-3 3-4",
            root=(14,),
        ),
        _layout(
            "jhmdb15",
            "neck belly face r_shoulder l_shoulder r_hip l_hip r_elbow l_elbow "
            "r_knee l_knee r_wrist l_wrist r_ankle l_ankle",
            "2-0 0-1 0-3 0-4 3-7 7-11 4-8 8-12 1-5 1-6 5-9 9-13 6-10 10-14",
            root=(1,),
        ),
        _layout(
            "smpl24",
            "pelvis l_hip r_hip spine1 l_knee r_knee spine2 l_ankle r_ankle spine3 l_foot r_foot neck "
            "l_collar r_collar head l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hand r_hand",
            "0-1 0-2 0-3 1-4 2-5 3-6 4-7 5-8 6-9 7-10 8-11 9-12 9-13 9-14 12-15 13-16 14-17 16-18 17-19 "
            "18-20 19-21 20-22 21-23",
        ),
    )
}


def chain(joints):
    """A layout for J joints of which nothing is known: numbered names, no bones, joint 0 the root."""
    return Layout(f"unknown{joints}", tuple(f"joint_{index}" for index in range(joints)))
