"""Outputs equal those of Hugging Face's transformers, with random weights, at small sizes and at the released ones.

They run where `transformers` and `torch` are installed, which the extra `dev` does not ask for: with torch come
gigabytes. Everywhere else `restatement.py` stands in, which is compared with transformers here.
"""

import dataclasses
import json

import jax
import numpy as np
import pytest

from metaforge.backbones.clip_model import (
    TEXT,
    VISION,
    TextConfig,
    VisionConfig,
    read_tokenizer,
    read_weights,
    text_tower,
    vision_tower,
    write_weights,
)
from tests.backbones.clip_model import restatement
from tests.backbones.clip_model.test_tokenizer import CASES
from tests.backbones.clip_model.test_tokenizer import TEXT as MERGES

torch = pytest.importorskip("torch", reason="compares with transformers, which needs torch: pip install torch")
transformers = pytest.importorskip("transformers", reason="compares with transformers: pip install transformers")

pytestmark = pytest.mark.filterwarnings("ignore")
SMALL = VisionConfig(image_size=8, patch_size=4, width=8, layers=2, heads=2, projection=6)
WORDS = TextConfig(vocabulary=20, context=7, width=8, layers=2, heads=2, projection=6)


def their_config(config):
    sizes = {
        "hidden_size": config.width,
        "intermediate_size": config.mlp_ratio * config.width,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "projection_dim": config.projection,
        "hidden_act": config.activation,
    }
    if isinstance(config, VisionConfig):
        return transformers.CLIPVisionConfig(image_size=config.image_size, patch_size=config.patch_size, **sizes)
    end = config.vocabulary - 1
    return transformers.CLIPTextConfig(
        vocab_size=config.vocabulary,
        max_position_embeddings=config.context,
        eos_token_id=end,
        bos_token_id=end - 1,
        pad_token_id=0,
        **sizes,
    )


def their_model(kind, config, path):
    """A model of theirs with random weights that matter, biases and scales too; saved as they save it."""
    torch.manual_seed(0)
    model = kind(their_config(config)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    model.save_pretrained(path)
    return model


def images(count, size):
    return np.random.default_rng(0).uniform(size=(count, size, size, 3)).astype(np.float32)


def standardised(pixels):
    values = (pixels - np.array(restatement.MEAN)) / np.array(restatement.DEVIATION)
    return torch.tensor(values.transpose(0, 3, 1, 2), dtype=torch.float32)


def ids(config, count=3):
    """Texts of all lengths, from nothing to the whole context, each with its start and end."""
    rng, end = np.random.default_rng(0), config.vocabulary - 1
    rows = np.zeros((count, config.context), np.int32)
    for row, length in zip(rows, np.linspace(0, config.context - 2, count).astype(int), strict=True):
        row[: length + 2] = [end - 1, *rng.integers(0, end - 1, length), end]
    return rows


def close(one, other):
    np.testing.assert_allclose(one, other.detach().numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", [SMALL, VISION["ViT-B/32"]], ids=["small", "ViT-B/32"])
def test_the_vision_tower_is_theirs(config, tmp_path):
    model = their_model(transformers.CLIPVisionModelWithProjection, config, tmp_path)
    params = read_weights(tmp_path / "model.safetensors", vision=config)["vision"]
    pixels = images(1, config.image_size)
    ours = jax.jit(vision_tower(config).apply)(params, pixels)
    theirs = model(standardised(pixels))
    close(ours.embeddings, theirs.image_embeds)
    close(ours.tokens, theirs.last_hidden_state)
    close(ours.features, model.vision_model(standardised(pixels)).pooler_output)
    if config == SMALL:
        larger = images(1, 20)
        ours = jax.jit(vision_tower(config, image_size=20).apply)(params, larger)
        close(ours.embeddings, model(standardised(larger), interpolate_pos_encoding=True).image_embeds)


@pytest.mark.parametrize(
    "config", [WORDS, dataclasses.replace(TEXT["ViT-B/32"], vocabulary=1000)], ids=["small", "ViT-B/32"]
)
def test_the_text_tower_is_theirs(config, tmp_path):
    model = their_model(transformers.CLIPTextModelWithProjection, config, tmp_path)
    params = read_weights(tmp_path / "model.safetensors", text=config)["text"]
    texts = ids(config)
    ours = jax.jit(text_tower(config).apply)(params, texts)
    theirs = model(torch.tensor(texts))
    close(ours.embeddings, theirs.text_embeds)
    close(ours.tokens, theirs.last_hidden_state)
    close(ours.features, model.text_model(torch.tensor(texts)).pooler_output)


def test_towers_saved_alone_and_exact_gelu_are_theirs(tmp_path):
    config = dataclasses.replace(SMALL, activation="gelu", projection=None)
    model = their_model(transformers.CLIPVisionModel, dataclasses.replace(config, projection=6), tmp_path)
    params = read_weights(tmp_path / "model.safetensors", vision=config)["vision"]
    pixels = images(2, 8)
    close(jax.jit(vision_tower(config).apply)(params, pixels).features, model(standardised(pixels)).pooler_output)
    words = dataclasses.replace(WORDS, projection=None)
    model = their_model(transformers.CLIPTextModel, WORDS, tmp_path)
    params = read_weights(tmp_path / "model.safetensors", text=words)["text"]
    close(jax.jit(text_tower(words).apply)(params, ids(WORDS)).features, model(torch.tensor(ids(WORDS))).pooler_output)


def test_the_restatement_is_theirs(tmp_path):
    tensors = restatement.random_tensors(SMALL, text=WORDS)
    renamed = {name: torch.tensor(np.array(tensor)) for name, tensor in restatement.huggingface(tensors).items()}
    model = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config=their_config(SMALL).to_dict(), text_config=their_config(WORDS).to_dict(), projection_dim=6
        )
    ).eval()
    model.load_state_dict(renamed, strict=True)
    pixels, texts = images(3, 8), ids(WORDS)
    ours = restatement.vision(tensors, SMALL, pixels)
    theirs = model.vision_model(standardised(pixels))
    close(ours[0], model.visual_projection(theirs.pooler_output))
    close(ours[1], theirs.pooler_output)
    close(ours[2], theirs.last_hidden_state)
    larger = model.vision_model(standardised(images(3, 12)), interpolate_pos_encoding=True)
    close(restatement.vision(tensors, SMALL, images(3, 12))[1], larger.pooler_output)
    ours = restatement.text(tensors, WORDS, texts)
    theirs = model.text_model(torch.tensor(texts))
    close(ours[0], model.text_projection(theirs.pooler_output))
    close(ours[2], theirs.last_hidden_state)


def test_what_we_write_they_read(tmp_path):
    model = their_model(transformers.CLIPVisionModelWithProjection, SMALL, tmp_path)
    params = read_weights(tmp_path / "model.safetensors", vision=SMALL)
    (tmp_path / "model.safetensors").unlink()
    write_weights(tmp_path / "model.safetensors", params)
    again = transformers.CLIPVisionModelWithProjection.from_pretrained(tmp_path)
    for one, other in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_tokenizer_is_theirs(tmp_path):
    (tmp_path / "merges.txt").write_text(MERGES)
    ours = read_tokenizer(tmp_path / "merges.txt")
    (tmp_path / "vocab.json").write_text(json.dumps(ours.vocabulary))
    theirs = transformers.CLIPTokenizer(str(tmp_path / "vocab.json"), str(tmp_path / "merges.txt"))
    sentences = [
        "The CAT's 42nd “hat” — naïve, 東京タワー №5 ½ ²! don't you're I'LL",
        "a\u00a0b\u200bc \t\n d'",
        "🙂🙂!!",
    ]
    for text in [*CASES, *sentences]:
        if text != "&amp;":  # which only OpenAI's own code takes for "&"
            assert [ours.vocabulary["<|startoftext|>"], *ours.ids(text), ours.vocabulary["<|endoftext|>"]] == theirs(
                text
            )["input_ids"], text
