"""Networks for use elsewhere: a lean form of SynSP for single windows, torch.export and ONNX.

The command is `synsp export` (lib/commands/export.py).
"""

import copy
import logging
import warnings

import torch
from torch import nn
from torch.nn import functional

from ..errors import UserError
from ..files import write_bytes
from ..poses.kinds import kind_of
from ..windows.body import scaled
from ..windows.steps import Entered
from .residual import correction_features, slow_part
from .synsp import dct_matrix, positions

EPSILON = 1e-6  # of SynSP's layer norms


class SingleView(nn.Module):
    """The final head of SynSP for one view, [B, W, C] -> [B, W, C], as few and as large operations as there can be.

    The same sums as `SynSP.forward` in another order (equal to rounding): the two encoders run side by side in batched
    products, the keys and values of all decoder layers come from one product, and linear maps that follow each other are
    one. W is fixed. For one window of the full size it takes a third of the general network's time.
    """

    def __init__(self, network, window):
        super().__init__()
        self.window, self.channels = window, network.channels
        model = network.described()
        self.bones, self.corrects = model.get("bones", 0), model.get("corrects", False)
        self.cue, components = model.get("cue", False), model.get("residual_components", 0)
        attention = network.decoder.layer_stack[0].enc_attn
        self.heads, self.d_k, self.d_v = attention.n_head, attention.d_k, attention.d_v
        self.layers = len(network.decoder.layer_stack)
        cpu = torch.device("cpu")
        with torch.no_grad():
            weight, bias = _joined(network.proj_i_a)
            tensors = {
                "dct": dct_matrix(window, cpu).clone(),
                "embed_w": weight.T,
                "embed_b": bias,
                "positions": positions(window, weight.shape[0], cpu).clone(),
            }
            # Without a residual base there is nothing to add, in a product as cheap as any.
            tensors["slow"] = slow_part(window, components, cpu).clone() if components else torch.zeros(window, window)
            if self.cue:
                tensors |= {"cue_w": network.proj_v.weight.T, "cue_b": network.proj_v.bias}
            if self.bones:
                tensors["body_w"] = network.proj_b.weight.T
            if self.corrects:
                tensors |= {"correct_w": network.proj_l.weight, "correct_b": network.proj_l.bias}
            tensors |= _encoder_tensors(network) | _decoder_tensors(network) | _head_tensors(network)
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.detach().clone().contiguous().float())

    def forward(self, x, cue=None, body=None):
        """x: [B, W, C] in the network's common frame; cue: [B, 3], body: [B, K], of a network that is told it."""
        embedded = (self.dct @ x) @ self.embed_w + self.embed_b  # [B, W, d]
        if self.cue:
            embedded = embedded + torch.addmm(self.cue_b, cue, self.cue_w)[:, None]
        if self.bones:
            embedded = embedded + (scaled(body) @ self.body_w)[:, None]
        local, shared = self._encode(embedded + self.positions)
        precise = self._decode("dec", embedded, torch.cat((local, shared + 1.0), dim=1), again=True) + embedded
        both = functional.linear(precise, self.both_w, self.both_b)
        # The base of residual networks is the same in both heads: their difference is without it.
        gap = (both[..., : self.channels] - both[..., self.channels :]).abs() * 0.5
        quality = torch.exp(-(gap + 1e-6) / (gap.amax(1, keepdim=True) + 1e-5)).mean(-1, keepdim=True)
        hidden = self._decode("fuse", embedded, torch.cat((precise, shared + (1.0 + quality)), dim=1), again=False)
        final = functional.linear(hidden + embedded, self.final_w, self.final_b) + self.slow @ x
        if self.corrects:
            features = correction_features(final.mean(1), cue)
            final = final + functional.linear(features, self.correct_w, self.correct_b)[:, None]
        return final

    def _encode(self, placed):
        """Local and global encoder side by side: [B, W, d] -> two [B, W, d]."""
        batch, window, width = placed.shape
        x = placed.reshape(1, -1, width).expand(2, -1, -1)
        for index in range(self.layers):
            part = lambda name, index=index: getattr(self, f"enc{index}_{name}")  # noqa: E731
            mixed = torch.bmm(x, part("qkv"))
            sizes = [self.heads * self.d_k, self.heads * self.d_k, self.heads * self.d_v]
            queries, keys, values = (
                piece.reshape(-1, window, self.heads, piece.shape[-1] // self.heads).transpose(1, 2)
                for piece in mixed.split(sizes, dim=-1)
            )
            out = functional.scaled_dot_product_attention(queries, keys, values)
            out = torch.baddbmm(x, out.transpose(1, 2).reshape(2, -1, self.heads * self.d_v), part("fc"))
            x = torch.addcmul(part("n1b"), functional.layer_norm(out, (width,), eps=EPSILON), part("n1w"))
            out = torch.baddbmm(part("b2"), torch.baddbmm(part("b1"), x, part("w1")).relu(), part("w2")) + x
            x = torch.addcmul(part("n2b"), functional.layer_norm(out, (width,), eps=EPSILON), part("n2w"))
        return x.reshape(2, -1, window, width).unbind(0)

    def _decode(self, name, query, memory, again):
        """One decoder; `again`: the last layer runs twice."""

        def split(tokens, size):  # L layers of [B, H, M, size]
            return tokens.reshape(*tokens.shape[:2], self.layers, self.heads, size).permute(2, 0, 3, 1, 4).unbind(0)

        keys = split(functional.linear(memory, getattr(self, f"{name}_keys")), self.d_k)
        values = split(functional.linear(memory, getattr(self, f"{name}_values")), self.d_v)
        x, width = query, query.shape[-1]
        for index in [*range(self.layers), *([self.layers - 1] if again else [])]:
            part = lambda key, index=index: getattr(self, f"{name}{index}_{key}")  # noqa: E731
            queries = functional.linear(x, part("q")).unflatten(-1, (self.heads, self.d_k)).transpose(1, 2)
            out = functional.scaled_dot_product_attention(queries, keys[index], values[index])
            out = functional.linear(out.transpose(1, 2).flatten(2), part("fc")) + x
            x = functional.layer_norm(out, (width,), part("n1w"), part("n1b"), EPSILON)
            out = functional.linear(functional.linear(x, part("w1"), part("b1")).relu(), part("w2"), part("b2")) + x
            x = functional.layer_norm(out, (width,), part("n2w"), part("n2b"), EPSILON)
        return x


def _encoder_tensors(network):
    """Weights of the local and the global encoder, stacked, layer by layer."""
    tensors = {}
    for index, pair in enumerate(zip(network.encoder_local.layer_stack, network.encoder_global.layer_stack)):
        attentions = [layer.slf_attn for layer in pair]
        feeds = [layer.pos_ffn for layer in pair]
        tensors |= {
            f"enc{index}_qkv": torch.stack(
                [torch.cat((a.w_qs.weight, a.w_ks.weight, a.w_vs.weight)).T for a in attentions]
            ),
            f"enc{index}_fc": torch.stack([a.fc.weight.T for a in attentions]),
            f"enc{index}_n1w": torch.stack([a.layer_norm.weight for a in attentions])[:, None],
            f"enc{index}_n1b": torch.stack([a.layer_norm.bias for a in attentions])[:, None],
            f"enc{index}_w1": torch.stack([f.w_1.weight.T for f in feeds]),
            f"enc{index}_b1": torch.stack([f.w_1.bias for f in feeds])[:, None],
            f"enc{index}_w2": torch.stack([f.w_2.weight.T for f in feeds]),
            f"enc{index}_b2": torch.stack([f.w_2.bias for f in feeds])[:, None],
            f"enc{index}_n2w": torch.stack([f.layer_norm.weight for f in feeds])[:, None],
            f"enc{index}_n2b": torch.stack([f.layer_norm.bias for f in feeds])[:, None],
        }
    return tensors


def _decoder_tensors(network):
    """Weights of the two decoders; keys and values of all layers in a row."""
    tensors = {}
    for name, stack in (("dec", network.decoder), ("fuse", network.decoder_2)):
        tensors[f"{name}_keys"] = torch.cat([layer.enc_attn.w_ks.weight for layer in stack.layer_stack])
        tensors[f"{name}_values"] = torch.cat([layer.enc_attn.w_vs.weight for layer in stack.layer_stack])
        for index, layer in enumerate(stack.layer_stack):
            feed = layer.pos_ffn
            tensors |= {
                f"{name}{index}_q": layer.enc_attn.w_qs.weight,
                f"{name}{index}_fc": layer.enc_attn.fc.weight,
                f"{name}{index}_n1w": layer.enc_attn.layer_norm.weight,
                f"{name}{index}_n1b": layer.enc_attn.layer_norm.bias,
                f"{name}{index}_w1": feed.w_1.weight,
                f"{name}{index}_b1": feed.w_1.bias,
                f"{name}{index}_w2": feed.w_2.weight,
                f"{name}{index}_b2": feed.w_2.bias,
                f"{name}{index}_n2w": feed.layer_norm.weight,
                f"{name}{index}_n2b": feed.layer_norm.bias,
            }
    return tensors


def _head_tensors(network):
    """The heads, each pair of linear maps as one."""
    tensors = {}
    heads = [_joined(head) for head in (network.proj_o_p, network.proj_o_a)]
    tensors["both_w"] = torch.cat([weight for weight, _ in heads])
    tensors["both_b"] = torch.cat([bias for _, bias in heads])
    tensors["final_w"], tensors["final_b"] = _joined(network.proj_o_2)
    return tensors


class Windows(nn.Module):
    """A network with the steps of its recipe, [B, W, C] -> [B, W, C] for one view: the final head alone.

    A network that is told of the body (`Recipe.bones`) takes that too, [B, K] of `lib.windows.body`.
    """

    def __init__(self, network, recipe):
        super().__init__()
        self.recipe, self.channels = recipe, network.channels
        # Of networks that take each channel by itself, or read segments, there is no leaner form.
        self.lean = network.channels is not None and not recipe.segment
        self.network = SingleView(network, recipe.window) if self.lean else network

    def forward(self, x, body=None):
        entered = Entered(self.recipe, x[:, None], body=None if body is None else body[:, None])
        if self.lean:
            told = {name: entered.told[name][:, 0] for name in ("cue", "body") if name in entered.told}
            return entered.leave(self.network(entered.values[:, 0], **told)[:, None])[:, 0]
        return entered.leave(self.network(entered.values, **entered.told).final)[:, 0]


def _joined(pair):
    """Two Linear maps in a row as one: (weight, bias)."""
    first, second = pair
    weight = second.weight.double() @ first.weight.double()
    return weight.float(), (second.weight.double() @ first.bias.double() + second.bias.double()).float()


def windows_of(network, recipe):
    """A network and its recipe as a module [B, W, C] -> [B, W, C] for one view, on the CPU, without gradients."""
    if next(network.parameters()).device.type != "cpu":
        network = copy.deepcopy(network).cpu()
    return Windows(network, recipe).eval()


def export(network, recipe, channels=None):
    """A `torch.export.ExportedProgram` of windows [B, W, C] -> [B, W, C], for any B (and any C for SmoothNet).

    A network that is told of the body takes [B, K] as its second argument. channels: C of the example, where the network
    does not fix it.
    """
    module = windows_of(network, recipe)
    batch = torch.export.Dim("batch", min=1)
    shapes = ({0: batch} if module.channels else {0: batch, 2: torch.export.Dim("channels", min=1)},)
    examples = (torch.zeros(3, recipe.window, module.channels or channels or 51),)
    if recipe.bones:
        shapes, examples = (*shapes, {0: batch}), (*examples, torch.ones(3, len(recipe.bones)))
    with torch.no_grad():
        # Makes the matrices that the network keeps, which tracing would keep as tensors without numbers.
        module(*examples)
        return torch.export.export(module, examples, dynamic_shapes=shapes)


UNITS = {
    "3D": "metres, x right, y down, z away from the camera, minus the root (the mean of its joints) in each frame",
    "smpl": "rotation matrices' first two columns as 6 numbers (3 rows of 2) per joint, root first",
    None: "as trained",
}
IMAGE = {
    "isotropic": "(pixels - middle of the image or of the key points' extent) / half its larger side",
    "h36m": "(pixels - 500) / 500",
    "jhmdb": "pixels / (width, height) - 0.5",
}


def about(network, recipe, provenance):
    """{name: text} of what a user of the exported file must know; provenance: the checkpoint's, or {}."""
    weights = recipe.place_weights()
    several = (
        f"one; the network was trained on up to {recipe.views}, and reads each view here as if there were no other"
    )
    in_image = recipe.kind is not None and kind_of(recipe.kind).in_image
    units = IMAGE[recipe.normaliser] if in_image else UNITS[recipe.kind]
    if network.channels is None:
        units += "; of joints without a root: minus the middle of all joints of the window"
    return {
        "network": network.name,
        "window": str(recipe.window),
        "channels": str(network.channels or "any"),
        "joints": ",".join(recipe.joints or ()) if network.channels else "any",
        "root": ",".join(map(str, recipe.root)),
        "kind": recipe.kind or "any",
        "units": units,
        "fps": f"{recipe.fps:g}" if recipe.fps else "not known",
        "place_weights": ",".join(
            f"{weight:g}" for weight in (weights.tolist() if weights is not None else [1] * recipe.window)
        ),
        "body": ",".join(f"{a}-{b}" for a, b in recipe.bones),
        "views": several if recipe.views > 1 else "one",
        "licence": str(provenance.get("licence", "not said in the checkpoint")),
    }


def to_onnx(network, recipe, path, channels=None, provenance=None):
    """Write an ONNX file (input `windows` [batch, W, C] and, of a network that is told of it, `body` [batch, K]; output
    `refined`), atomically. Needs onnx and onnxscript.

    Its metadata are those of `about`; provenance: the checkpoint's. Raises UserError where the packages are not installed.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f'{error.name}: not installed. pip install "synsp[export]"') from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of torchvision, which nothing here needs
    names = ["windows", "body"] if recipe.bones else ["windows"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch warns of its own calls
        program = torch.onnx.export(
            export(network, recipe, channels),
            dynamo=True,
            input_names=names,
            output_names=["refined"],
            verbose=False,
        )
    model = program.model_proto
    _name_axes(model)
    onnx.helper.set_model_props(model, about(network, recipe, provenance or {}))
    write_bytes(path, model.SerializeToString())


def _name_axes(model):
    """Call the free axes of an ONNX model by their names, which its exporter numbers."""
    names = {}
    for place, name in ((0, "batch"), (2, "channels")):
        axis = model.graph.input[0].type.tensor_type.shape.dim[place]
        if axis.dim_param:
            names[axis.dim_param] = name
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param in names:
                axis.dim_param = names[axis.dim_param]
