"""A WSGI application for a prefork server: one client, made before the workers are.

    APIVIDEO_API_KEY=… gunicorn --preload --workers 4 --threads 8 gunicorn_app:app

Each worker goes on with the token that the parent had, and gets its own from then on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import libapivideo
import libapivideo.auth
import requests

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

client = libapivideo.Client()
auth = libapivideo.auth.RequestsAuth(client)

# Not needed, but the first requests are answered faster.
client.get_token()


def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    status = "200 OK"
    body: dict[str, object] = {"worker": os.getpid()}
    try:
        response = requests.get(f"{client.base_url}/videos", auth=auth, timeout=10)
        response.raise_for_status()
        body["videos"] = len(response.json()["data"])
    except (libapivideo.ApiVideoError, requests.RequestException) as error:
        status = "502 Bad Gateway"
        body["error"] = str(error)
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode()]
