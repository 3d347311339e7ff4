"""How each data set is obtained, what goes where, and whom to cite. There are no links to copies that others put up."""

from typing import NamedTuple


class Source(NamedTuple):
    """Where a data set comes from: `instructions` for its user, `citation` in BibTeX, and the owners' `homepage`."""

    instructions: str
    citation: str
    homepage: str


SOURCES: dict[str, Source] = {
    "faceforensics": Source(
        """FaceForensics++, with FaceShifter and the DeepFakeDetection actors.

Ask: the owners, by the form that their repository's dataset/README.md names. You agree to their terms, which forbid
passing the videos on; they send a download script by e-mail. A form; days to weeks.

Get, with that script: the original and all manipulated videos, file type "videos", compression c23 (about 10 GB; c40
about 2 GB; raw about 500 GB), and file type "masks" if you want the manipulated regions. The split lists train.json,
val.json and test.json are in dataset/splits of the repository.

Put:
  FaceForensics++/
    train.json  val.json  test.json                       (or in splits/)
    original_sequences/youtube/c23/videos/000.mp4 ...     1,000 videos
    original_sequences/actors/c23/videos/01__exit_phone_room.mp4 ...
    manipulated_sequences/Deepfakes/c23/videos/000_003.mp4 ...
      likewise Face2Face, FaceSwap, NeuralTextures, FaceShifter: 1,000 videos each
    manipulated_sequences/DeepFakeDetection/c23/videos/01_02__exit_phone_room__YVGY8LOK.mp4 ...
    manipulated_sequences/<method>/masks/videos/*.mp4     (as you like)
""",
        """@inproceedings{roessler2019faceforensics,
  title = {{FaceForensics++}: Learning to Detect Manipulated Facial Images},
  author = {R{\\"o}ssler, Andreas and Cozzolino, Davide and Verdoliva, Luisa and Riess, Christian and Thies, Justus
            and Nie{\\ss}ner, Matthias},
  booktitle = {International Conference on Computer Vision (ICCV)},
  year = {2019},
}
@misc{dufour2019contributing,
  title = {Contributing Data to Deepfake Detection Research},
  author = {Dufour, Nick and Gully, Andrew},
  howpublished = {Google AI Blog},
  year = {2019},
}
@inproceedings{li2020faceshifter,
  title = {Advancing High Fidelity Identity Swapping for Forgery Detection},
  author = {Li, Lingzhi and Bao, Jianmin and Yang, Hao and Chen, Dong and Wen, Fang},
  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2020},
}
""",
        "https://github.com/ondyari/FaceForensics",
    ),
    "celeb_df": Source(
        """Celeb-DF v2 (or v1): celebrities' interviews, and swaps between them.

Ask: the owners, by the form (Google or Tencent) that their repository's README names. A form; days to weeks.

Get: the archive of Celeb-DF-v2 (or of v1), and unpack it.

Put:
  Celeb-DF-v2/
    Celeb-real/id0_0000.mp4 ...              590 videos (v1: 158)
    YouTube-real/00000.mp4 ...               300 videos (v1: 250); both folders are the real part
    Celeb-synthesis/id0_id16_0000.mp4 ...    5,639 videos (v1: 795)
    List_of_testing_videos.txt               518 lines (178 real, 340 fake); 1 means real

The list of v2 names 56 of its 59 celebrities, so that training without any of them is not possible: with all of v2,
choose disjoint=video, and say that people are shared.
""",
        """@inproceedings{li2020celebdf,
  title = {{Celeb-DF}: A Large-scale Challenging Dataset for {DeepFake} Forensics},
  author = {Li, Yuezun and Yang, Xin and Sun, Pu and Qi, Honggang and Lyu, Siwei},
  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2020},
}
""",
        "https://github.com/yuezunli/celeb-deepfakeforensics",
    ),
    "dfdc": Source(
        """The Deepfake Detection Challenge (DFDC): training parts, labelled test set, or preview.

Ask: Meta, at ai.meta.com/datasets/dfdc (an AWS account is needed for the download), or accept the rules of the
challenge on Kaggle (training parts). No form to wait for, but accounts and rules: minutes to days; registration is
reported to fail for some.

Get one of: the 50 training parts (about 470 GB; each part can be used alone), the labelled test set, the preview.

Put, for subset=train:
  DFDC/
    dfdc_train_part_0/metadata.json          and *.mp4; likewise up to dfdc_train_part_49
For subset=test:
  DFDC/
    labels.csv                               filename,label (0 real, 1 fake); or test/labels.csv
    videos/*.mp4                             or test/*.mp4
For subset=preview:
  DFDC-preview/
    dataset.json
    original_videos/<person>/*.mp4
    method_A/<person>/<person>_A/*.mp4       likewise method_B
""",
        """@article{dolhansky2020dfdc,
  title = {The {DeepFake} Detection Challenge ({DFDC}) Dataset},
  author = {Dolhansky, Brian and Bitton, Joanna and Pflaum, Ben and Lu, Jikuo and Howes, Russ and Wang, Menglin and
            Canton Ferrer, Cristian},
  journal = {arXiv:2006.07397},
  year = {2020},
}
@article{dolhansky2019preview,
  title = {The Deepfake Detection Challenge ({DFDC}) Preview Dataset},
  author = {Dolhansky, Brian and Howes, Russ and Pflaum, Ben and Baram, Nicole and Canton Ferrer, Cristian},
  journal = {arXiv:1910.08854},
  year = {2019},
}
""",
        "https://ai.meta.com/datasets/dfdc/",
    ),
    "wild_deepfake": Source(
        """WildDeepfake: 7,314 face sequences from 707 videos of the internet.

Ask: the owners, by the request form in their repository, signed (by a supervisor for students), sent by e-mail. A
signed form; days to weeks.

Get: the four folders of archives. Do not unpack them.

Put:
  deepfake_in_the_wild/
    real_train/1.tar.gz ...      ("real train" will do); inside: 1/real/<sequence>/<frame>.png
    real_test/
    fake_train/1.tar.gz ...      inside: 1/fake/<sequence>/<frame>.png
    fake_test/
The frames are faces already: prepare them with --crop=whole.
""",
        """@inproceedings{zi2020wilddeepfake,
  title = {{WildDeepfake}: A Challenging Real-World Dataset for Deepfake Detection},
  author = {Zi, Bojia and Chang, Minghao and Chen, Jingjing and Ma, Xingjun and Jiang, Yu-Gang},
  booktitle = {ACM International Conference on Multimedia},
  year = {2020},
}
""",
        "https://github.com/deepfakeinthewild/deepfake-in-the-wild",
    ),
    "df40": Source(
        """DF40: forty forgery methods; swaps, re-enactments, synthesised and edited faces.

Ask: the owners, by the form that their repository's README names; licence CC BY-NC 4.0. A form; days.

Get: the test data of the methods you want (about 93 GB for all) and, to train on them, the training data (about 50 GB).
Both are face crops already: prepare them with --crop=whole. The real videos of the 31 methods with ff and cdf
are those of FaceForensics++ and Celeb-DF, to be asked for apart.

Put:
  DF40/
    <method>/ff/frames/000_003/000.png ...           fakes from FaceForensics++
    <method>/cdf/frames/id0_id1_0000/000.png ...     fakes from Celeb-DF
    <method>/fake/...  <method>/real/...             heygen, MidJourney, whichfaceisreal, stargan, starganv2,
                                                     styleclip, e4e, CollabDiff, deepfacelab
  DF40_train/
    <method>/ff/frames/...
""",
        """@inproceedings{yan2024df40,
  title = {{DF40}: Toward Next-Generation Deepfake Detection},
  author = {Yan, Zhiyuan and Yao, Taiping and Chen, Shen and Zhao, Yandan and Fu, Xinghe and Zhu, Junwei and Luo,
            Donghao and Wang, Chengjie and Ding, Shouhong and Wu, Yunsheng and Yuan, Li},
  booktitle = {Advances in Neural Information Processing Systems (NeurIPS), Datasets and Benchmarks},
  year = {2024},
}
""",
        "https://github.com/YZY-stack/DF40",
    ),
    "deeper_forensics": Source(
        """DeeperForensics-1.0: 1,000 swaps onto the videos of FaceForensics++, and 10,000 more with distortions.

Ask: the owners, by the form that their repository's dataset/README.md names, from an academic (.edu) e-mail address. A
form; days to weeks. The real part is FaceForensics++ at c23, to be asked for from its owners.

Get: the lists (6 MB) and manipulated_videos (about 119 GB for all; end_to_end alone will do). Leave source_videos
(164 GB) out: they are not the real part.

Put:
  DeeperForensics-1.0/
    lists/splits/train.txt  val.txt  test.txt             703, 96 and 201 names of fakes
    manipulated_videos/end_to_end/000_M101.mp4 ...        1,000 videos
    manipulated_videos/end_to_end_level_1/ ...            and so on, as you like
  FaceForensics++/                                        anywhere: give its folder as ff_root
    original_sequences/youtube/c23/videos/000.mp4 ...
""",
        """@inproceedings{jiang2020deeperforensics,
  title = {{DeeperForensics-1.0}: A Large-Scale Dataset for Real-World Face Forgery Detection},
  author = {Jiang, Liming and Li, Ren and Wu, Wayne and Qian, Chen and Loy, Chen Change},
  booktitle = {Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2020},
}
""",
        "https://github.com/EndlessSora/DeeperForensics-1.0",
    ),
    "face_folder": Source(
        """Your own real and fake faces: videos, folders of frames, or single images. Nobody has to be asked.

Put:
  faces/
    real/a.mp4  real/b/000.png ...           a video; a folder of frames, which is a video too
    fake/<method>/c.mp4 ...                  <method>/ may be left out
or, with splits of your own:
  faces/
    train/real/...  train/fake/...           likewise validation (or val) and test
or a CSV file, with paths relative to it:
  path,label,method,identity,split           only path and label must be there; all columns: path, label (real or fake),
  clips/a.mp4,real,,anna,train               dataset, method, video, identity, donor, pair (the video that a fake was
  clips/b.mp4,fake,swap,anna,train           made from), compression, split, mask
""",
        "",
        "",
    ),
}
"""By the names of `CATALOGUES`."""
