"""Debian's chromium, and pages of a service that runs; a page that breaks its own rules fails its test."""

import os

import pytest

from tests.programs import program

pytest.importorskip("fastapi")
WAIT = 20_000  # milliseconds until a page must have done what it is to do


# While it runs, so does an event loop in this thread, and other modules have use for one of their own.
@pytest.fixture(scope="module")
def browser():
    """A browser for the tests of a module."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = program("chromium")
    # A container has little shared memory, and its root no sandbox.
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=path, args=flags)
        yield made
        made.close()


class Watched:
    """A page, and whatever it did that it should not."""

    def __init__(self, browser, url, *, token="", **context):
        self.url, self.faults, self.requests = url, [], []
        self.context = browser.new_context(**{"viewport": {"width": 1000, "height": 800}} | context)
        self.context.set_default_timeout(WAIT)
        if token:
            self.context.add_init_script(f"sessionStorage.getItem('metaforge-token') || "
                                         f"sessionStorage.setItem('metaforge-token', '{token}')")  # fmt: skip
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", self._said)
        self.page.on("request", self._asked)
        # From now on the dialog for files is the test's; begun with the key that opens it, it would come too late.
        self.page.on("filechooser", lambda chooser: None)
        self.page.goto(url)

    def _said(self, message):
        # An answer of 4xx is said there, too, and is no fault of the page.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource"):
            self.faults.append(message.text)

    def _asked(self, request):
        self.requests.append(request)
        if not request.url.startswith((self.url, "blob:", "data:")):
            self.faults.append(f"asked for {request.url}")

    def asked(self, path):
        """The requests for a path, in their order."""
        return [request for request in self.requests if request.url == self.url + path]

    def give(self, *files):
        """Chooses files: names and their bytes."""
        self.page.set_input_files("#files", [{"name": name, "mimeType": "", "buffer": data} for name, data in files])

    def text(self, selector):
        """What stands in an element."""
        return self.page.locator(selector).inner_text()

    def wait(self, selector, text=None):
        """Until an element is seen, with a text in it."""
        found = self.page.locator(selector)
        (found.filter(has_text=text) if text else found).first.wait_for()

    def press(self, name):
        """Presses the button of a name."""
        self.page.get_by_role("button", name=name, exact=True).click()

    def sideways(self):
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.fixture
def visit(browser, running):
    """Opens the page of the module's service."""
    opened = []

    def open_page(**context):
        opened.append(Watched(browser, running.url, **context))
        return opened[-1]

    yield open_page
    for page in opened:
        page.context.close()
        assert page.faults == []
