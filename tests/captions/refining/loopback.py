"""An endpoint on this machine that does what a test says, and a clock that only goes when somebody waits."""

import contextlib
import http.server
import json
import threading

from metaforge.captions.refining.asking import Time

RECORD = {
    "version": 1, "id": "fake/0", "fake": "fake/0.png", "real": "real/0.png", "method": None, "size": [64, 64],
    "answer": "forged", "reason": "", "shift": [0, 0], "mask": None, "share": 0.04, "noise": 3.0,
    "coverage": {"mouth": 0.9, "nose": 0.1}, "regions": ["mouth"], "cues": {"blur": 2.0}, "types": ["blur"],
    "sentence": "Forged: the mouth, 4.0 % of the image; detail is blurred.",
    "derivation": [{"step": "region", "name": "mouth", "value": 0.9, "unit": "share", "threshold": 0.25, "said": True}],
}  # fmt: skip
GOOD = "The mouth looks smeared."


def records(count):
    """Records that differ in their names and, so that the endpoint can tell them apart, in their sentences."""
    return [
        RECORD | {"id": f"fake/{i}", "fake": f"fake/{i}.png", "real": f"real/{i}.png",
                  "sentence": f"Forged: the mouth; detail is blurred, number {i}."}
        for i in range(count)
    ]  # fmt: skip


def completion(content, *, end="stop"):
    """The body of a chat completion with this text as the model's."""
    choice = {"message": {"role": "assistant", "content": content}, "finish_reason": end}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 20}}).encode()


def sentence(text):
    return completion(json.dumps({"sentence": text}))


def reply(handler, status, body, headers=()):
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Server:
    """Its address, and what it was asked."""

    def __init__(self, url):
        self.url, self.bodies, self.headers = url, [], []

    def numbers(self):
        """Which of `records` were asked for, in the order in which they came."""
        return [number_in(body) for body in self.bodies]


def number_in(body):
    said = body["messages"][1]["content"]
    text = said if isinstance(said, str) else said[0]["text"]
    return int(text.split("number ")[1].split(".")[0])


@contextlib.contextmanager
def serving(behave):
    """A server that calls `behave(handler, body)` for each request."""
    lock = threading.Lock()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                server.bodies.append(body)
                server.headers.append(dict(self.headers))
            self.close_connection = True
            with contextlib.suppress(OSError):  # the client may leave at any time
                behave(self, body)

        def log_message(self, *_):
            pass

    class Listener(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_):
            pass

    with Listener(("127.0.0.1", 0), Handler) as listening:
        server = Server(f"http://127.0.0.1:{listening.server_address[1]}/v1")
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()


class Clock:
    """Goes on when somebody waits, and by `tick` whenever somebody looks."""

    def __init__(self, *, tick=0.0, draw=1.0):
        self.seconds, self.tick, self.waits, self._draw = 0.0, tick, [], draw
        self._lock = threading.Lock()

    def now(self):
        with self._lock:
            self.seconds += self.tick
            return self.seconds

    def wait(self, seconds):
        with self._lock:
            self.waits.append(seconds)
            self.seconds += seconds

    def time(self):
        return Time(self.now, self.wait, lambda: self._draw)
