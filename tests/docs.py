"""Opens the documentation site in headless Chromium, as a reader would: docs.py FOLDER

Each page renders without an error in the console, each link inside of the site leads somewhere, the search finds things, and
nothing is fetched from elsewhere.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SITE = Path(sys.argv[1])
PATIENCE = 30
# What a reader may look for, and a page that must be among the results.
SEARCHES = {
    "apivideo_get_token": "reference/c.html#apivideo_get_token",
    "try_get_token": "reference/cpp.html",
    "RequestsAuth": "reference/python.html",
    "AddApiVideoAuthentication": "reference/dotnet.html",
    "outage": "guides/production.html",
}
# Each language's reference has its heart.
ANCHORS = {
    "reference/c.html": "apivideo_get_token",
    "reference/cpp.html": "apivideo.client.get_token",
    "reference/python.html": "libapivideo.Client.get_token",
    "reference/dotnet.html": "libapivideo.apivideoclient.gettoken",
}
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --disable-dev-shm-usage --window-size=1400,1000"
)

passed = 0
failed = 0


def check(told: str, problems: list[str]) -> None:
    global passed, failed
    if not problems:
        passed += 1
        return
    failed += 1
    for problem in problems:
        print(f"error: {told}: {problem}", file=sys.stderr)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


def serve() -> str:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def browser(profile: str) -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    # No name resolves: whatever a page fetches from elsewhere is an error in its console.
    for flag in [*FLAGS.split(), f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
    return webdriver.Chrome(options=options, service=service)


def complaints(chrome: webdriver.Chrome) -> list[str]:
    return [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]


class Page:
    """What the browser made of a page."""

    def __init__(self, chrome: webdriver.Chrome, url: str) -> None:
        chrome.get(url)
        self.ids = set(chrome.execute_script("return Array.from(document.querySelectorAll('[id], a[name]'), e => e.id || e.name)"))
        self.links = set(chrome.execute_script("return Array.from(document.querySelectorAll('a[href]'), e => e.href)"))
        self.broken = chrome.execute_script(
            "return Array.from(document.images).filter(e => e.complete && e.naturalWidth === 0).map(e => e.src)"
        )
        self.words = len(chrome.execute_script("const e = document.querySelector('article'); return e ? e.innerText : ''").split())
        self.complaints = complaints(chrome)

    def problems(self) -> list[str]:
        found = self.complaints + [f"the image {image} is not shown" for image in self.broken]
        return found if self.words > 5 else [*found, "there is nothing on it"]


def dead_links(page: Page, pages: dict[str, Page], base: str) -> list[str]:
    """The links of a page that lead nowhere."""
    found = []
    for link in sorted(page.links):
        if not link.startswith(base):
            continue
        there, anchor = urldefrag(link)
        path = unquote(urlsplit(there).path).lstrip("/") or "index.html"
        if not (SITE / path).is_file():
            found.append(f"a link leads to {path}, which is not there")
        elif anchor and path in pages and unquote(anchor) not in pages[path].ids:
            found.append(f"a link leads to {path}#{unquote(anchor)}, which is not on that page")
    return found


def search(chrome: webdriver.Chrome, base: str, words: str, wanted: str) -> list[str]:
    chrome.get(base)
    chrome.execute_script("document.getElementById('__search').click()")
    box = chrome.find_element(By.CSS_SELECTOR, "input[data-md-component='search-query']")
    WebDriverWait(chrome, PATIENCE).until(lambda _: box.is_displayed())
    box.send_keys(words, Keys.SPACE, Keys.BACKSPACE)

    def results(_: object) -> list[str]:
        found = chrome.execute_script("return Array.from(document.querySelectorAll('.md-search-result__link'), e => e.href)")
        return [link for link in found if urlsplit(link)._replace(query="").geturl().startswith(base + wanted)]

    try:
        WebDriverWait(chrome, PATIENCE).until(results)
    except Exception:
        shown = chrome.find_element(By.CSS_SELECTOR, ".md-search-result").text[:300]
        return [f"{wanted} is not among the results: {shown!r}"]
    return complaints(chrome)


def main() -> int:
    base = serve()
    addresses = sorted(each.relative_to(SITE).as_posix() for each in SITE.rglob("*.html"))
    own = [each for each in addresses if not each.startswith("rust/") and each != "404.html"]
    with tempfile.TemporaryDirectory(dir=SITE.parent, ignore_cleanup_errors=True) as profile:
        chrome = browser(profile)
        try:
            pages = {address: Page(chrome, base + address) for address in own}
            for address, page in pages.items():
                check(address, page.problems() + dead_links(page, pages, base))
            for address, anchor in ANCHORS.items():
                check(address, [] if anchor in pages[address].ids else [f"there is no {anchor} on it"])
            for words, wanted in SEARCHES.items():
                check(f"a search for {words}", search(chrome, base, words, wanted))
            chrome.get(base + "rust/apivideo/index.html")
            check("rustdoc", complaints(chrome) + ([] if "Client" in chrome.page_source else ["there is no Client"]))
        finally:
            chrome.quit()
    print(f"{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
