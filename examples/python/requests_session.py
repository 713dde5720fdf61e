"""A requests session whose requests are authenticated, and replayed once after a 401.

    APIVIDEO_API_KEY=… python requests_session.py
"""

import libapivideo
import libapivideo.auth
import requests

with libapivideo.Client() as client, requests.Session() as session:
    session.auth = libapivideo.auth.RequestsAuth(client)

    response = session.get(f"{client.base_url}/videos", timeout=10)
    response.raise_for_status()
    print(f"{len(response.json()['data'])} videos")
