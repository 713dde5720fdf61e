"""The library's own requests and uploads, of each kind. tests/prism.mjs sends them through Prism, which refuses what is not as described."""

import io
import tempfile

from libapivideo import Client

MIB = 1024 * 1024
LAST_IS_SHORT = bytes(2 * 5 * MIB + 1)
OPTIONS = {"chunk_size": 5 * MIB, "parallel": 2}


def new_video(client: Client, title: str) -> str:
    return client.request("POST", "/videos", json={"title": title}).json()["videoId"]


def main() -> None:
    with Client() as client, tempfile.NamedTemporaryFile() as file:
        file.write(LAST_IS_SHORT)
        file.flush()

        video = new_video(client, "A file")
        client.upload(file.name, video_id=video, **OPTIONS)
        # All of it is there: that it asks for.
        client.upload(file.name, video_id=video, resume=True, **OPTIONS)
        client.upload(io.BytesIO(LAST_IS_SHORT), video_id=new_video(client, "A stream"), **OPTIONS)
        client.upload(io.BytesIO(LAST_IS_SHORT), video_id=new_video(client, "Of known size"), size=len(LAST_IS_SHORT), **OPTIONS)

        token = client.request("POST", "/upload-tokens", json={"ttl": 60}).json()["token"]
        client.upload(file.name, token=token, **OPTIONS)
        client.upload(io.BytesIO(LAST_IS_SHORT), token=token, **OPTIONS)

        client.request("PATCH", f"/videos/{video}", json={"tags": ["a"]})
        titles = [video["title"] for page in client.pages("/videos?pageSize=2") for video in page.json()["data"]]
        client.request("DELETE", f"/videos/{video}")
        print(f"{len(titles)} videos")


main()
