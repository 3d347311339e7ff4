"""An EfficientNet with frozen statistics in PyTorch, from the same plan and parameters: as its users would write it."""

from typing import Any

import numpy as np

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
