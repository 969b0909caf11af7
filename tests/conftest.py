"""One thread a test process: small products gain nothing from more, and workers side by side would fight for cores."""

import contextlib
import os
import shutil

import pytest
import torch
from hypothesis import settings

torch.set_num_threads(1)
# A busy machine is no failure, and the suite draws the same examples every time: `make fuzz` is where they are random.
settings.register_profile("aerec", deadline=None, derandomize="AEREC_FUZZ_EXAMPLES" not in os.environ, max_examples=50)
settings.load_profile("aerec")


@pytest.fixture
def full_disk():
    """Return a context in which no file may grow beyond so many bytes: every write beyond fails, as on a full disk."""
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")

    @contextlib.contextmanager
    def full(limit):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return full


@pytest.fixture
def dead_process():
    """Return the number of a process that is no more."""
    if not hasattr(os, "posix_spawn"):
        pytest.skip("needs POSIX")
    child = os.posix_spawn("/bin/sh", ["sh", "-c", "exit"], {})
    os.waitpid(child, 0)
    return child


@pytest.fixture(scope="session")
def chromium():
    """Chromium without a window, driven by selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="pages are tested with selenium: extra test")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("needs chromium and chromedriver on the path")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for switch in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"):
        options.add_argument(switch)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield browser
    browser.quit()


_BEYOND_THE_EDGE = """
const all = document.documentElement, width = window.innerWidth, found = [];
if (all.scrollWidth <= width) return found;
for (const element of document.body.querySelectorAll('*')) {
  if (element.getBoundingClientRect().right > width + 1) found.push(element.outerHTML.slice(0, 120));
}
return [`${all.scrollWidth} of ${width} pixels`, ...found.slice(-5)];
"""


@pytest.fixture
def beyond_the_edge(chromium):
    """Open an address at a width in pixels; return what makes the page scroll sideways, nothing if it does not."""

    def look(address, width):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        chromium.get(address)
        return chromium.execute_script(_BEYOND_THE_EDGE)

    return look
