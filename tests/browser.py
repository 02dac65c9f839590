"""The browser of the page tests: found on the machine, else installed. `python -m tests.browser` does both."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
)


def find() -> str | None:
    """Path of a Chromium or Chrome: $CHROME, the PATH, the usual places, or Playwright's own download."""
    if chosen := os.environ.get("CHROME"):
        return chosen
    on_path = (shutil.which(name) for name in NAMES)
    usual = (place for place in PLACES if Path(place).exists())
    return next((p for p in (*on_path, *usual) if p), None) or _playwright_download()


def _playwright_download() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if Path(path).exists() else None


def install() -> None:
    """Install Debian's Chromium as root where apt-get exists, else Playwright's download. Raises what the tool does."""
    if shutil.which("apt-get") and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"], check=True, env=quiet
        )
    else:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=True)


def main() -> int:
    if find() is None:
        try:
            install()
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"No Chromium or Chrome found and none could be installed: {error}", file=sys.stderr)
    if (browser := find()) is not None:
        print(f"Browser tests use {browser}")
        return 0
    print("\n*** BROWSER TESTS WILL BE SKIPPED: set CHROME to a Chromium or Chrome executable. ***\n", file=sys.stderr)
    return 1 if os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
