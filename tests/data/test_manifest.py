"""A manifest goes out and comes back, and says in one line what is wrong with it."""

import numpy as np
import pytest

from metaforge.data import manifest
from metaforge.data.domains import split
from metaforge.data.manifest import FIELDS, read_manifest, write_manifest
from metaforge.errors import InputError

ROW = {
    "path": "frames/a/0.png",
    "label": 1,
    "dataset": "set",
    "method": "swap",
    "video": "set/swap/a",
    "identity": "set/1",
    "donor": "set/2",
    "pair": "set/real/a#0",
    "compression": "c23",
    "split": "train",
    "frame": 7,
    "mask": "masks/a/0.png",
}


def test_what_was_written_is_read(tmp_path):
    other = ROW | {"path": 'odd, "name".png', "label": 0, "method": "real", "frame": 0}
    write_manifest(tmp_path, [ROW, other])
    records = read_manifest(tmp_path, size=8)
    assert records.image.paths.tolist() == [ROW["path"], other["path"]]
    for name in ("video", "identity", "donor", "pair", "compression", "split", "method"):
        assert getattr(records, name).tolist() == [ROW[name], other[name]], name
    assert records.label.tolist() == [1, 0]
    assert records.frame.tolist() == [7, 0]
    assert set(ROW) == set(FIELDS)


def test_a_list_of_paths_and_labels_is_enough_and_every_file_is_a_video(tmp_path):
    (tmp_path / "mine.csv").write_text("label,path,remark\nreal,a.png,x\n1,b.png,y\n")
    records = read_manifest(tmp_path / "mine.csv", size=8)
    assert records.label.tolist() == [0, 1]
    assert records.video.tolist() == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'path'"),
        ("path,label\n", "has no row"),
        ("path\na.png\n", "no column 'label'"),
        ("path,label\na.png,0\nb.png,2\n", "line 3: label '2' is not 0, real, 1 or fake"),
        ("path,label\na.png\n", "line 2: 1 values for 2 columns"),
        ("path,label,split\na.png,0,val\n", "line 2: split 'val' is not one of train, validation, test"),
        ("path,label\n../a.png,0\n", r"line 2: '../a\.png' is not a path below"),
        ("path,label\n/a.png,0\n", "is not a path below"),
        ("path,label\na\\b.png,0\n", "is not a path below"),
        ("path,label,frame\na.png,0,1\nb.png,0,x\n", "line 3: frame 'x' is not a whole number from 0 to 2147483647"),
        ("path,label,frame\na.png,0,2147483648\n", "line 2: frame '2147483648' is not a whole number from 0"),
        ("path,label,frame\na.png,0,99999999999999999999\n", "line 2: frame '99999999999999999999' is not"),
        ("path,label,frame\na.png,0,-1\n", "line 2: frame '-1' is not a whole number from 0"),
        ("path,label\n\na.png,0\n\n\nb.png,2\n", "line 6: label '2' is not"),
        ('path,label\na.png,"0\n1"\n', r"line 2: label '0\\n1' is not"),
        ("path,label\n\n  \n", "has no row"),
        ("path,label,label\na.png,0,1\n", "has the column 'label' twice"),
        ("path,label,split,Split\na.png,0,train,test\n", "has the column 'split' twice"),
        ("path;label\na.png;0\n", "has no column 'path', for ';' parts its columns"),
        ('path,label,remark\na.png,0,"5 inch\nb.png,1,x\n', "is not a CSV file"),
        ('path,label,remark\na.png,0,"5 inch\nb.png,1,6"\n', "line 2: a quote does not end on its line"),
        ("path,label\na\0.png,0\n", r"line 2: path 'a\\x00\.png' is not one line of text"),
        ("path,label,frame\na.png,0,1_0\n", "line 2: frame '1_0' is not a whole number"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, text, message):
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_manifest(tmp_path, size=8)
    assert "\n" not in str(caught.value)


def test_a_file_a_person_and_a_column_are_spelt_in_one_way(tmp_path):
    text = "\ufeff Path,LABEL,Identity,method\r\n./d//a.png, 0 ,Andr\u00e9,real\r\nd/b.png,1,Andre\u0301 , swap\r\n"
    (tmp_path / "manifest.csv").write_text(text, encoding="utf-8", newline="")
    records = read_manifest(tmp_path, size=8)
    assert records.image.paths.tolist() == records.video.tolist() == ["d/a.png", "d/b.png"]
    assert records.label.tolist() == [0, 1]
    assert records.identity.tolist() == ["Andr\u00e9"] * 2
    assert records.method.tolist() == ["real", "swap"]


@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\n   \n\n", ""])
@pytest.mark.parametrize("name", ["b.png", '"b, c.png"'])
def test_blank_lines_are_nobodys_rows(tmp_path, name, end):
    (tmp_path / "manifest.csv").write_text(f"path,label,frame\na.png,0,2147483647\n\n{name},1,{end}", newline="")
    records = read_manifest(tmp_path, size=8)
    assert records.image.paths.tolist() == ["a.png", name.strip('"')]
    assert records.frame.tolist() == [2**31 - 1, 0]


def test_a_list_without_splits_is_read_and_refused_where_splits_are_needed(tmp_path):
    (tmp_path / "manifest.csv").write_text("path,label\na.png,0\nb.png,1\n")
    with pytest.raises(
        InputError, match=r"2 of 2 images are in no split, the first 'a\.png'\. Write train, validation"
    ):
        split(read_manifest(tmp_path, size=8))


def test_a_file_that_is_closed_to_us_is_said(tmp_path, monkeypatch):
    write_manifest(tmp_path, [ROW])

    def closed(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", closed)
    with pytest.raises(InputError, match=r"cannot be opened \(Permission denied\)\. Check its permissions"):
        read_manifest(tmp_path, size=8)


def test_bytes_that_are_no_text_and_a_missing_file_are_said(tmp_path):
    with pytest.raises(InputError, match="there is no"):
        read_manifest(tmp_path, size=8)
    (tmp_path / "manifest.csv").write_bytes(b"\xff\xfe\x00path")
    with pytest.raises(InputError, match="is not a CSV file"):
        read_manifest(tmp_path, size=8)


def test_lines_are_counted_across_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "_CHUNK", 50)
    lines = ["path,label", *(f"{i}.png,{i % 2}" for i in range(60)), "bad.png,maybe"]
    (tmp_path / "manifest.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=r"line 62: label 'maybe'"):
        read_manifest(tmp_path, size=8)


def test_quoted_and_plain_lines_are_read_alike(tmp_path, monkeypatch):
    monkeypatch.setattr(manifest, "_CHUNK", 50)
    plain = [f"{i}.png,{i % 2},m{i % 3}" for i in range(53)]
    (tmp_path / "plain.csv").write_text("\r\n".join(["path,label,method", *plain]) + "\r\n")
    quoted = [*plain[:51], '"51.png",1,"m0"', *plain[52:]]
    (tmp_path / "quoted.csv").write_text("\n".join(["path,label,method", *quoted]))
    one, other = (read_manifest(tmp_path / f"{name}.csv", size=8) for name in ("plain", "quoted"))
    assert one.image.paths.tolist() == other.image.paths.tolist() == [f"{i}.png" for i in range(53)]
    assert one.method.tolist() == other.method.tolist()
    assert one.label.tolist() == other.label.tolist()


def test_an_interrupted_write_leaves_the_old_manifest(tmp_path):
    write_manifest(tmp_path, [ROW])
    before = (tmp_path / "manifest.csv").read_bytes()

    def rows():
        yield ROW
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_manifest(tmp_path, rows())
    assert (tmp_path / "manifest.csv").read_bytes() == before
    assert np.array_equal(read_manifest(tmp_path, size=8).label, [1])
