"""A real PostgreSQL, of these tests alone: made in a temporary folder, reached by a socket in it, ended and removed."""

import contextlib
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import urllib.parse
from pathlib import Path

import pytest

from tests.programs import program

PASSWORD = "hunter2/@:?&=%"
"""Of its one user: letters that a URL has to escape."""

# It ends with whoever started it, however that ends, and nothing of it stays.
KEEPER = """
"$@" & server=$!
trap '' INT TERM
cat > /dev/null
kill -QUIT $server
wait $server
rm -rf "$FOLDER"
"""


class Cluster:
    """A running server; every database asked of it is a new one."""

    def __init__(self, folder, binaries, who):
        self.folder, self._binaries, self._who, self._numbers = folder, binaries, who, itertools.count()
        self._call("initdb", f"--pgdata={folder}/data", "--username=ann", "--auth=scram-sha-256", "--encoding=UTF8",
                   "--locale=C", "--no-sync", f"--pwfile={folder}/password")  # fmt: skip
        self._keeper = None

    def _call(self, name, *flags):
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "PGPASSWORD": PASSWORD}
        done = subprocess.run([self._binaries / name, *flags], capture_output=True, text=True, check=False, cwd="/",
                              env=environment, timeout=60, **self._who)  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        """Starts it, and waits until it answers."""
        settings = {"listen_addresses": "", "unix_socket_directories": self.folder, "fsync": "off", "autovacuum": "off",
                    "max_connections": "50", "shared_buffers": "8MB", "logging_collector": "off"}  # fmt: skip
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self._keeper = subprocess.Popen(
                ["/bin/sh", "-c", KEEPER, "keeper", self._binaries / "postgres", "-D", self.folder / "data", *words],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", env={"PATH": os.environ.get("PATH", ""),
                "FOLDER": str(self.folder), "LC_ALL": "C"}, **self._who,
            )  # fmt: skip
        for _ in range(1000):
            done = subprocess.run([self._binaries / "pg_isready", "-q", "-t1", "-h", self.folder], check=False)
            if done.returncode == 0:
                return
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._keeper.wait(0.02)
        raise AssertionError((self.folder / "log").read_text())

    def cut(self):
        """Ends every connection, as a server does that is started again."""
        self.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'ann'"
        )

    def stop(self):
        """Ends it, and removes its folder."""
        if self._keeper is not None:
            self._keeper.stdin.close()
            self._keeper.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def sql(self, text, *, database="postgres"):
        """Runs statements from outside."""
        return self._call("psql", "-h", str(self.folder), "-U", "ann", "-d", database, "-v", "ON_ERROR_STOP=1", "-qAtc",
                          text).strip()  # fmt: skip

    def url(self, *, encoding="UTF8", password=PASSWORD, database=""):
        """That of an empty database."""
        if not database:
            database = f"d{next(self._numbers)}"
            self.sql(f"CREATE DATABASE {database} TEMPLATE template0 ENCODING '{encoding}'")
        secret = urllib.parse.quote(password, safe="")
        return f"postgresql+psycopg://ann:{secret}@/{database}?host={self.folder}"


@contextlib.contextmanager
def running():
    """A cluster; whatever asks for it where it cannot be had is skipped."""
    binaries = Path(program("postgres")).resolve().parent
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    (folder / "password").write_text(PASSWORD)
    who = {}
    if os.getuid() == 0:  # as which it does not run
        names = [name for name in ("postgres", "nobody") if any(each.pw_name == name for each in pwd.getpwall())]
        user = pwd.getpwnam(names[0])
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)
    try:
        cluster = Cluster(folder, binaries, who)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
