"""Files of PyTorch: what it wrote is read back, and what could do harm is refused and not run."""

import base64
import contextlib
import io
import os
import pickle
import struct
import sys
import types
import zipfile
import zlib

import ml_dtypes
import numpy as np
import pytest

from metaforge.backbones._torch_file import read_torch_file
from metaforge.errors import InputError

# Written by torch 2.13, compressed: {"weight": x.t(), "part": x[:, 1:], "parameter": Parameter([-1.5, 2]),
# "half": bfloat16 [0.5, -3], "flag": [True, False], "count": 7, "none": zeros(0, 3)} with x = arange(6).reshape(2, 3).
ARCHIVE = (
    "c-o~_&u`mQ9Di}rB+E+LZa}*N9k4M{=+f9p+_dYOU?E?OMC*wu>Lv0LH@0x?ew~+2AR%=^?Y7(C4?sv0e*-s|IB;eNAr9O)3{G(8!h3e=`MoVo"
    "X<y=4N#5tj`}%!9_PUl#A(YLcXT~HthYY`M*}LXq$G}E$=VM1z@@SJ8d%|ac3e7YD+&1m5g(1<#9)T5GeQZ0uT+26a^=+rq!lv8v{MN3N1EEl8"
    "W(cB3W*S`+k|89gI-Y@Vgg@pW)l85%B^YZa$+^ALhqRW)klE0Xmehm;$Z82Kc>rhbx7(iMm~Cu(ZZG$t-!Xl&^S<52ImpfHa2CV34lgvxI?;~d"
    "W5`>?fR(gT)|eGgPHYe+fl^Kq=EMO^-M1+69ES5cyx2SwB8_bmn?AfWWP#C)9K3v}5G+B2X`&-wn4#8%eYl_{_F*>Ecm>0&I=pr-_%e4FF6!`l"
    "VAV35EqEg&8q`M#3M9%=iQWwOCAbvwUmozkMftCU{BL6@=rA8pZaGF5-eD;{&xz>X4d}|S5Yk;8&=o1&Vn|oQAnG7B$LJ;T`Ywht!}o#bb|bz@"
    "z*m7P;Y(nU3E%vD$g_l@ro(bz%k^9nR+y4i;Tpjp46D=wqL=x4cxl!`d>unWhxhu$buE+CzxgS7M?i=k>q9s6G+K!^baBh`w+-CdHT@phHL4<W"
    "`}(*;r260f{rl(CH9dyw&!VNL`h%_CG90_>ZksMvmGVg}$Q5d!ejENGYe&M72BuIwGH~k?Y<jd)ROQ+UmmUnq#@I2bhyCk+T%a+KKGH)Ttud*x"
    "SW=ahQy2(Y_v+-MLEhxpBgfYb>S+4GlP_k-A2TByEwGM6RVkq3>p%LQYE!*?7w<fv0@)FItE`@+Dzy_=0M#3hsCMcf*QC9a8ll}_wacoqdYa3>"
    "nLt$iyGuVbNAJHpQdsqhs;r$#eRDH2;HEBietqJx^+(64fAuu=AHLcNbUxCFVrGIDD(9&4$6s|n8eP9RBs~p~z<SU0ZIU3L8uZrJvOB6${GTfk"
    "CAn6Wm&(iXvRolANfyPDRFz7Vl2ogds-;r3R*`B|>hj^;hd&mGk3!%wLCr=!;}JahjC1}uf=9;#becgv7SOQJ=1JlqILnZ1B+(Jc%k#v8Y>MIe"
    "ImQzOC=ZXPPM(3^Od&4&cx*gDSnQuXR^+kq1YoiBX3ZuJkB#>)i~WVimU(Qv>sYLw=CGAR?DP9FK7Qk|RbDsVGZPH9kwJXt@!<GYo@2mY#=y^S"
    "vUM$;UN~&Y<kbi{&Yk}amx^lH!-z@;X;nTOeh;4(#?m2XJeVKO{SSbYl4}"
)
ROW_OF_PICKLES = (
    "c-nQ6NpI6o5P-d8p@x>SQ`WMlEWu8l#AZvVP%mbyx%h%C<GjX3#xG+(7lBkMmxh+#z=0$Gg8m(T0ul$tb`p`wJlRk3`1$*0#xoSYO2MCR>%W)Z"
    "|9HJr9||viiMVeASF;v5jvGXjQI`hx7Kvh?hQQ+iYaZVOK4Sr~N!at95QJSz!XW!JAa?A3CNYTHP^wvF48|Uf7?cgc67k6o8B~mtRZ1B&>_gQk"
    "CCS8D!RSZg_dN!@%V^|!bvt2x5KDGM-X(s}vl$6v8rfS734~hBs-^}!>GTPR`6tqPKpplb4@yw77VwO&wq;$_HM!YrXfl+uWZXf5$y8o4sBRdX"
    "AsWI64jH^5j$m%j#kvFHGAuimUPV0;k=`@kWfDj$CLCsP#Dw{*j)8*(E_j%ZCwhgtqh79A+(5dJYL20eAHnfGFQuJeaMFZR)?7|=J`hGCIQ^d%"
    "OixH~rogHwO;uJJ8k|L|fYzn7IAI6Q8T<~M&y5!tTr}a*ZuW5b3oM&(B`d~rf=#%ZW5@km%NnY*rY*fTV^j53TUO!v*mh%VyP4W<<+d6F+;3-s"
    "&A{oyoml~;!4!UX2EM8{+AR(4jp6k%{C*0TbGX8wVZv%QY%Wc3z|<M~a~!iNy?G$@wxX%fLOPH1HquvCa;nBaH{n5+a!5l04+~q3`DyrrA0dH5"
    "!s9eQE*+pJ`48^ov@V0ECak4{{x%)-f)e>6u29rzv8aZ^2`Cp0V};ZOE?+!1S(6CY>F!UW)r0T2{hzpXE8M?p*hyn};XTCrd-pE@h!ME"
)
GOLDEN = {
    "archive": zlib.decompress(base64.b85decode(ARCHIVE)),
    "row of pickles": zlib.decompress(base64.b85decode(ROW_OF_PICKLES)),
}


@pytest.fixture
def put(tmp_path):
    def put(data):
        path = tmp_path / "weights.pth"
        path.write_bytes(data)
        return path

    return put


@pytest.mark.parametrize("data", GOLDEN.values(), ids=GOLDEN)
def test_what_torch_wrote_is_read(data, put):
    found = read_torch_file(put(data))
    assert list(found) == ["weight", "part", "parameter", "half", "flag", "count", "none"]
    np.testing.assert_array_equal(found["weight"], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(found["part"], [[1, 2], [4, 5]])
    np.testing.assert_array_equal(found["parameter"], [-1.5, 2.0])
    np.testing.assert_array_equal(found["half"].astype(np.float32), [0.5, -3.0])
    np.testing.assert_array_equal(found["flag"], [True, False])
    assert found["count"] == 7
    assert found["none"].shape == (0, 3)
    kinds = [np.float32, np.float32, np.float32, ml_dtypes.bfloat16, np.bool_, np.int64, np.float32]
    assert [array.dtype for array in found.values()] == kinds
    assert not any(array.flags.writeable for array in found.values())


@pytest.mark.parametrize("data", GOLDEN.values(), ids=GOLDEN)
def test_a_file_cut_anywhere_gives_one_line(data, put):
    # Many lengths, and of the last thirty all.
    for length in [*range(0, len(data) - 30, 11), *range(len(data) - 30, len(data))]:
        with pytest.raises(InputError, match=r"^weights: [^\n]*$"):
            read_torch_file(put(data[:length]))


@pytest.mark.parametrize("data", GOLDEN.values(), ids=GOLDEN)
def test_a_changed_byte_gives_tensors_or_one_line(data, put):
    rng = np.random.default_rng(0)
    for _ in range(150):
        changed = bytearray(data)
        changed[rng.integers(len(data))] = rng.integers(256)
        with contextlib.suppress(InputError):
            assert all(isinstance(array, np.ndarray) for array in read_torch_file(put(bytes(changed))).values())


class Storage:
    """Stands for a storage while pickling."""

    def __init__(self, kind, key, count):
        self.described = ("storage", kind, key, "cpu", count)


class Rebuilt:
    """Stands for a tensor while pickling; `torch` is the fake module."""

    def __init__(self, torch, storage, offset, shape, strides):
        self.call = torch._utils._rebuild_tensor_v2, (storage, offset, shape, strides, False, {})

    def __reduce__(self):
        return self.call


class Runs:
    """Runs a command when an ordinary unpickler sees it."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def torch(monkeypatch):
    """Enough of a torch for the names that a file holds."""
    fake, parts = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def _rebuild_tensor_v2(*_):
        raise AssertionError("called")

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    fake.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    fake._utils, parts._rebuild_tensor_v2 = parts, _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", fake)
    monkeypatch.setitem(sys.modules, "torch._utils", parts)
    return fake


def pickled(value, protocol=2):
    class Pickler(pickle._Pickler):
        def persistent_id(self, obj):
            return obj.described if isinstance(obj, Storage) else None

    stream = io.BytesIO()
    Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def archive(value, raw, *, protocol=2, compression=zipfile.ZIP_STORED, prefix="archive/", more=()):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as file:
        file.writestr(f"{prefix}data.pkl", pickled(value, protocol))
        for key, data in raw.items():
            file.writestr(f"{prefix}data/{key}", data)
        for name, data in more:
            file.writestr(name, data)
    return stream.getvalue()


def row_of_pickles(value, raw, protocol=2):
    about = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    parts = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, about)]
    parts += [pickled(value, protocol), pickled(list(raw))]
    parts += [struct.pack("<q", len(data) // 4) + data for data in raw.values()]
    return b"".join(parts)


FORMATS = {"archive": archive, "row of pickles": row_of_pickles}
SIX = np.arange(6, dtype=np.float32).tobytes()


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_code_is_named_and_not_run(write, protocol, put, tmp_path):
    marker = tmp_path / "was run"
    value = {"weight": Runs(f"touch '{marker}'")}
    with pytest.raises(InputError, match=rf"wants to use {os.system.__module__}\.system, which is refused"):
        read_torch_file(put(write(value, {}, protocol=protocol)))
    with pytest.raises(InputError, match="is refused"):  # in the first of the pickles, too
        read_torch_file(put(pickled(value)))
    assert not marker.exists()
    pickle.loads(pickled(value))  # and that it would have been
    assert marker.exists()


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_what_a_tensor_may_say_of_its_storage(write, put, torch):
    def read(offset, shape, strides, count=6, data=SIX):
        storage = Storage(torch.FloatStorage, "0", count)
        tensor = Rebuilt(torch, storage, offset, shape, strides)
        return read_torch_file(put(write({"weight": tensor}, {"0": data})))["weight"]

    np.testing.assert_array_equal(read(0, (2, 3), (3, 1)), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read(1, (2, 2), (3, 1)), [[1, 2], [4, 5]])
    np.testing.assert_array_equal(read(5, (), ()), 5)
    outside = [
        (1, (2, 3), (3, 1)),  # one number too far
        (6, (), ()),
        (0, (2, 3), (4, 1)),
        (0, (7,), (1,)),
        (0, (2, 3, 2), (3, 1, 0)),  # twelve numbers made of six
        (0, (10**30,), (0,)),
        (0, (2,), (10**30,)),
        (-1, (2,), (1,)),
        (3, (2,), (-1,)),
        (0, (-2, -3), (3, 1)),
        (0, (2, 3), (1,)),
        (0.0, (2,), (1,)),
        (0, (True,), (1,)),
        (0, ("2",), (1,)),
        (0, (0, 10**30), (1, 1)),
        (0, (1,) * 100, (1,) * 100),
    ]
    for offset, shape, strides in outside:
        with pytest.raises(InputError):
            read(offset, shape, strides)
    for count, data in [(6, SIX[:-4]), (6, SIX + SIX), (7, SIX), (2**62, SIX), (-1, SIX)]:
        with pytest.raises(InputError):
            read(0, (2, 3), (3, 1), count, data)


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_only_tensors_by_name(write, put, torch):
    for value, message in [
        ([1.0], "holds a list, not tensors by name"),
        ({"epoch": 3}, "holds a int under 'epoch'"),
        ({"state_dict": {"weight": 1}}, "holds a dict under 'state_dict'"),
        ({"weight": torch.FloatStorage}, "holds a Global under 'weight'"),
        ({(1, 2): 3}, "has a tuple where none can be"),
        ({"weight": b"12"}, "wants to use"),
        ({"weight": np.ones(2)}, "wants to use numpy"),
    ]:
        with pytest.raises(InputError, match=message):
            read_torch_file(put(write(value, {})))


def test_an_archive_that_grows_is_refused(put, torch):
    def tensor(count):
        return {"weight": Rebuilt(torch, Storage(torch.FloatStorage, "0", count), 0, (count,), (1,))}

    zeros = bytes(4 * 10**6)
    with pytest.raises(InputError, match="is compressed"):
        read_torch_file(put(archive(tensor(10**6), {"0": zeros}, compression=zipfile.ZIP_DEFLATED)))
    data = archive(tensor(6), {"0": SIX})
    entry = struct.pack("<II", len(SIX), len(SIX))
    assert data.count(entry) == 2  # before the member and in the directory
    with pytest.raises(InputError, match="more than its length"):
        read_torch_file(put(data.replace(entry, struct.pack("<II", 2**30, 2**30))))


@pytest.mark.parametrize(
    "name",
    [
        "archive/../evil",
        "/evil",
        "other/evil",
        "archive//evil",
        "archive/./evil",
        "archive\\evil",
        "..",
        "archive/data/0",
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_member_names_are_those_of_torch(name, put, torch):
    tensor = Rebuilt(torch, Storage(torch.FloatStorage, "0", 6), 0, (6,), (1,))
    assert read_torch_file(put(archive({"w": tensor}, {"0": SIX}, more=[("archive/fine", b"")])))
    with pytest.raises(InputError, match="member names"):
        read_torch_file(put(archive({"w": tensor}, {"0": SIX}, more=[(name, b"")])))


def test_other_files(put, tmp_path, torch):
    tensor = {"w": Rebuilt(torch, Storage(torch.FloatStorage, "0", 6), 0, (6,), (1,))}
    whole = row_of_pickles(tensor, {"0": SIX})
    with pytest.raises(InputError, match="SHA-256"):
        read_torch_file(put(whole), sha256="0" * 64)
    with pytest.raises(InputError, match="goes on after"):
        read_torch_file(put(whole + b"0"))
    with pytest.raises(InputError, match="big-endian"):
        read_torch_file(put(archive(tensor, {"0": SIX}, more=[("archive/byteorder", b"big")])))
    with pytest.raises(InputError, match=r"without data\.pkl"):
        read_torch_file(put(archive(tensor, {"0": SIX}, prefix="archive/code/")))
    with pytest.raises(InputError, match="no file"):
        read_torch_file(tmp_path / "absent.pth")
    for data in (b"", b"\x89PNG", b"\x80", b"PK", b"<html>", pickled(3)):
        with pytest.raises(InputError, match=r"torch\.save"):
            read_torch_file(put(data))
