"""The official package, `api.video` (import name `apivideo`), in the same process."""

from __future__ import annotations

import apivideo
import libapivideo
from apivideo.api.videos_api import VideosApi
from support import KEY, Sandbox


def test_both_work_side_by_side(client: libapivideo.Client, sandbox: Sandbox) -> None:
    official = apivideo.AuthenticatedApiClient(KEY)
    official.configuration.host = sandbox.url
    official.connect()
    ours = client.get_token()
    assert official._access_token not in ours.authorization
    assert VideosApi(official).list()["pagination"]["current_page"] == 1
    assert sandbox.status_of(client.authorization()) == 200
    # The official one's authentication retired our refresh token: nobody notices.
    official.connect()
    client.invalidate(ours)
    assert sandbox.status_of(client.authorization()) == 200
    official.close()
