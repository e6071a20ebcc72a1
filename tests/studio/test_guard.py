"""Only the page that the server sent may ask, and browsers are told what to refuse."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

import httpx
import pytest

from tests.studio.conftest import studio_of

QUESTIONS = ["start", "request", "evaluate", "save"]


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": None},
        {"host": "evil.example"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"host": ""},
        {"x-studio-token": None},
        {"x-studio-token": "guessed"},
        {"x-studio-token": ""},
    ],
    ids=str,
)
def test_a_question_from_elsewhere_is_refused(asking, question, headers):
    answer = asking.post(question, **headers)
    assert answer.status_code == 403
    assert set(answer.json()) == {"error"}


def test_another_port_of_this_machine_is_another_origin(asking):
    assert asking.post("start", origin="http://127.0.0.1:1").status_code == 403
    assert asking.post("start", host="127.0.0.1:1").status_code == 403
    assert asking.post("start", host="127.0.0.1").status_code == 403


def test_a_name_of_this_machine_and_its_own_origin_are_taken(asking):
    port = urlsplit(asking.url).port
    assert asking.post("start").status_code == 200
    name = f"localhost:{port}"
    assert asking.post("start", host=name, origin=f"http://{name}").status_code == 200
    assert asking.post("start", host=name).status_code == 403


def test_a_rebound_name_does_not_read_the_page(asking):
    answer = httpx.get(asking.url, headers={"host": "evil.example"})
    assert answer.status_code == 403
    assert asking.studio.token not in answer.text


def test_two_hosts_are_none(asking):
    address = urlsplit(asking.url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        host = f"Host: {address.netloc}\r\n"
        connection.sendall(
            f"GET / HTTP/1.1\r\n{host}Host: evil.example\r\nConnection: close\r\n\r\n".encode()
        )
        said = connection.makefile("rb").readline()
    assert said.split()[1] in {b"400", b"403"}


@pytest.mark.parametrize("path", ["/", "/static/studio.js", "/static/page.css", "/nothing"])
def test_what_browsers_are_told(asking, path):
    answer = httpx.get(asking.url + path)
    headers = answer.headers
    policy = headers["content-security-policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert "frame-ancestors 'none'" in policy
    assert not [part for part in policy if "unsafe" in part or "http" in part or "*" in part]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control-")]


def test_a_preflight_is_not_answered(asking):
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = httpx.options(f"{asking.url}/api/save", headers=asked)
    assert answer.status_code == 403
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_page_holds_scripts_to_its_own_and_has_a_new_nonce_each_time(asking):
    one, other = (httpx.get(asking.url) for _ in range(2))
    policy = dict(part.split(" ", 1) for part in one.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert policy["style-src"].startswith("'self' 'nonce-")
    assert one.headers["content-security-policy"] != other.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/static/app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/api/save"]
)
def test_nothing_else_is_served(asking, path):
    assert httpx.get(asking.url + path).status_code in {404, 405}


def test_every_studio_has_a_token_of_its_own(asking):
    with studio_of() as other:
        assert other.post("start", **{"x-studio-token": asking.studio.token}).status_code == 403
