"""As upload.c, in Python: upload.py ours|official URL FILE CHUNK_SIZE. Prints milliseconds, and by how many MiB the memory has grown."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

KEY = "sandbox-key"


def ours(url: str, file: str, chunk_size: int) -> Callable[[], object]:
    import libapivideo

    client = libapivideo.Client(KEY, base_url=url)
    client.get_token()
    return lambda: client.upload(file, video_id="vi1", chunk_size=chunk_size)


def official(url: str, file: str, chunk_size: int) -> Callable[[], object]:
    import apivideo
    from apivideo.apis import VideosApi

    client = apivideo.AuthenticatedApiClient(KEY)
    client.configuration.host = url
    client.configuration.chunk_size = chunk_size
    client.connect()
    return lambda: VideosApi(client).upload("vi1", open(file, "rb"))  # noqa: SIM115


def rss_mib(which: str) -> float:
    found = re.search(rf"{which}:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def main() -> None:
    _, who, url, file, chunk_size = sys.argv
    upload = {"ours": ours, "official": official}[who](url, file, int(chunk_size))
    Path("/proc/self/clear_refs").write_text("5")
    before, began = rss_mib("VmRSS"), time.perf_counter()
    upload()
    print((time.perf_counter() - began) * 1e3, rss_mib("VmHWM") - before)


if __name__ == "__main__":
    main()
