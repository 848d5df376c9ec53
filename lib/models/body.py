"""The body behind SMPL rotations: joints and vertices in metres from poses and shapes.

`load_body` loads the user's licensed SMPL file with `smplx.SMPL`; without one it loads the Apache-2.0 figure of the
package mannequin-x instead. Both have the same interface (`Body`); printed numbers name the one they came from
(`Body.name`).
"""

import contextlib
import io
from pathlib import Path

import numpy as np
import torch

from ..errors import UserError, reading
from ..poses.rotations import axis_angle_to_matrix
from ..poses.skeletons import LAYOUTS
from . import smpl_file
from .smpl_file import BETAS

MODEL_FILES = (
    "SMPL_NEUTRAL.pkl",
    "SMPL_NEUTRAL.npz",
    "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl",
    "basicmodel_neutral_lbs_10_207_0_v1.1.0.pkl",
)
EXTRA_REGRESSOR = "J_regressor_extra.npy"
JOINTS = LAYOUTS["smpl24"].joints
EVALUATION_JOINTS = LAYOUTS["lsp14"].joints
# Of SPIN's 49 joints these 14 are [11,10,9,12,13,14,4,3,2,5,6,7,1,38]: thirteen are joints of SMPL itself,
# and the last, the top of the head, is row 3 of J_regressor_extra.
_PICKED = [JOINTS.index(name) for name in EVALUATION_JOINTS[:-1]]
_HEAD_TOP_ROW = 3
# Skinning needs about 40 numbers per vertex in memory.
_BYTES_A_VERTEX = 160


def load_body(smpl_model_dir, allow_stand_in=True):
    """The body model that poses are applied to: a `Body`.

    smpl_model_dir: folder with the licensed neutral model under one of the names in `MODEL_FILES`, and
    SPIN's J_regressor_extra.npy. Raises UserError when the model is missing and `allow_stand_in` is false,
    and when a file there cannot be read, holds anything but plain data or is not an SMPL model.
    """
    folder = Path(smpl_model_dir)
    path = next((folder / name for name in MODEL_FILES if (folder / name).is_file()), None)
    if path is not None:
        with reading(path, "a SMPL model"):
            return _smpl_body(path, folder / EXTRA_REGRESSOR)
    missing = (
        f"{folder}: no SMPL model (looked for {', '.join(MODEL_FILES)}). Register at "
        "https://smpl.is.tue.mpg.de, download the neutral model and copy it there, with "
        f"{EXTRA_REGRESSOR} from the data of https://github.com/nkolot/SPIN"
    )
    if not allow_stand_in:
        raise UserError(
            f"{missing}. Not needed for 2D and 3D; SMPL rotations are scored on a "
            "stand-in body without them (numbers are marked mannequin)"
        )
    return _mannequin_body(
        note=f"{missing}. Until then a stand-in body is used: its numbers are marked "
        "mannequin and cannot be compared with those on SMPL"
    )


class Body:
    """A posable body.

    Poses are [N, 72] axis-angle (24 joints, the root first), shapes [N, 10] or None for the mean body,
    translations [N, 3] in metres or None; arrays or tensors, on any device. Results are float32 tensors on
    the device of the pose, without gradient. As in SMPL the root turns about the pelvis joint, which stays at
    its place in the rest pose, and the translation is added at the end.

    name: 'smpl' or 'mannequin'; note: a line for the log about what is missing, '' for SMPL; faces: int64
    [F, 3]; joint_names: the 24 of `joints`; evaluation_joint_names: the 14 of `evaluation_joints`.
    """

    joint_names = JOINTS
    evaluation_joint_names = EVALUATION_JOINTS

    def __init__(self, name, faces, *, whole, sparse, head_top, note="", max_bytes=2**26):
        """whole: module (pose [B, 24, 3], shape [B, 10]) -> joints [B, 24, 3], vertices [B, Nv, 3];
        sparse: the same with the few vertices that joints depend on; head_top: weights of the top of the head
        over those, or a UserError to raise when it is asked for; max_bytes: memory for one batch of frames.
        """
        self.name, self.faces, self.note, self.max_bytes = name, faces, note, max_bytes
        self._whole, self._sparse, self._head_top = whole, sparse, head_top

    def joints(self, pose, shape=None, trans=None):
        """The 24 SMPL joints, [N, 24, 3] metres."""
        batches = self._batches(self._sparse, lambda joints, vertices: joints, pose, shape, trans)
        return self._gather(batches, pose, len(JOINTS))

    def evaluation_joints(self, pose, shape=None, trans=None):
        """The 14 joints that SMPL results are scored on (layout lsp14), [N, 14, 3] metres.

        On SMPL, the published choice: 13 of its joints and the top of the head by J_regressor_extra. On the
        mannequin the joints of the same names, and the highest vertex of the head in the rest pose.
        Raises UserError when there is an SMPL model but no J_regressor_extra.npy.
        """
        if isinstance(self._head_top, UserError):
            raise self._head_top

        def pick(joints, vertices):
            head_top = self._head_top.to(vertices.device) @ vertices
            return torch.cat((joints[:, _PICKED], head_top[:, None]), dim=1)

        batches = self._batches(self._sparse, pick, pose, shape, trans)
        return self._gather(batches, pose, len(EVALUATION_JOINTS))

    def vertices(self, pose, shape=None, trans=None):
        """All vertices, [N, Nv, 3] metres (80 kB per frame on SMPL, 290 kB on the mannequin)."""
        return self._gather(self.vertex_batches(pose, shape, trans), pose, self._whole.size)

    def vertex_batches(self, pose, shape=None, trans=None):
        """Yield (frames, vertices [b, Nv, 3]) over slices `frames` of the sequence, where all vertices
        together would not fit in memory. Sequences of one length are cut at the same places.
        """
        return self._batches(self._whole, lambda joints, vertices: vertices, pose, shape, trans)

    def _batches(self, module, pick, pose, shape, trans):
        pose = torch.as_tensor(pose, dtype=torch.float32)
        frames = len(pose)
        if pose.numel() != frames * 72:
            raise ValueError(f"pose is {tuple(pose.shape)}, not [N, 72]")
        pose = pose.reshape(frames, 24, 3)
        shape = torch.zeros(BETAS) if shape is None else torch.as_tensor(shape, dtype=torch.float32)
        shape = shape.to(pose.device).broadcast_to(frames, BETAS)
        if trans is not None:
            trans = torch.as_tensor(trans, dtype=torch.float32, device=pose.device).broadcast_to(frames, 3)
        module.to(pose.device)
        size = max(1, self.max_bytes // (_BYTES_A_VERTEX * (module.size + 24)))
        for start in range(0, frames, size):
            part = slice(start, min(start + size, frames))
            with torch.no_grad():
                points = pick(*module(pose[part], shape[part]))
            # Outside the block: a generator left within it would keep gradients off for its caller.
            yield part, points if trans is None else points + trans[part, None]

    @staticmethod
    def _gather(batches, pose, points):
        device = pose.device if isinstance(pose, torch.Tensor) else None
        result = torch.empty(len(pose), points, 3, device=device)
        for frames, batch in batches:
            result[frames] = batch
        return result


# SMPL


def _smpl_body(path, extra_path):
    data = smpl_file.read(path)
    count = len(data["v_template"])
    used = (data["J_regressor"] != 0).any(axis=0)
    if extra_path.is_file():
        row = smpl_file.extra_regressor(extra_path, count)[_HEAD_TOP_ROW]
        used |= row != 0
        head_top = torch.tensor(row[used], dtype=torch.float32)
    else:
        head_top = UserError(
            f"{extra_path}: not found; it defines the top of the head, which joint errors on SMPL need (videos and MPVPE do "
            "not). Get it with the data of https://github.com/nkolot/SPIN, or set SMPL_MODEL_DIR to an empty folder to "
            "score on the stand-in body"
        )
    # Joints need the vertices that a regressor looks at and no others, a tenth of the body.
    sparse = {key: data[key][used] for key in ("v_template", "shapedirs", "posedirs", "weights")}
    sparse.update(
        J_regressor=data["J_regressor"][:, used], f=np.zeros((0, 3), np.int64), kintree_table=data["kintree_table"]
    )
    return Body("smpl", data["f"], whole=_Smpl(data), sparse=_Smpl(sparse), head_top=head_top)


class _Smpl(torch.nn.Module):
    """`smplx.SMPL` on arrays that are already in memory."""

    def __init__(self, data):
        super().__init__()
        import smplx  # only where there is a licensed model

        self.size = len(data["v_template"])
        # smplx appends picked vertices to its joints; none of them is an evaluation joint.
        picks = dict.fromkeys(("nose", "reye", "leye", "rear", "lear"), 0)
        with contextlib.redirect_stdout(io.StringIO()):  # it prints that there are ten shape numbers
            self.smpl = smplx.SMPL(
                "",
                data_struct=smplx.utils.Struct(**data),
                num_betas=BETAS,
                vertex_ids=picks,
                use_hands=False,
                use_feet_keypoints=False,
                create_betas=False,
                create_global_orient=False,
                create_body_pose=False,
                create_transl=False,
            )

    def forward(self, pose, shape):
        output = self.smpl(betas=shape, global_orient=pose[:, 0], body_pose=pose[:, 1:].flatten(1))
        return output.joints[:, :24], output.vertices


# The stand-in


def _mannequin_body(note):
    from mannequin import Mannequin  # only where there is no licensed model

    figure = Mannequin("wooden", flat_hand_mean=True)
    rest = figure.rest_pose()
    vertices = torch.tensor(figure.vertices(rest), dtype=torch.float32)
    places = torch.tensor(figure.joint_transforms(rest)[:24, :3, 3], dtype=torch.float32)
    # Hands and fingers do not bend, so what hangs on them hangs on the wrist.
    owner = list(range(len(figure.parents)))
    for joint in range(22, len(owner)):
        owner[joint] = owner[figure.parents[joint]]
    weights = torch.zeros(len(vertices), 24)
    # mannequin-x has no public way to its skin weights.
    weights.scatter_add_(
        1, torch.tensor(owner)[figure._skin_joint_indices], torch.tensor(figure._skin_weights, dtype=torch.float32)
    )
    on_head = weights[:, JOINTS.index("head")] > 0.5
    head_top = int(torch.where(on_head, vertices[:, 1], -torch.inf).argmax())
    whole = _Mannequin(places, vertices, weights)
    sparse = _Mannequin(places, vertices[head_top, None], weights[head_top, None])
    return Body("mannequin", figure.faces, whole=whole, sparse=sparse, head_top=torch.ones(1), note=note)


class _Mannequin(torch.nn.Module):
    """Linear blend skinning of one figure; it has one size, and shapes are ignored (they are SMPL's own)."""

    def __init__(self, places, vertices, weights):
        """places: joints at rest [24, 3]; vertices: at rest [Nv, 3]; weights: [Nv, 24]."""
        super().__init__()
        self.size = len(vertices)
        self.parents = LAYOUTS["smpl24"].parents
        self.register_buffer("places", places)
        homogeneous = torch.cat((vertices, torch.ones(len(vertices), 1)), dim=1)
        self.register_buffer("basis", (weights[:, :, None] * homogeneous[:, None]).flatten(1))

    def forward(self, pose, shape):
        turns = list(axis_angle_to_matrix(pose).unbind(1))
        joints = [self.places[0].expand(len(pose), 3)]
        for joint, parent in enumerate(self.parents[1:], start=1):
            offset = self.places[joint] - self.places[parent]
            joints.append(joints[parent] + turns[parent] @ offset)
            turns[joint] = turns[parent] @ turns[joint]
        turns, joints = torch.stack(turns, dim=1), torch.stack(joints, dim=1)
        # A vertex is sum_j w_j (R_j v + t_j), linear in all R_j and t_j: one matrix product for the batch.
        shifts = joints - (turns @ self.places[:, :, None])[..., 0]
        moves = torch.cat((turns, shifts[..., None]), dim=-1).transpose(1, 2).flatten(2)
        return joints, (moves.flatten(0, 1) @ self.basis.T).unflatten(0, (len(pose), 3)).mT
