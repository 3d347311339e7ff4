"""What is deployed: the unit is as systemd wants it, and the image is built of what is there."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metaforge.cli import backup
from metaforge.commands.parsing import parse
from metaforge.serving.options import Options

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "metaforge.service").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
EXTRAS = re.search(r"^SERVE_EXTRAS := (.+)$", MAKEFILE, re.MULTILINE)[1]


def instructions():
    """Those of the Dockerfile, each as its name and the rest, lines joined."""
    text = re.sub(r"^#.*\n", "", (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


IMAGE = instructions()


def of(name):
    return [rest for kind, rest in IMAGE if kind == name]


def test_only_instructions_that_docker_knows_are_there():
    known = {"FROM", "WORKDIR", "COPY", "RUN", "USER", "ENV", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK"}
    assert {kind for kind, _ in IMAGE} - {"ENTRYPOINT"} <= known
    assert IMAGE[0][0] == "FROM"


def test_whatever_is_copied_exists_and_is_let_through():
    ignore = (ROOT / ".dockerignore").read_text().splitlines()
    let = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore  # so that a file of tokens which lies beside is not sent to the builder
    copied = {part for rest in of("COPY") if "--from" not in rest for part in rest.split()[:-1]}
    assert copied == let
    assert all((ROOT / part).exists() for part in copied)


def test_the_image_installs_what_make_serve_installs():
    (install,) = [run for run in of("RUN") if " install --quiet" in run]
    assert f"'.[{EXTRAS}]'" in install
    assert "-c constraints.txt" in install
    # The second command is the Makefile's, too.
    assert any("-m metaforge.data.detection.model_files" in run for run in of("RUN"))
    assert "-m metaforge.data.detection.model_files" in MAKEFILE


def test_the_image_is_nobody_s_and_has_no_secrets():
    (user,) = of("USER")
    assert int(user) > 0
    last = [kind for kind, _ in IMAGE]
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert not re.search(r"(?i)token=|password|secret=", " ".join(of("ENV") + of("RUN")))
    (health,) = of("HEALTHCHECK")
    assert "/readyz" in health


def flags_of(command):
    return parse(["serve", *command[command.index("serve") + 1 :]], "", Options(), None, {})[0]


def test_both_call_the_service_with_flags_that_it_has(monkeypatch):
    monkeypatch.setattr("metaforge.commands.parsing.settled", lambda flag, given, *args, **more: given)
    (entry,) = of("ENTRYPOINT")
    image = flags_of(re.findall(r'"([^"]*)"', entry))
    # Beyond this machine a service wants tokens.
    assert (image.host, bool(image.tokens)) == ("0.0.0.0", True)
    assert f"EXPOSE {image.port}" == "EXPOSE " + of("EXPOSE")[0]
    unit = flags_of(shlex.split(re.search(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)[1]))
    assert (unit.host, bool(unit.tokens)) == (Options().host, True)
    # systemd waits for longer than the service does, and so tells it to end only once.
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[1]) > unit.grace


def analysed(*arguments):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here: the unit is not checked")
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


UNITS = sorted(path.name for path in (ROOT / "deploy").iterdir() if path.suffix in (".service", ".timer"))


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_unit(tmp_path, name):
    # The program is installed nowhere here; any other stands for it. A timer wants its service beside it.
    for each in UNITS:
        text = (ROOT / "deploy" / each).read_text(encoding="utf-8")
        (tmp_path / each).write_text(text.replace("/opt/metaforge/bin/metaforge", sys.executable))
    done = analysed("verify", "--man=no", str(tmp_path / name))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name in UNITS if name.endswith(".service")])
def test_systemd_finds_the_unit_safe(name):
    done = analysed("security", "--offline=true", "--threshold=15", str(ROOT / "deploy" / name))
    assert done.returncode == 0, done.stdout[-200:]
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    for needed in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "MemoryMax="):
        assert needed in text
    assert ("LoadCredential=" in text) == (name == "metaforge.service")


def test_the_backup_is_of_the_state_of_the_service():
    text = (ROOT / "deploy" / "metaforge-backup.service").read_text(encoding="utf-8")
    words = shlex.split(re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)[1])
    options = parse(["backup", *words[words.index("backup") + 1 :]], "", backup.Options(), None, {})[0]
    assert f"--state={options.state}" in re.search(r"^ExecStart=(.+)$", UNIT, re.MULTILINE)[1].split()
    assert options.keep > 0
    # Units of one user share the state that is its own.
    assert "User=metaforge\n" in text
    environment = "EnvironmentFile=-/etc/metaforge/environment"
    assert environment in text
    assert environment in UNIT
    timer = (ROOT / "deploy" / "metaforge-backup.timer").read_text(encoding="utf-8")
    assert "WantedBy=timers.target" in timer
