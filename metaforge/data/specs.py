"""What images there are and how episodes are drawn of them, as plain settings."""

import dataclasses

from metaforge.settings import setting


@dataclasses.dataclass(frozen=True)
class RealFaces:
    """Real faces, and how many forgeries are made of each."""

    folder: str = setting("london", "Real faces: 'london' or 'lfw' (embedded), or a folder.", place="read")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    landmarks: str = setting(
        "", "An .npz, 'mesh' (found) or 'none'; default: landmarks*.npz in the folder, or 'mesh'.", place="read"
    )
    acquisitions: str = setting("none", "Of none, jpeg, downscale, varied, wild: each makes a domain of every method.")
    variants: int = setting(6, "Forged pairs of each face and domain.", least=1, most=10_000)
    split_seed: int = setting(0, "How people are split into train, validation and test.", most=2**32 - 1)


@dataclasses.dataclass(frozen=True)
class FacesSpec(RealFaces):
    """Real faces and what forges them, or prepared data sets, and who is left out."""

    prepared: str = setting("", "Prepared data sets instead: folders of metaforge prepare.", place="read")
    frames: int = setting(0, "Frames of each video, spread evenly, of prepared data; 0 for all.")
    collection: str = setting("", "Regular expression whose group finds the collection in a file's path; '' for one.")
    memory_gb: float = setting(8.0, "The most that a split's images may take in memory.", above=0)
    methods: str = setting("all", "Source forgery methods, or 'all' but the held-out ones.")
    holdout: str = setting("", "Methods never trained or selected on.")
    captions: str = setting(
        "", "What images show, for --model.text: 'exact', of our forgeries, or a file of metaforge annotate.",
        place="read",
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CollectedFaces:
    """Real faces of several collections, and who is who in them."""

    folder: str = setting("", "Folder of photographs; collections are told apart by their paths.", place="read")
    collection: str = setting("^([^/]+)/", "Regular expression whose group finds the collection in a file's path.")
    identity: str = setting("", "Regular expression whose group finds the person in a file's path.")
    people: str = setting("", "Instead: a CSV with the columns file (below the folder) and person.", place="read")
    landmarks: str = setting(
        "", "An .npz, 'mesh' (found) or 'none'; default: landmarks*.npz in the folder, or 'mesh'.", place="read"
    )


@dataclasses.dataclass(frozen=True)
class EpisodeSpec:
    """How many domains and images an outer step sees."""

    tasks: int = setting(4, "Domains in a meta-batch (paper: 4).", least=1, most=10_000)
    lead: str = setting("", "Source methods that are in every meta-batch.")
    shots: int = setting(5, "Support images per class.", open_in_paper=True, least=1, most=100_000)
    queries: int = setting(10, "Query images per class.", open_in_paper=True, least=1, most=100_000)
    fake_share: float = setting(
        0.5, "Share of fakes in a support set of training.", open_in_paper=True, above=0, below=1
    )
    augment: str = setting(
        "none", "What happens to images in training alone: none, light, strong, or a list such as flip,jpeg."
    )
