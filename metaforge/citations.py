"""The BibTeX of the parts in use: whose work a result uses. The entries are in citations.bib."""

import functools
import re
from collections.abc import Callable
from importlib import resources

_DAML = ("jin_daml",)
_BOOTSTRAP = ("davison1997bootstrap",)

_OF: dict[str, tuple[str, ...]] = {
    # How learners' gradients are taken. Learners bring their own, in `metaforge.learners.LEARNERS`.
    "partial": ("zintgraf2019cavia",),
    "adapt": ("finn2017maml",),
    "mixed": ("kemaev2025mixflow",),
    "averaged": ("polyak1992averaging",),
    "warmup_cosine": ("loshchilov2017sgdr", "goyal2017hour"),
    "noise_measured": ("mccandlish2018noise",),
    # Weightings, and their variants as the commands call them.
    "uniform": (),
    "difficulty_aware": _DAML,
    "through": _DAML,
    "detached": _DAML,
    "normalised": _DAML,
    "detached_normalised": _DAML,
    "softmax": ("li2021tilted",),
    "focal": ("lin2017focal",),
    # Rules of adaptation.
    "fine_tune": ("guo2020broader",),
    "unadapted": (),
    "learned": (),
    "linear_probe": ("tian2020embedding",),
    "nearest_neighbour": ("wang2019simpleshot",),
    "prototypes": ("snell2017prototypical",),
    "whitened": ("fisher1936multiple",),
    "discriminant": ("friedman1989regularized", "efron1973stein"),
    "fit_calibration": ("platt1999probabilistic",),
    "venn_abers": ("vovk2015venn",),
    "fit_spread": ("vovk2015venn",),
    "read_provenance": ("c2pa2025specification",),
    "comb": ("popescu2004statistical",),
    "share_interval": ("korn1998proportions",),
    "auc_interval": ("newcombe2006mannwhitney",),
    "fit_conformal": ("vovk2012conditional", "angelopoulos2023conformal"),
    "tempered": ("grunwald2017inconsistency",),
    "bn_adapt": ("schneider2020covariate",),
    "tent": ("wang2021tent",),
    # Backbones, and what goes into them.
    "conv4": ("finn2017maml",),
    "winograd": ("lavin2016winograd",),
    "mlp": ("finn2017maml",),
    "efficientnet_lite0": ("tan2019efficientnet", "liu2020efficientnetlite", "sandler2018mobilenetv2"),
    "efficientnet_lite1": ("tan2019efficientnet", "liu2020efficientnetlite"),
    "efficientnet_lite2": ("tan2019efficientnet", "liu2020efficientnetlite"),
    "efficientnet_b0": ("tan2019efficientnet", "hu2018squeeze"),
    "efficientnet_b4": ("tan2019efficientnet", "hu2018squeeze"),
    "depth_weights": ("li2019selective", "cao2019gcnet", "woo2018cbam"),
    "clip": ("radford2021clip", "dosovitskiy2021vit"),
    "two_towers": ("radford2021clip", "sun2025fftg", "vaswani2017attention"),
    "reading": ("sun2025fftg",),
    "without_words": (),
    "STAdapter": ("pan2022stadapter",),
    "LoRA": ("hu2022lora",),
    "resized_positions": ("keys1981cubic",),
    "from_flax": (),
    # Losses, objectives and outliers.
    "cross_entropy": (),
    "squared_error": (),
    "weighted_sum": (),
    "loss_fn": (),
    "fakeradar": ("li2025fakeradar", "du2022vos", "ronen2022deepdpm"),
    "tri_cross_entropy": ("li2025fakeradar",),
    "outlier_contrastive": ("li2025fakeradar", "oord2018cpc"),
    "outlier_conditioned_cross_entropy": ("li2025fakeradar", "szegedy2016inception"),
    "outlier_exposure": ("hendrycks2019outlier",),
    "energy": ("liu2020energy",),
    "energy_bounded": ("liu2020energy",),
    "image_text_contrastive": ("radford2021clip", "oord2018cpc"),
    "multimodal_cross_entropy": ("sun2025fftg",),
    "image_text": ("sun2025fftg", "radford2021clip"),
    "hard_example_mining": ("shrivastava2016ohem",),
    "poly1": ("leng2022polyloss",),
    "smoothed_cross_entropy": ("szegedy2016inception",),
    "supervised_contrastive": ("khosla2020supcon",),
    "distillation": ("hinton2015distilling",),
    "prune": ("liu2017slimming", "molchanov2017pruning"),
    "kl_divergence": ("kullback1951information", "ronen2022deepdpm"),
    "subcluster_outliers": (
        "li2025fakeradar", "ronen2022deepdpm", "du2022vos", "chang2013subclusters", "murphy2007conjugate",
    ),
    "neighbour_outliers": ("tao2023npos",),
    # Forgeries.
    "self_blend": ("shiohara2022sbi",),
    "swap": ("li2020xray", "reinhard2001color"),
    "poisson_swap": ("perez2003poisson",),
    "splice": ("chen2022sladd",),
    "warp": ("bookstein1989warps",),
    "resample": ("odena2016checkerboard",),
    "reconstruction": ("turk1991eigenfaces",),
    "smooth": (),
    "periphery_auc": ("wang2020cnngenerated",),
    # What happens to images while a run learns from them.
    "erase": ("zhong2020erasing", "devries2017cutout"),
    # Faces and data sets; those with a catalogue bring their own.
    "lfw": ("huang2007lfw",),
    "london": ("debruine2017london",),
    "omniglot": ("lake2015omniglot",),
    "blazeface": ("bazarevsky2019blazeface", "kartynnik2019mesh"),
    "crop_transform": (
        "roessler2019faceforensics", "shiohara2022sbi", "yan2023deepfakebench", "deng2019arcface",
    ),
    "deepfakebench": ("yan2023deepfakebench",),
    "ispl": ("bonettini2021ensemble",),
    # What is said of pairs.
    "annotate": ("sun2025fftg",),
    "prompt_of": ("sun2025fftg",),
    "overlap": ("papineni2002bleu", "post2018sacrebleu", "lin2004rouge"),
    "Thresholds": ("mahy1994uniform",),
    "aligned": ("kuglin1975phase", "reddy1996registration"),
    "colour_difference": ("cie2004colorimetry",),
    "blur": ("pech2000autofocusing", "marr1980edge"),
    "structure": ("wang2004ssim",),
    "texture": ("haralick1973textural",),
    # Forms that captions are written in.
    "dd_vqa": ("zhang2024ddvqa",),
    "m2f2_det": ("guo2025m2f2",),
    "fakeshield": ("xu2025fakeshield",),
    "llava": ("liu2023llava",),
    # What is said of single images.
    "grad_cam": ("selvaraju2017gradcam",),
    "explain": ("friedman1989regularized", "sun2025fftg"),
    # Evidence on a face.
    "light": ("johnson2007lighting", "ramamoorthi2001irradiance"),
    "noise": ("immerkaer1996noise", "mahdian2009noise"),
    "detail": ("burt1983laplacian",),
    "channels": ("gallagher2008demosaicing", "li2020colour"),
    "resampling": ("popescu2005resampling", "gallagher2005interpolation"),
    "landmark_shape": ("cootes1995shape",),
    "occlusion_map": ("zeiler2014visualizing", "adebayo2018sanity"),
    # Measures.
    "region_score": ("vanrijsbergen1979retrieval",),
    "auc": ("fawcett2006roc",),
    "brier": ("brier1950verification",),
    "expected_calibration_error": ("guo2017calibration", "nixon2019calibration"),
    "fit_threshold": ("youden1950index",),
    "video_scores": ("seferbekov2020dfdc", "yan2023deepfakebench"),
    "bootstrap": _BOOTSTRAP,
    "bootstrap_p": _BOOTSTRAP,
    "joint_bootstrap": _BOOTSTRAP,
    "episode_bootstrap": (*_BOOTSTRAP, "allen2024oops"),
    "holm": ("holm1979multiple",),
    # What a service watches.
    "wilson": ("wilson1927inference",),
    "from_uniform": ("massart1990tight",),
    "stability": ("yurdakul2020psi",),
}  # fmt: skip
"""The package's names, and whose work is behind each; nobody's in particular where there is none."""


def citation(*parts: str | Callable) -> str:
    """The BibTeX of the parts in use, and of metaforge itself.

    Args:
        *parts: the package's names for them ("daml", "conv4", "lfw", "celeb_df", ...), or the functions themselves.

    Returns:
        Entries in the order of the parts, each once, separated by blank lines. What is not known for sure is left
        out of an entry.

    Raises:
        ValueError: for a part that is not known; it lists those that are.

    Example:
        >>> print(citation("reptile").split("@")[1])
        article{nichol2018reptile,
          title = {On First-Order Meta-Learning Algorithms},
          author = {Nichol, Alex and Achiam, Joshua and Schulman, John},
          journal = {arXiv:1803.02999},
          year = {2018},
        }
        <BLANKLINE>
        <BLANKLINE>
    """
    known, entries = _known()
    names = [part if isinstance(part, str) else _name(part) for part in parts]
    for name in names:
        if name not in known:
            raise ValueError(f"citation: unknown part {name!r}; known: {', '.join(known)}.")
    keys = dict.fromkeys([key for name in names for key in known[name]] + ["metaforge"])
    return "\n\n".join(entries[key] for key in keys) + "\n"


def _name(part: Callable) -> str:
    part = part.func if isinstance(part, functools.partial) else part
    return getattr(part, "__name__", repr(part))


def _known() -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """By name the keys, and by key the entry: ours, and those that data sets' owners ask for."""
    # Here, since `LEARNERS` may have grown.
    from metaforge.learners import LEARNERS

    known, entries = _at_hand()
    return {name: learner.cites for name, learner in LEARNERS.items()} | known, entries


@functools.cache
def _at_hand() -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """All of them but for the keys of learners."""
    # Here, since it reads half of metaforge.data.
    from metaforge.data.catalogues import CATALOGUES

    sets = {name: _entries(entry.citation) for name, entry in CATALOGUES.items()}
    ours = _entries(resources.files("metaforge").joinpath("citations.bib").read_text(encoding="utf-8"))
    return _OF | {name: tuple(found) for name, found in sets.items()}, {
        key: entry for found in (ours, *sets.values()) for key, entry in found.items()
    }


def _entries(text: str) -> dict[str, str]:
    found = re.findall(r"^@\w+\{(\w+),\n.*?^\}$", text, re.DOTALL | re.MULTILINE)
    whole = re.findall(r"^@.*?^\}$", text, re.DOTALL | re.MULTILINE)
    return dict(zip(found, whole, strict=True))
