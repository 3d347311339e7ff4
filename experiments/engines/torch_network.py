"""EfficientNet with frozen statistics and CLIP's vision tower in PyTorch: as its users would write them."""

from typing import Any

import numpy as np

from metaforge.backbones.clip_model.config import EPSILON, VisionConfig
from metaforge.backbones.clip_model.vision import STATISTICS
from metaforge.backbones.efficientnet._plan import Plan


def network(plan: Plan, params: Any, *, classes: int) -> Any:
    """A `torch.nn.Module` in evaluation mode: uint8 `(images, size, size, 3)` to logits.

    Every convolution is followed by `BatchNorm2d`, as in the public implementations; nothing is folded by hand.

    Args:
        plan: of the network.
        params: its parameters, "head" among them, which is linear.

    Other Arguments:
        classes: how many logits.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    as_tensor = lambda value: torch.tensor(np.asarray(value))

    def normalised(values):
        layer = nn.BatchNorm2d(len(values["scale"]), eps=plan.epsilon)
        given = {"weight": "scale", "bias": "bias", "running_mean": "mean", "running_var": "variance"}
        layer.load_state_dict({ours: as_tensor(values[theirs]) for ours, theirs in given.items()}, strict=False)
        return layer

    class Same(nn.Module):
        """A convolution with the plan's padding, and its normalisation."""

        def __init__(self, kernel, norm, stride=1, groups=1):
            super().__init__()
            self.kernel = nn.Parameter(as_tensor(np.transpose(kernel, (3, 2, 0, 1)).copy()), requires_grad=False)
            self.norm, self.stride, self.groups = normalised(norm), stride, groups

        def forward(self, maps):
            reach, (rows, columns) = self.kernel.shape[-1], maps.shape[-2:]
            pads = []
            for side in (columns, rows):
                total = max((-(-side // self.stride) - 1) * self.stride + reach - side, 0)
                half = [total // 2, total - total // 2]
                pads += half if plan.padding == "same" else [reach // 2, reach // 2]
            made = functional.conv2d(
                functional.pad(maps, pads) if any(pads) else maps, self.kernel, None, self.stride, 0, 1, self.groups
            )
            return self.norm(made)

    pointwise = lambda values: np.asarray(values["kernel"])[None, None]
    activate = functional.relu6 if plan.activation == "relu6" else functional.silu

    class Block(nn.Module):
        def __init__(self, values, stage, stride, channels):
            super().__init__()
            self.expand = Same(pointwise(values["expand"]), values["expand_norm"]) if stage.expansion != 1 else None
            kernel = np.asarray(values["depthwise"]["kernel"])[:, :, None]
            self.depthwise = Same(kernel, values["depthwise_norm"], stride, kernel.shape[-1])
            self.gates = nn.ModuleList(linear(values[name]) for name in ("squeeze", "excite") if name in values)
            self.project = Same(pointwise(values["project"]), values["project_norm"])
            self.residual = stride == 1 and channels == stage.features

        def forward(self, inputs):
            hidden = inputs if self.expand is None else activate(self.expand(inputs))
            hidden = activate(self.depthwise(hidden))
            if self.gates:
                gate = torch.sigmoid(self.gates[1](activate(self.gates[0](hidden.mean(dim=(2, 3))))))
                hidden = hidden * gate[:, :, None, None]
            hidden = self.project(hidden)
            return hidden + inputs if self.residual else hidden

    def linear(values):
        kernel = np.asarray(values["kernel"])
        layer = nn.Linear(*kernel.shape)
        layer.load_state_dict({"weight": as_tensor(kernel.T.copy()), "bias": as_tensor(values["bias"])})
        return layer

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = Same(params["stem"]["kernel"], params["stem_norm"], 2)
            blocks, channels = [], plan.stem
            for number, (stage, stride) in enumerate(plan.blocks):
                blocks.append(Block(params[f"block{number}"], stage, stride, channels))
                channels = stage.features
            self.blocks = nn.ModuleList(blocks)
            self.top, self.head = Same(pointwise(params["top"]), params["top_norm"]), linear(params["head"])
            self.register_buffer("mean", torch.tensor(plan.mean).reshape(1, 3, 1, 1))
            self.register_buffer("deviation", torch.tensor(plan.deviation).reshape(1, 3, 1, 1))

        def forward(self, images):
            hidden = (images.permute(0, 3, 1, 2).float() - self.mean) / self.deviation
            hidden = activate(self.stem(hidden))
            for block in self.blocks:
                hidden = block(hidden)
            return self.head(activate(self.top(hidden)).mean(dim=(2, 3)))

    made = Network().eval()
    assert made.head.out_features == classes
    return made


def vision(config: VisionConfig, params: Any, *, classes: int, half: bool = False) -> Any:
    """CLIP's vision tower under a linear head, with PyTorch's own attention; the rest as in `network`.

    Args:
        config: the tower's sizes; images are of its size.
        params: "vision" and "head".

    Other Arguments:
        classes: how many logits.
        half: whether everything is bfloat16.
    """
    import torch
    from torch import nn
    from torch.nn import functional

    as_tensor = lambda value: torch.tensor(np.array(value, np.float32))
    tower = params["vision"]

    def linear(*layers):
        made = nn.Linear(config.width, 1)
        made.weight = nn.Parameter(as_tensor(np.concatenate([each["kernel"] for each in layers], axis=1).T))
        made.bias = nn.Parameter(as_tensor(np.concatenate([each["bias"] for each in layers])))
        return made

    def norm(values):
        made = nn.LayerNorm(config.width, eps=EPSILON)
        made.load_state_dict({"weight": as_tensor(values["scale"]), "bias": as_tensor(values["bias"])})
        return made

    def activate(hidden):
        return hidden * torch.sigmoid(1.702 * hidden) if config.activation == "quick_gelu" else functional.gelu(hidden)

    class Block(nn.Module):
        def __init__(self, values):
            super().__init__()
            attention, mlp = values["attention"], values["mlp"]
            self.first, self.second = norm(values["ln_1"]), norm(values["ln_2"])
            self.qkv, self.out = linear(*(attention[name] for name in "qkv")), linear(attention["out"])
            self.into, self.back = linear(mlp["in"]), linear(mlp["out"])

        def forward(self, tokens):
            count, length, width = tokens.shape
            parts = self.qkv(self.first(tokens)).reshape(count, length, 3, config.heads, width // config.heads)
            mixed = functional.scaled_dot_product_attention(*parts.permute(2, 0, 3, 1, 4))
            tokens = tokens + self.out(mixed.transpose(1, 2).reshape(count, length, width))
            return tokens + self.back(activate(self.into(self.second(tokens))))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            kernel = as_tensor(np.transpose(np.array(tower["patch"]["kernel"]), (3, 2, 0, 1)))
            self.patch = nn.Conv2d(3, config.width, config.patch_size, config.patch_size, bias=False)
            self.patch.weight = nn.Parameter(kernel)
            self.of_class, self.positions = (nn.Parameter(as_tensor(tower[name])) for name in ("class", "positions"))
            self.before, self.after = norm(tower["ln_pre"]), norm(tower["ln_post"])
            self.blocks = nn.Sequential(*(Block(tower["blocks"][name]) for name in sorted(tower["blocks"])))
            self.head = linear(params["head"])
            for name, values in zip(("mean", "deviation"), STATISTICS["clip"], strict=True):
                self.register_buffer(name, 255 * torch.tensor(values).reshape(1, 3, 1, 1))

        def forward(self, images):
            maps = self.patch((images.permute(0, 3, 1, 2).to(self.mean.dtype) - self.mean) / self.deviation)
            patches = maps.flatten(2).transpose(1, 2)
            first = self.of_class.expand(len(patches), 1, config.width)
            tokens = self.blocks(self.before(torch.cat([first, patches], dim=1) + self.positions))
            return self.head(self.after(tokens[:, 0])).float()

    made = Network().eval()
    assert made.head.weight.shape == (classes, config.width)
    return made.to(torch.bfloat16) if half else made
