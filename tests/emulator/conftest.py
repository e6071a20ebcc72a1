import httpx
import pytest

from policy_cache.emulator import create_app, serve
from tests.clock import Clock


@pytest.fixture(scope="session")
def provider():
    clock = Clock()
    with serve(create_app(clock=clock)) as address:
        yield address, clock


@pytest.fixture
def clock(provider):
    _, found = provider
    found.now = 0.0
    return found


@pytest.fixture
def url(provider):
    address, _ = provider
    return address


@pytest.fixture
def key(request):
    """A key of the test's own, and so a cache of its own."""
    return request.node.nodeid.encode("ascii", "replace").decode()


@pytest.fixture
def client(url, key):
    with httpx.Client(base_url=url, headers={"x-api-key": key}, trust_env=False) as found:
        yield found


@pytest.fixture
def send(client, key):
    """Send a request and return its usage."""

    def send(request, key=key):
        response = client.post("/v1/messages", json=request, headers={"x-api-key": key})
        assert response.status_code == 200, response.text
        return response.json()["usage"]

    return send
