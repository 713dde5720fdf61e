"""A requests session whose requests are authenticated, and replayed once after a 401.

    APIVIDEO_API_KEY=… python requests_session.py
"""

import os

import libapivideo
import libapivideo.auth
import requests

base_url = os.environ.get("APIVIDEO_BASE_URL", "https://sandbox.api.video")

with libapivideo.Client(os.environ["APIVIDEO_API_KEY"], base_url=base_url) as client, requests.Session() as session:
    session.auth = libapivideo.auth.RequestsAuth(client)

    response = session.get(f"{base_url}/videos", timeout=10)
    response.raise_for_status()
    print(f"{len(response.json()['data'])} videos")
