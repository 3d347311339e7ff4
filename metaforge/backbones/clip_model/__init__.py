"""CLIP's two towers, their weights from a file, adapters, and a tokenizer; `metaforge.backbones.clip` is the backbone.

config        the released sizes by name: `VISION`, `TEXT`
transformer   blocks: what both towers are made of
vision, text  the towers
positions     position embeddings for other image sizes
adapters      ST-Adapters and low-rank updates
names         how files name tensors
weights       reading and writing such files
tokenizer     texts to token ids
backbone      `clip`: the vision tower with a head
parted        the same cut before its first adapter
fusion        tokens of images and texts that look at each other
words         texts to the numbers of a vocabulary of one's own
towers        both towers as a backbone that learns from captions
"""

from metaforge.backbones.clip_model.adapters import LoRA as LoRA
from metaforge.backbones.clip_model.adapters import STAdapter as STAdapter
from metaforge.backbones.clip_model.adapters import merged_lora as merged_lora
from metaforge.backbones.clip_model.backbone import clip as clip
from metaforge.backbones.clip_model.config import TEXT as TEXT
from metaforge.backbones.clip_model.config import VISION as VISION
from metaforge.backbones.clip_model.config import TextConfig as TextConfig
from metaforge.backbones.clip_model.config import VisionConfig as VisionConfig
from metaforge.backbones.clip_model.fusion import cross_attention as cross_attention
from metaforge.backbones.clip_model.fusion import fused as fused
from metaforge.backbones.clip_model.fusion import init_cross_attention as init_cross_attention
from metaforge.backbones.clip_model.fusion import init_fusion as init_fusion
from metaforge.backbones.clip_model.parted import PartedClip as PartedClip
from metaforge.backbones.clip_model.parted import parted_clip as parted_clip
from metaforge.backbones.clip_model.text import text_tower as text_tower
from metaforge.backbones.clip_model.tokenizer import Tokenizer as Tokenizer
from metaforge.backbones.clip_model.tokenizer import read_tokenizer as read_tokenizer
from metaforge.backbones.clip_model.towers import SMALL_TEXT as SMALL_TEXT
from metaforge.backbones.clip_model.towers import SMALL_VISION as SMALL_VISION
from metaforge.backbones.clip_model.towers import two_towers as two_towers
from metaforge.backbones.clip_model.transformer import TowerOutputs as TowerOutputs
from metaforge.backbones.clip_model.vision import Tower as Tower
from metaforge.backbones.clip_model.vision import vision_tower as vision_tower
from metaforge.backbones.clip_model.weights import read_weights as read_weights
from metaforge.backbones.clip_model.weights import write_weights as write_weights
from metaforge.backbones.clip_model.words import WordTokenizer as WordTokenizer
from metaforge.backbones.clip_model.words import words_of as words_of
