"""The pictures of README and of the gallery: `python docs/screenshots.py`; needs Chromium, and JupyterLab for one.

Everything in them comes from the generated sample. Written to docs/assets. Without JupyterLab the picture of the
notebook stays as it is.
"""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

ASSETS = Path(__file__).parent / "assets"
DESK, PHONE = (1280, 1000), (390, 844)
PAGE_PORT, LAB_PORT = 8423, 8424
MODELS = "popularity,ease,mult-dae,sparse-autoencoder"
PLOTS = ("recall-by-k", "quality-by-popularity", "learning-mult-dae", "use-sparse-autoencoder")
NOTEBOOK = """\
from aerec.baselines import Popularity
from aerec.datasets import load_dataset
from aerec.models import EASE
from aerec.reporting import SideBySide
from aerec.splitting import StrongGeneralization

likes = load_dataset("sample").binarize(4.0).filter(min_per_user=5)
split = StrongGeneralization(n_users=100, seed=42).split(likes)
models = {"ease": EASE(l2=200.0), "popularity": Popularity()}
models = {name: model.fit(split.train) for name, model in models.items()}
SideBySide(models, split, k=6)"""


def aerec(*words: str) -> None:
    """Run a command of aerec."""
    subprocess.run([sys.executable, "-m", "aerec", *words], check=True, stdout=subprocess.DEVNULL)


def browser() -> webdriver.Chrome:
    """Return Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"):
        options.add_argument(switch)
    return webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))


def resize(driver: webdriver.Chrome, size: tuple[int, int]) -> None:
    """Give the window a size in pixels."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


@contextmanager
def server(command: list[str], probe: str, folder: Path) -> Iterator[None]:
    """Run a server until its address answers, and stop it at the end."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(240):
            try:
                urlopen(probe).close()
                break
            except URLError:
                time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


def save(driver: webdriver.Chrome, name: str) -> None:
    """Take a picture of the window."""
    write(Image.open(io.BytesIO(driver.get_screenshot_as_png())), name)


def write(picture: Image.Image, name: str, width: int | None = None) -> None:
    """Write a picture with few colours, those of thin lines among them, as a small file."""
    picture = picture.convert("RGB")
    if width is not None:
        picture = picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.LANCZOS)
    few = picture.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE)
    few.save(ASSETS / f"{name}.png", optimize=True)


def picture_page(driver: webdriver.Chrome, folder: Path) -> None:
    """Serve a run, like two films, and take pictures of a desk and a phone."""
    aerec("train", "sample", "--model", "mult-dae", "--out", str(folder / "run"))
    address = f"http://127.0.0.1:{PAGE_PORT}/"
    command = [sys.executable, "-m", "aerec", "serve", str(folder / "run"), "--port", str(PAGE_PORT)]
    with server(command, f"{address}readyz", folder):
        resize(driver, DESK)
        driver.get(address)
        time.sleep(1)
        search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
        for words in ("the", "night"):
            search.clear()
            search.send_keys(words)
            time.sleep(1)
            search.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
            time.sleep(1)
        save(driver, "page")
        resize(driver, PHONE)
        time.sleep(1)
        save(driver, "page-phone")


def picture_report(driver: webdriver.Chrome, folder: Path) -> None:
    """Write a report, and take pictures of it and of some of its plots."""
    report, plots = folder / "report.html", folder / "plots"
    aerec("benchmark", "sample", "--models", MODELS, "--report", str(report), "--plots", str(plots))
    for size, name in ((DESK, "report"), (PHONE, "report-phone")):
        resize(driver, size)
        driver.get(report.as_uri())
        time.sleep(1)
        save(driver, name)
    for name in PLOTS:
        write(Image.open(plots / f"{name}.png"), name, 720)


def picture_notebook(driver: webdriver.Chrome, folder: Path) -> None:
    """Run a cell in JupyterLab, and take a picture of its output with the menus."""
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": NOTEBOOK, "outputs": [], "execution_count": None}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    content = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (folder / "two-models.ipynb").write_text(json.dumps(content), encoding="utf-8")
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={LAB_PORT}",
        "--IdentityProvider.token=",
        "--expose-app-in-browser",
    ]
    address = f"http://127.0.0.1:{LAB_PORT}"
    with server([sys.executable, "-m", "jupyterlab", *options], f"{address}/api", folder):
        resize(driver, DESK)
        driver.get(f"{address}/doc/tree/two-models.ipynb")
        for _ in range(60):
            time.sleep(1)
            if driver.find_elements(By.CSS_SELECTOR, ".jp-CodeCell .cm-content"):
                break
        time.sleep(5)
        driver.execute_script("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        for _ in range(60):
            time.sleep(1)
            if driver.find_elements(By.CSS_SELECTOR, ".jp-OutputArea-output .widget-dropdown"):
                break
        driver.execute_script("[...document.querySelectorAll('button')].find((b) => b.textContent == 'No')?.click()")
        time.sleep(2)
        save(driver, "notebook")


def join() -> None:
    """Put the page and the report side by side, for README."""
    parts = [Image.open(ASSETS / f"{part}.png").convert("RGB") for part in ("page", "report")]
    joined = Image.new("RGB", (sum(part.width for part in parts) + 40, max(part.height for part in parts)), "white")
    joined.paste(parts[0], (0, 0))
    joined.paste(parts[1], (parts[0].width + 40, 0))
    write(joined, "page-and-report", joined.width // 2)


def main() -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as name:
        driver = browser()
        try:
            picture_page(driver, Path(name))
            picture_report(driver, Path(name))
            if importlib.util.find_spec("jupyterlab"):
                picture_notebook(driver, Path(name))
        finally:
            driver.quit()
    join()


if __name__ == "__main__":
    main()
