"""Networks for use elsewhere: a lean form of SynSP for single windows, torch.export and ONNX.

The command is `synsp export` (lib/commands/export.py).
"""

import copy
import logging

import torch
from torch import nn
from torch.nn import functional

from ..errors import UserError
from ..files import atomic_write
from ..windows.canonical import Canonical
from .smoothnet import SmoothNet
from .synsp import _dct_matrix, _positions, _slow_part

EPSILON = 1e-6  # of SynSP's layer norms


class SingleView(nn.Module):
    """The final head of SynSP for one view, [B, W, C] -> [B, W, C], as few and as large operations as there can be.

    The same sums as `SynSP.forward` in another order (equal to rounding): the two encoders run side by side in batched
    products, the keys and values of all decoder layers come from one product, and linear maps that follow each other are
    one. W is fixed. For one window of the full size it takes a third of the general network's time.
    """

    def __init__(self, network, window):
        super().__init__()
        self.window, self.channels, self.canonical = window, network.channels, network.canonical
        attention = network.decoder.layer_stack[0].enc_attn
        self.heads, self.d_k, self.d_v = attention.n_head, attention.d_k, attention.d_v
        self.layers = len(network.decoder.layer_stack)
        cpu = torch.device("cpu")
        with torch.no_grad():
            weight, bias = _joined(network.proj_i_a)
            tensors = {
                "dct": _dct_matrix(window, cpu).clone(),
                "embed_w": weight.T,
                "embed_b": bias,
                "positions": _positions(window, weight.shape[0], cpu).clone(),
            }
            if network.residual_components:
                tensors["slow"] = _slow_part(window, network.residual_components, cpu).clone()
            if self.canonical:
                tensors |= {"cue_w": network.proj_v.weight.T, "cue_b": network.proj_v.bias}
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
            heads = [_joined(head) for head in (network.proj_o_p, network.proj_o_a)]
            tensors["both_w"] = torch.cat([weight for weight, _ in heads])
            tensors["both_b"] = torch.cat([bias for _, bias in heads])
            tensors["final_w"], tensors["final_b"] = _joined(network.proj_o_2)
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor.detach().clone().contiguous().float())

    def forward(self, x):
        canonical = None
        if self.canonical:
            x = x[:, None]
            canonical = Canonical(**self.canonical, values=x)
            x = canonical.enter(x)[:, 0]
        embedded = (self.dct @ x) @ self.embed_w + self.embed_b  # [B, W, d]
        if canonical:
            embedded = embedded + torch.addmm(self.cue_b, canonical.cue[:, 0], self.cue_w)[:, None]
        local, shared = self._encode(embedded + self.positions)
        precise = self._decode("dec", embedded, torch.cat((local, shared + 1.0), dim=1), again=True) + embedded
        both = functional.linear(precise, self.both_w, self.both_b)
        # The base of residual networks is the same in both heads: their difference is without it.
        gap = (both[..., : self.channels] - both[..., self.channels :]).abs() * 0.5
        quality = torch.exp(-(gap + 1e-6) / (gap.amax(1, keepdim=True) + 1e-5)).mean(-1, keepdim=True)
        hidden = self._decode("fuse", embedded, torch.cat((precise, shared + (1.0 + quality)), dim=1), again=False)
        final = functional.linear(hidden + embedded, self.final_w, self.final_b)
        final = final + self.slow @ x if hasattr(self, "slow") else final
        return canonical.leave(final[:, None])[:, 0] if canonical else final

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


class _Plain(nn.Module):
    """A network on [B, W, C] without the wrapping of its outputs. channels: C, or None where it takes any number."""

    def __init__(self, network, window, channels):
        super().__init__()
        self.network, self.window, self.channels = network, window, channels

    def forward(self, x):
        return self.network(x).final[:, 0]


def _joined(pair):
    """Two Linear maps in a row as one: (weight, bias)."""
    first, second = pair
    weight = second.weight.double() @ first.weight.double()
    return weight.float(), (second.weight.double() @ first.bias.double() + second.bias.double()).float()


def windows_of(network, window):
    """A network as a module [B, W, C] -> [B, W, C] for one view, on the CPU, without gradients."""
    if next(network.parameters()).device.type != "cpu":
        network = copy.deepcopy(network).cpu()
    if isinstance(network, SmoothNet):
        return _Plain(network, network.window, None).eval()
    if network.segment:
        return _Plain(network, window, network.channels).eval()
    return SingleView(network, window).eval()


def export(network, window, channels=None):
    """A `torch.export.ExportedProgram` of windows [B, W, C] -> [B, W, C], for any B (and any C for SmoothNet).

    channels: C of the example, where the network does not fix it.
    """
    module = windows_of(network, window)
    batch = torch.export.Dim("batch", min=1)
    shapes = {0: batch} if module.channels else {0: batch, 2: torch.export.Dim("channels", min=1)}
    example = torch.zeros(3, window, module.channels or channels or 51)
    with torch.no_grad():
        module(
            example
        )  # makes the matrices that the network keeps, which tracing would keep as tensors without numbers
        return torch.export.export(module, (example,), dynamic_shapes=(shapes,))


def to_onnx(network, window, path, channels=None):
    """Write an ONNX file (input `windows` [batch, W, C], output `refined`), atomically. Needs onnx and onnxscript.

    Raises UserError where they are not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise UserError(f'{error.name}: not installed. pip install "synsp[export]"') from None
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns of torchvision, which nothing here needs
    program = torch.onnx.export(
        export(network, window, channels), dynamo=True, input_names=["windows"], output_names=["refined"], verbose=False
    )
    with atomic_write(path) as temporary:
        program.save(str(temporary), external_data=False)
