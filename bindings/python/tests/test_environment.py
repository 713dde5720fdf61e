"""What the environment fills in for arguments that are left out."""

from __future__ import annotations

import inspect
from typing import Any

import libapivideo
import pytest
from libapivideo import auth
from support import KEY, Sandbox, run


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "BASE_URL", "ENVIRONMENT", "CA_FILE"):
        monkeypatch.delenv(f"APIVIDEO_{name}", raising=False)


def test_a_client_without_arguments(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_API_KEY", KEY)
    monkeypatch.setenv("APIVIDEO_BASE_URL", sandbox.url + "/")
    with libapivideo.Client() as client:
        assert client.base_url == sandbox.url
        assert sandbox.status_of(client.authorization()) == 200
    assert client.base_url == sandbox.url

    async def main() -> str:
        async with libapivideo.AsyncClient() as client:
            return await client.authorization()

    assert sandbox.status_of(run(main())) == 200


def test_a_ca_file_of_the_environment(tls_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tls_sandbox.ca_file
    monkeypatch.setenv("APIVIDEO_CA_FILE", tls_sandbox.ca_file)
    with libapivideo.Client(KEY, base_url=tls_sandbox.url) as client:
        assert client.authorization()


def test_arguments_go_before_the_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_API_KEY", "another")
    monkeypatch.setenv("APIVIDEO_BASE_URL", "https://127.0.0.1:1")
    with libapivideo.Client(KEY, base_url=sandbox.url) as client:
        assert client.authorization()
    with libapivideo.Client(KEY, environment="sandbox") as client:
        assert client.base_url == "https://sandbox.api.video"
        # The requests that get a token are those to the client's server.
        assert auth.RequestsAuth(client)._rule.covers("https://sandbox.api.video/videos")
    monkeypatch.delenv("APIVIDEO_BASE_URL")
    monkeypatch.setenv("APIVIDEO_ENVIRONMENT", "sandbox")
    with libapivideo.Client(KEY) as client:
        assert client.base_url == "https://sandbox.api.video"
    with libapivideo.Client(KEY, environment="production") as client:
        assert client.base_url == "https://ws.api.video"


def test_without_a_key_anywhere() -> None:
    with pytest.raises(libapivideo.InvalidArgumentError) as caught:
        libapivideo.Client()
    assert str(caught.value) == "There is no API key: neither `api_key` nor APIVIDEO_API_KEY of the environment is set."


@pytest.mark.parametrize("kind", [libapivideo.Client, libapivideo.AsyncClient])
def test_none_is_not_the_environments_key(
    kind: type[libapivideo.Client | libapivideo.AsyncClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APIVIDEO_API_KEY", KEY)
    none: Any = None
    with pytest.raises(TypeError, match="^`api_key` is None. Pass a key, or leave it out for APIVIDEO_API_KEY"):
        kind(none)
    assert kind().base_url
    assert "api_key: 'str | NoKey' = APIVIDEO_API_KEY" in str(inspect.signature(kind))


@pytest.mark.parametrize("name", ["API_KEY", "BASE_URL", "ENVIRONMENT", "CA_FILE"])
def test_a_variable_that_cannot_be_used_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APIVIDEO_API_KEY", KEY)
    monkeypatch.setenv(f"APIVIDEO_{name}", "'nonsense'")
    with pytest.raises(libapivideo.InvalidArgumentError, match=f"^`APIVIDEO_{name}` "):
        libapivideo.Client()
