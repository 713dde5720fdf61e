"""requests."""

from __future__ import annotations

from functools import partial
from typing import Any

import requests
from requests.auth import AuthBase

from .._client import Client
from .._token import Token
from ._withdraw import withdraw


class RequestsAuth(AuthBase):
    """Authenticates requests: `requests.get(url, auth=RequestsAuth(client))`, or once and for all `session.auth = …`.

    Any number of threads and sessions may share one.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        token = self._client.get_token()
        request.headers["Authorization"] = token.authorization
        hook = partial(self._answered, token, _position(request.body))
        request.register_hook("response", hook)  # type: ignore[no-untyped-call,unused-ignore]
        return request

    def _answered(self, token: Token, position: int | None, response: requests.Response, **sending: Any) -> requests.Response:
        # After a redirect to another host the header is not there: then the 401 says nothing about our token.
        ours = response.request.headers.get("Authorization") == token.authorization
        if response.status_code != 401 or not ours or not withdraw(self._client, token):
            return response
        again = response.request.copy()
        if not _rewound(again.body, position):
            return response
        again.headers["Authorization"] = self._client.authorization()
        _ = response.content  # Read to its end, so that the connection can be used again.
        response.close()
        answer: requests.Response = response.connection.send(again, **sending)  # type: ignore[attr-defined,unused-ignore]
        answer.history.append(response)
        answer.request = again
        return answer


def _position(body: Any) -> int | None:
    """Where in its file a body begins, if it is one that can seek."""
    try:
        return int(body.tell())
    except (AttributeError, OSError, ValueError):
        return None


def _rewound(body: Any, position: int | None) -> bool:
    """Makes a body ready to be sent again, or tells that it cannot be."""
    if body is None or isinstance(body, (bytes, str)):
        return True
    if position is None:
        return False
    try:
        body.seek(position)
    except (AttributeError, OSError, ValueError):
        return False
    return True
