"""An image of the top of a run's page, small enough for documentation.

PYTHONPATH=. python experiments/report/screenshot.py runs/first docs/images/report.png
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from nas.report import write_report

COLOURS = 64


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1180)
    parser.add_argument("--dark", action="store_true")
    asked = parser.parse_args()
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    if executable is None:
        sys.exit("no chromium and no google-chrome on the path")
    page_file = write_report(asked.run)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        scheme = "dark" if asked.dark else "light"
        page = browser.new_page(viewport={"width": asked.width, "height": asked.height}, color_scheme=scheme)
        page.goto(page_file.resolve().as_uri())
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        page.wait_for_timeout(500)
        taken = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
        browser.close()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    taken.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
        asked.out, optimize=True
    )
    print(f"{asked.out}: {asked.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
