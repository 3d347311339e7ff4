"""A cluster of Ray on this machine, as tests start it: two nodes on loopback, and whatever it started ended."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import httpx
import psutil
import yaml

from tests.serving.conftest import until as patient

ROOT = Path(__file__).parents[2]

# Not 127.0.0.1, in whose place Ray puts the machine's own address.
LOOPBACK = "127.0.0.2"

QUEUE = 6
"""Files that may wait for replicas."""


class Nodes:
    """A head and another node, which are processes here; `serve run` is called as a person would."""

    def __init__(self, folder, port):
        from ray.cluster_utils import Cluster

        self.folder, self.url = folder, f"http://127.0.0.1:{port}"
        self.client = httpx.Client(base_url=self.url, timeout=60, limits=httpx.Limits(max_connections=None))
        self._common = {"node_ip_address": LOOPBACK, "object_store_memory": 100 << 20}
        # Where HTTP is answered and Serve is controlled is not what is lost here: `head` keeps the front on it.
        head = {"num_cpus": 1, "resources": {"head": 1}, "include_dashboard": False, **self._common}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = self._cluster.address

    def add(self):
        """Another node, which has room for one replica."""
        return self._cluster.add_node(num_cpus=1, **self._common)

    def lose(self, node):
        """Kills a node's raylet, as a machine would go."""
        self._cluster.remove_node(node, allow_graceful=False)

    def deploy(self, config):
        """`serve run CONFIG`."""
        path = self.folder / "ray.yaml"
        path.write_text(json.dumps(config))  # which is YAML, too
        command = [sys.executable, "-m", "ray.serve.scripts", "run", "--address", self.address, "--non-blocking", path]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    def deployments(self):
        """What Ray says of each."""
        from ray import serve

        apps = serve.status().applications
        return apps["metaforge"].deployments if "metaforge" in apps else {}

    def running(self, name):
        """How many replicas of a deployment can judge."""
        found = self.deployments()
        return found[name].replica_states.get("RUNNING", 0) if name in found else 0

    def settled(self):
        """Whether every deployment is as the last config wants it."""
        return bool(found := self.deployments()) and all(each.status == "HEALTHY" for each in found.values())

    def processes(self, name):
        """The processes of a deployment's replicas that can judge."""
        from ray.serve.context import _get_global_client

        # What the REST of Ray's dashboard says, which is not started here.
        found = _get_global_client().get_serve_details()["applications"].get("metaforge", {})
        replicas = found.get("deployments", {}).get(name, {"replicas": []})["replicas"]
        return {each["pid"] for each in replicas if each["state"] == "RUNNING"}

    def get(self, path, **more):
        return self.client.get(path, **more)

    def post(self, path, **more):
        return self.client.post(path, **more)

    def end(self):
        import ray
        from ray import serve

        self.client.close()
        with contextlib.suppress(Exception):
            serve.shutdown()
        ray.shutdown()
        self._cluster.shutdown()


@contextlib.contextmanager
def nodes(port):
    """A cluster that has ended behind the block, whatever happened in it."""
    import ray

    with tempfile.TemporaryDirectory(prefix="mf", dir="/tmp", ignore_cleanup_errors=True) as name:
        # Sockets' paths must be short, and what Ray writes beside its sessions is found by these.
        (Path(name) / "ray").mkdir()
        before = dict(os.environ)
        os.environ |= {"RAY_TMPDIR": name, "RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_LOG_TO_STDERR": "0",
                       "PYTHONPATH": str(ROOT)}  # fmt: skip
        os.environ.pop("RAY_ADDRESS", None)
        made = None
        try:
            made = Nodes(Path(name), port)
            ray.init(made.address, log_to_driver=False, logging_level="ERROR")
            yield made
        finally:
            started = below()
            try:
                if made is not None:
                    made.end()
            finally:
                for process in started:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
            os.environ.clear()
            os.environ |= before


def below():
    """All processes that this one started, and those that they did."""
    return psutil.Process().children(recursive=True)


def config_of(*, port, **arguments):
    """deploy/ray.yaml for a test: one proxy, and replicas small enough for the nodes."""
    found = yaml.safe_load((ROOT / "deploy" / "ray.yaml").read_text(encoding="utf-8"))
    found["http_options"]["port"] = port
    found["proxy_location"] = "HeadOnly"
    (app,) = found["applications"]
    # Where a test stops replicas on a busy machine, files wait for long, and are to be answered all the same.
    app["args"] |= {"degrade": 20.0, "refuse": 60.0} | arguments
    for each in app["deployments"]:
        each |= {"health_check_period_s": 1, "graceful_shutdown_wait_loop_s": 0.1}
        each["ray_actor_options"] = {"num_cpus": 0, "resources": {"head": 0.1}}
        if each["name"] == "Judge":
            del each["autoscaling_config"]
            each |= {"num_replicas": 2, "ray_actor_options": {"num_cpus": 1}, "max_queued_requests": QUEUE}
            each["health_check_timeout_s"] = 60  # they are stopped on purpose
    return found


def deployment(config, name):
    """The part of a config that is about one deployment."""
    return next(each for each in config["applications"][0]["deployments"] if each["name"] == name)


def until(holds, *, seconds=120.0):
    """Waits as `conftest.until` does, for as long as a cluster may take."""
    patient(holds, seconds=seconds)


class Asking:
    """Threads that ask again and again as long as the block runs; `answers` are all that they got."""

    def __init__(self, cluster, bodies, *, threads=3):
        self._cluster, self._bodies = cluster, bodies
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(threads)]
        self.answers = []

    def _ask(self, number):
        while not self._over.is_set():
            self.once(number)

    def once(self, number):
        """Asks once, whatever the threads do."""
        files = {"file": (f"{number}.png", self._bodies[number % len(self._bodies)])}
        try:
            answer = self._cluster.post("/v1/predict", files=files)
        except httpx.HTTPError as error:
            self.answers.append((number, 0, repr(error)))
        else:
            self.answers.append((number, answer.status_code, answer.json()))

    def more(self, count):
        """Waits until so many more are answered."""
        wanted = len(self.answers) + count
        until(lambda: len(self.answers) >= wanted)

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()
