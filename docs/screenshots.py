"""The picture in README: the web page and the report, side by side. `python docs/screenshots.py`; needs Chromium.

Everything in it comes from the generated sample. Written to docs/assets/page-and-report.png.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

OUT = Path(__file__).parent / "assets" / "page-and-report.png"
WIDTH, HEIGHT, PORT = 1280, 1500, 8423


def aerec(*words: str) -> None:
    """Run a command of aerec."""
    subprocess.run([sys.executable, "-m", "aerec", *words], check=True, stdout=subprocess.DEVNULL)


def browser() -> webdriver.Chrome:
    """Return Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for switch in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"):
        options.add_argument(switch)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_window_size(WIDTH, HEIGHT)
    return driver


def page_picture(driver: webdriver.Chrome, run: Path, path: Path) -> None:
    """Serve the run, like two films, and take the picture."""
    command = [sys.executable, "-m", "aerec", "serve", str(run), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(120):
            try:
                urlopen(f"http://127.0.0.1:{PORT}/readyz").close()
                break
            except URLError:
                time.sleep(0.5)
        driver.get(f"http://127.0.0.1:{PORT}/")
        time.sleep(1)
        search = driver.find_element(By.CSS_SELECTOR, "input[type=search]")
        for words in ("the", "night"):
            search.clear()
            search.send_keys(words)
            time.sleep(1)
            search.send_keys(Keys.ARROW_DOWN, Keys.ENTER)
            time.sleep(1)
        driver.save_screenshot(str(path))
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    """Train, serve, report, and join the two pictures."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        aerec("train", "sample", "--model", "mult-dae", "--out", str(folder / "run"))
        aerec("benchmark", "sample", "--models", "popularity,ease,mult-dae", "--report", str(folder / "report.html"))
        driver = browser()
        try:
            page_picture(driver, folder / "run", folder / "page.png")
            driver.get((folder / "report.html").as_uri())
            time.sleep(1)
            driver.save_screenshot(str(folder / "report.png"))
        finally:
            driver.quit()
        parts = [Image.open(folder / f"{part}.png").convert("RGB") for part in ("page", "report")]
        joined = Image.new("RGB", (sum(part.width for part in parts) + 40, max(part.height for part in parts)), "white")
        joined.paste(parts[0], (0, 0))
        joined.paste(parts[1], (parts[0].width + 40, 0))
        joined.resize((joined.width // 2, joined.height // 2)).quantize(128).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
