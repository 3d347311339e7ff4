"""CLIP once more, from its description, in NumPy and float64, one token and one tap at a time where that is clearer.

It knows nothing of our parameters: it takes tensors by OpenAI's names. `test_against_transformers.py` compares it with
another library where that is installed.
"""

import numpy as np
from scipy.special import erf

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def random_tensors(config, *, vision=True, text=None, seed=0):
    """Random tensors with OpenAI's names and shapes: linear layers (outputs, inputs), patches (outputs, 3, p, p)."""
    rng = np.random.default_rng(seed)

    def normal(*shape, scale=0.3):
        return (scale * rng.normal(size=shape)).astype(np.float32)

    def norm(name, width):
        return {f"{name}.weight": 1 + normal(width), f"{name}.bias": normal(width)}

    def blocks(name, config):
        width, hidden, tensors = config.width, config.mlp_ratio * config.width, {}
        for i in range(config.layers):
            at = f"{name}.{i}"
            tensors |= norm(f"{at}.ln_1", width) | norm(f"{at}.ln_2", width)
            tensors |= {
                f"{at}.attn.in_proj_weight": normal(3 * width, width, scale=width**-0.5),
                f"{at}.attn.in_proj_bias": normal(3 * width),
                f"{at}.attn.out_proj.weight": normal(width, width, scale=width**-0.5),
                f"{at}.attn.out_proj.bias": normal(width),
                f"{at}.mlp.c_fc.weight": normal(hidden, width, scale=width**-0.5),
                f"{at}.mlp.c_fc.bias": normal(hidden),
                f"{at}.mlp.c_proj.weight": normal(width, hidden, scale=hidden**-0.5),
                f"{at}.mlp.c_proj.bias": normal(width),
            }
        return tensors

    tensors = {}
    if vision:
        patch, width = config.patch_size, config.width
        tensors |= {
            "visual.class_embedding": normal(width),
            "visual.positional_embedding": normal(1 + (config.image_size // patch) ** 2, width),
            "visual.conv1.weight": normal(width, 3, patch, patch, scale=(3 * patch**2) ** -0.5),
            **norm("visual.ln_pre", width),
            **blocks("visual.transformer.resblocks", config),
            **norm("visual.ln_post", width),
        }
        if config.projection:
            tensors["visual.proj"] = normal(width, config.projection, scale=width**-0.5)
    if text:
        tensors |= {
            "token_embedding.weight": normal(text.vocabulary, text.width),
            "positional_embedding": normal(text.context, text.width),
            **blocks("transformer.resblocks", text),
            **norm("ln_final", text.width),
            "logit_scale": np.array(2.5, np.float32),
        }
        if text.projection:
            tensors["text_projection"] = normal(text.width, text.projection, scale=text.width**-0.5)
    return tensors


def huggingface(tensors):
    """The same tensors by the names of transformers."""
    fixed = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "logit_scale": "logit_scale",
    }
    replaced = {
        "visual.transformer.resblocks": "vision_model.encoder.layers",
        "transformer.resblocks": "text_model.encoder.layers",
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    renamed = {}
    for name, tensor in tensors.items():
        if name in ("visual.proj", "text_projection"):
            renamed["visual_projection.weight" if name == "visual.proj" else "text_projection.weight"] = tensor.T
        elif "in_proj" in name:
            start, leaf = name.split(".attn.in_proj_")
            for old in ("visual.transformer.resblocks", "transformer.resblocks"):
                start = start.replace(old, replaced[old])
            for part, letter in zip(np.split(tensor, 3), "qkv", strict=True):
                renamed[f"{start}.self_attn.{letter}_proj.{leaf}"] = part
        elif name in fixed:
            renamed[fixed[name]] = tensor
        else:
            for old, new in replaced.items():
                name = name.replace(old, new)
            renamed[name] = tensor
    return renamed


def vision(tensors, config, images, *, mean=MEAN, deviation=DEVIATION):
    """Embeddings, features and tokens of images (count, height, width, 3) in [0, 1]."""
    images = (np.asarray(images, np.float64) - np.array(mean)) / np.array(deviation)
    size, rows = config.patch_size, images.shape[1] // config.patch_size
    patches = [
        np.einsum(
            "nhwc,dchw->nd",
            images[:, i * size : (i + 1) * size, j * size : (j + 1) * size],
            tensors["visual.conv1.weight"],
        )
        for i in range(rows)
        for j in range(rows)
    ]
    first = np.tile(tensors["visual.class_embedding"], (len(images), 1))
    tokens = np.stack([first, *patches], axis=1) + positions(tensors["visual.positional_embedding"], rows)
    tokens = layer_norm(tensors, "visual.ln_pre", tokens)
    for i in range(config.layers):
        tokens = block(tensors, f"visual.transformer.resblocks.{i}", tokens, config)
    features = layer_norm(tensors, "visual.ln_post", tokens[:, 0])
    return features @ tensors["visual.proj"] if "visual.proj" in tensors else None, features, tokens


def text(tensors, config, ids):
    """Embeddings, features and tokens of ids (count, length)."""
    tokens = tensors["token_embedding.weight"][ids] + tensors["positional_embedding"][: ids.shape[1]].astype(np.float64)
    for i in range(config.layers):
        tokens = block(tensors, f"transformer.resblocks.{i}", tokens, config, causal=True)
    tokens = layer_norm(tensors, "ln_final", tokens)
    features = np.stack([row[list(numbers).index(max(numbers))] for row, numbers in zip(tokens, ids, strict=True)])
    return features @ tensors["text_projection"] if "text_projection" in tensors else None, features, tokens


def block(tensors, name, tokens, config, *, causal=False):
    tokens = tokens + attention(tensors, f"{name}.attn", layer_norm(tensors, f"{name}.ln_1", tokens), config, causal)
    hidden = linear(tensors, f"{name}.mlp.c_fc", layer_norm(tensors, f"{name}.ln_2", tokens))
    if config.activation == "quick_gelu":
        hidden = hidden / (1 + np.exp(-1.702 * hidden))
    else:
        hidden = hidden * 0.5 * (1 + erf(hidden / np.sqrt(2)))
    return tokens + linear(tensors, f"{name}.mlp.c_proj", hidden)


def attention(tensors, name, inputs, config, causal):
    width, size = config.width, config.width // config.heads
    q, k, v = np.split(inputs @ tensors[f"{name}.in_proj_weight"].T + tensors[f"{name}.in_proj_bias"], 3, axis=-1)
    mixed = np.zeros(inputs.shape)
    for head in range(config.heads):
        part = slice(head * size, (head + 1) * size)
        scores = q[..., part] @ k[..., part].swapaxes(1, 2) / np.sqrt(size)
        for token in range(inputs.shape[1]):
            seen = token + 1 if causal else inputs.shape[1]
            weights = np.exp(scores[:, token, :seen] - scores[:, token, :seen].max(-1, keepdims=True))
            weights /= weights.sum(-1, keepdims=True)
            mixed[:, token, part] = np.einsum("ns,nsd->nd", weights, v[:, :seen, part])
    assert mixed.shape[-1] == width
    return linear(tensors, f"{name}.out_proj", mixed)


def linear(tensors, name, inputs):
    return inputs @ tensors[f"{name}.weight"].T.astype(np.float64) + tensors[f"{name}.bias"]


def layer_norm(tensors, name, inputs):
    normal = (inputs - inputs.mean(-1, keepdims=True)) / np.sqrt(inputs.var(-1, keepdims=True) + 1e-5)
    return normal * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]


def positions(table, rows):
    """The table for `rows` patches to a side, each the sum of its sixteen neighbours by Keys' kernel with a = -0.75."""
    side = int(np.sqrt(len(table) - 1))
    grid = table[1:].reshape(side, side, -1).astype(np.float64)

    def keys(t):
        t = abs(t)
        if t <= 1:
            return 1.25 * t**3 - 2.25 * t**2 + 1
        return -0.75 * t**3 + 3.75 * t**2 - 6 * t + 3 if t < 2 else 0.0

    resized = np.zeros((rows, rows, grid.shape[-1]))
    for i in range(rows):
        for j in range(rows):
            y, x = (i + 0.5) * side / rows - 0.5, (j + 0.5) * side / rows - 0.5
            for dy in range(int(np.floor(y)) - 1, int(np.floor(y)) + 3):
                for dx in range(int(np.floor(x)) - 1, int(np.floor(x)) + 3):
                    neighbour = grid[min(max(dy, 0), side - 1), min(max(dx, 0), side - 1)]
                    resized[i, j] += keys(y - dy) * keys(x - dx) * neighbour
    return np.concatenate([table[:1], resized.reshape(rows * rows, -1)])
