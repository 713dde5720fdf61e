from __future__ import annotations

from .._client import AsyncClient, Client
from .._errors import TokenRejectedError
from .._token import Token


def withdraw(client: Client | AsyncClient, token: Token) -> bool:
    """Reports a 401. Tells whether another token may help."""
    try:
        client.invalidate(token)
    except TokenRejectedError:
        return False
    return True
