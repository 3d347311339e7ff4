"""The BibTeX of the parts in use: whose work a result stands on."""

from collections.abc import Callable

_ENTRIES: dict[str, tuple[str, dict[str, str]]] = {
    "metaforge": ("software", {"title": "metaforge: meta-learning for domain adaptation in JAX", "year": "2026"}),
    "finn2017maml": ("inproceedings", {
        "title": "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks",
        "author": "Finn, Chelsea and Abbeel, Pieter and Levine, Sergey", "booktitle": "ICML", "year": "2017"}),
    "jin_daml": ("misc", {
        "title": "Difficulty-Aware Meta-Learning for Cross-Domain Face Forgery Detection",
        "author": "Jin, Shichen and Tan, Xiaoyang"}),
    "raghu2020anil": ("inproceedings", {
        "title": "Rapid Learning or Feature Reuse? Towards Understanding the Effectiveness of {MAML}",
        "author": "Raghu, Aniruddh and Raghu, Maithra and Bengio, Samy and Vinyals, Oriol",
        "booktitle": "ICLR", "year": "2020"}),
    "nichol2018reptile": ("article", {
        "title": "On First-Order Meta-Learning Algorithms",
        "author": "Nichol, Alex and Achiam, Joshua and Schulman, John", "journal": "arXiv:1803.02999", "year": "2018"}),
    "li2017metasgd": ("article", {
        "title": "{Meta-SGD}: Learning to Learn Quickly for Few-Shot Learning",
        "author": "Li, Zhenguo and Zhou, Fengwei and Chen, Fei and Li, Hang", "journal": "arXiv:1707.09835",
        "year": "2017"}),
    "antoniou2019mamlpp": ("inproceedings", {
        "title": "How to Train Your {MAML}",
        "author": "Antoniou, Antreas and Edwards, Harrison and Storkey, Amos", "booktitle": "ICLR", "year": "2019"}),
    "zintgraf2019cavia": ("inproceedings", {
        "title": "Fast Context Adaptation via Meta-Learning",
        "author": "Zintgraf, Luisa and Shiarlis, Kyriacos and Kurin, Vitaly and Hofmann, Katja and Whiteson, Shimon",
        "booktitle": "ICML", "year": "2019"}),
    "snell2017prototypical": ("inproceedings", {
        "title": "Prototypical Networks for Few-shot Learning",
        "author": "Snell, Jake and Swersky, Kevin and Zemel, Richard", "booktitle": "NeurIPS", "year": "2017"}),
    "bertinetto2019r2d2": ("inproceedings", {
        "title": "Meta-learning with Differentiable Closed-form Solvers",
        "author": "Bertinetto, Luca and Henriques, Joao F. and Torr, Philip H. S. and Vedaldi, Andrea",
        "booktitle": "ICLR", "year": "2019"}),
    "li2018mldg": ("inproceedings", {
        "title": "Learning to Generalize: Meta-Learning for Domain Generalization",
        "author": "Li, Da and Yang, Yongxin and Song, Yi-Zhe and Hospedales, Timothy M.", "booktitle": "AAAI",
        "year": "2018"}),
    "sun2021ltw": ("inproceedings", {
        "title": "Domain General Face Forgery Detection by Learning to Weight",
        "author": "Sun, Ke and Liu, Hong and Ye, Qixiang and Gao, Yue and Liu, Jianzhuang and Shao, Ling and "
                  "Ji, Rongrong",
        "booktitle": "AAAI", "year": "2021"}),
    "sagawa2020dro": ("inproceedings", {
        "title": "Distributionally Robust Neural Networks for Group Shifts",
        "author": "Sagawa, Shiori and Koh, Pang Wei and Hashimoto, Tatsunori B. and Liang, Percy",
        "booktitle": "ICLR", "year": "2020"}),
    "sun2016coral": ("inproceedings", {
        "title": "Deep {CORAL}: Correlation Alignment for Deep Domain Adaptation",
        "author": "Sun, Baochen and Saenko, Kate", "booktitle": "ECCV Workshops", "year": "2016"}),
    "arjovsky2019irm": ("article", {
        "title": "Invariant Risk Minimization",
        "author": "Arjovsky, Martin and Bottou, Leon and Gulrajani, Ishaan and Lopez-Paz, David",
        "journal": "arXiv:1907.02893", "year": "2019"}),
    "gulrajani2021domainbed": ("inproceedings", {
        "title": "In Search of Lost Domain Generalization",
        "author": "Gulrajani, Ishaan and Lopez-Paz, David", "booktitle": "ICLR", "year": "2021"}),
    "li2021tilted": ("inproceedings", {
        "title": "Tilted Empirical Risk Minimization",
        "author": "Li, Tian and Beirami, Ahmad and Sanjabi, Maziar and Smith, Virginia", "booktitle": "ICLR",
        "year": "2021"}),
    "lin2017focal": ("inproceedings", {
        "title": "Focal Loss for Dense Object Detection",
        "author": "Lin, Tsung-Yi and Goyal, Priya and Girshick, Ross and He, Kaiming and Dollar, Piotr",
        "booktitle": "ICCV", "year": "2017"}),
    "wang2021tent": ("inproceedings", {
        "title": "Tent: Fully Test-Time Adaptation by Entropy Minimization",
        "author": "Wang, Dequan and Shelhamer, Evan and Liu, Shaoteng and Olshausen, Bruno and Darrell, Trevor",
        "booktitle": "ICLR", "year": "2021"}),
    "schneider2020covariate": ("inproceedings", {
        "title": "Improving Robustness against Common Corruptions by Covariate Shift Adaptation",
        "author": "Schneider, Steffen and Rusak, Evgenia and Eck, Luisa and Bringmann, Oliver and Brendel, Wieland and "
                  "Bethge, Matthias",
        "booktitle": "NeurIPS", "year": "2020"}),
    "wang2019simpleshot": ("article", {
        "title": "{SimpleShot}: Revisiting Nearest-Neighbor Classification for Few-Shot Learning",
        "author": "Wang, Yan and Chao, Wei-Lun and Weinberger, Kilian Q. and van der Maaten, Laurens",
        "journal": "arXiv:1911.04623", "year": "2019"}),
    "tian2020embedding": ("inproceedings", {
        "title": "Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?",
        "author": "Tian, Yonglong and Wang, Yue and Krishnan, Dilip and Tenenbaum, Joshua B. and Isola, Phillip",
        "booktitle": "ECCV", "year": "2020"}),
    "li2025fakeradar": ("article", {
        "title": "{FakeRadar}: Probing Forgery Outliers to Detect Unknown Deepfake Videos",
        "author": "Li, Zhaolun and Li, Jichang and Cai, Yinqi and Chen, Junye and Luo, Xiaonan and Li, Guanbin and "
                  "Lan, Rushi",
        "journal": "arXiv:2512.14601", "year": "2025"}),
    "du2022vos": ("inproceedings", {
        "title": "{VOS}: Learning What You Don't Know by Virtual Outlier Synthesis",
        "author": "Du, Xuefeng and Wang, Zhaoning and Cai, Mu and Li, Yixuan", "booktitle": "ICLR", "year": "2022"}),
    "tao2023npos": ("inproceedings", {
        "title": "Non-Parametric Outlier Synthesis",
        "author": "Tao, Leitian and Du, Xuefeng and Zhu, Xiaojin and Li, Yixuan", "booktitle": "ICLR", "year": "2023"}),
    "ronen2022deepdpm": ("inproceedings", {
        "title": "{DeepDPM}: Deep Clustering With an Unknown Number of Clusters",
        "author": "Ronen, Meitar and Finder, Shahaf E. and Freifeld, Oren", "booktitle": "CVPR", "year": "2022"}),
    "tan2019efficientnet": ("inproceedings", {
        "title": "{EfficientNet}: Rethinking Model Scaling for Convolutional Neural Networks",
        "author": "Tan, Mingxing and Le, Quoc V.", "booktitle": "ICML", "year": "2019"}),
    "radford2021clip": ("inproceedings", {
        "title": "Learning Transferable Visual Models From Natural Language Supervision",
        "author": "Radford, Alec and Kim, Jong Wook and Hallacy, Chris and Ramesh, Aditya and Goh, Gabriel and "
                  "Agarwal, Sandhini and Sastry, Girish and Askell, Amanda and Mishkin, Pamela and Clark, Jack and "
                  "Krueger, Gretchen and Sutskever, Ilya",
        "booktitle": "ICML", "year": "2021"}),
    "shiohara2022sbi": ("inproceedings", {
        "title": "Detecting Deepfakes with Self-Blended Images",
        "author": "Shiohara, Kaede and Yamasaki, Toshihiko", "booktitle": "CVPR", "year": "2022"}),
    "perez2003poisson": ("inproceedings", {
        "title": "Poisson Image Editing",
        "author": "Perez, Patrick and Gangnet, Michel and Blake, Andrew", "booktitle": "SIGGRAPH", "year": "2003"}),
    "huang2007lfw": ("techreport", {
        "title": "Labeled Faces in the Wild: A Database for Studying Face Recognition in Unconstrained Environments",
        "author": "Huang, Gary B. and Ramesh, Manu and Berg, Tamara and Learned-Miller, Erik",
        "institution": "University of Massachusetts, Amherst", "number": "07-49", "year": "2007"}),
    "lake2015omniglot": ("article", {
        "title": "Human-level concept learning through probabilistic program induction",
        "author": "Lake, Brenden M. and Salakhutdinov, Ruslan and Tenenbaum, Joshua B.", "journal": "Science",
        "year": "2015"}),
}  # fmt: skip

_OF: dict[str, tuple[str, ...]] = {
    "maml": ("finn2017maml",),
    "fomaml": ("finn2017maml",),
    "daml": ("jin_daml", "finn2017maml"),
    "erm": ("gulrajani2021domainbed",),
    "anil": ("raghu2020anil",),
    "reptile": ("nichol2018reptile",),
    "meta_sgd": ("li2017metasgd",),
    "maml_plus_plus": ("antoniou2019mamlpp",),
    "partial": ("zintgraf2019cavia",),
    "protonet": ("snell2017prototypical",),
    "ridge": ("bertinetto2019r2d2",),
    "r2d2": ("bertinetto2019r2d2",),
    "mldg": ("li2018mldg",),
    "ltw": ("sun2021ltw",),
    "group_dro": ("sagawa2020dro",),
    "coral": ("sun2016coral",),
    "irm": ("arjovsky2019irm",),
    "uniform": (),
    "difficulty_aware": ("jin_daml",),
    "softmax": ("li2021tilted",),
    "focal": ("lin2017focal",),
    "fine_tune": (),
    "unadapted": (),
    "linear_probe": ("tian2020embedding",),
    "nearest_neighbour": ("wang2019simpleshot",),
    "prototypes": ("snell2017prototypical",),
    "bn_adapt": ("schneider2020covariate",),
    "tent": ("wang2021tent",),
    "conv4": ("finn2017maml",),
    "mlp": (),
    "efficientnet_lite0": ("tan2019efficientnet",),
    "efficientnet_b0": ("tan2019efficientnet",),
    "clip": ("radford2021clip",),
    "from_flax": (),
    "fakeradar": ("li2025fakeradar", "du2022vos", "ronen2022deepdpm"),
    "subcluster_outliers": ("ronen2022deepdpm", "du2022vos"),
    "neighbour_outliers": ("tao2023npos",),
    "self_blend": ("shiohara2022sbi",),
    "poisson_swap": ("perez2003poisson",),
    "lfw": ("huang2007lfw",),
    "omniglot": ("lake2015omniglot",),
}
"""The package's names, and whose work is behind each; nobody's in particular where there is none."""


def citation(*parts: str | Callable) -> str:
    """The BibTeX of the parts in use, and of metaforge itself.

    Args:
        *parts: the package's names for them ("daml", "conv4", "lfw", "tent", ...), or the functions themselves.

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
    names = [part if isinstance(part, str) else getattr(part, "__name__", repr(part)) for part in parts]
    for name in names:
        if name not in _OF:
            raise ValueError(f"citation: unknown part {name!r}; known: {', '.join(_OF)}.")
    keys = dict.fromkeys([key for name in names for key in _OF[name]] + ["metaforge"])
    return "\n\n".join(_entry(key) for key in keys) + "\n"


def _entry(key: str) -> str:
    kind, fields = _ENTRIES[key]
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}}}"
