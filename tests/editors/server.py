"""yaml-language-server, asked over stdio as an editor asks it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

SCHEMA = Path(__file__).parents[2] / "schema" / "policy.schema.json"
SETTINGS = {
    "yaml": {
        "schemas": {SCHEMA.as_uri(): "*.yaml"},
        "completion": True,
        "hover": True,
        "validate": True,
        "schemaStore": {"enable": False, "url": ""},
        "kubernetesCRDStore": {"enable": False},
    }
}


def plain(documentation):
    return documentation["value"] if isinstance(documentation, dict) else documentation


class Server:
    """One running server with one document, which each question replaces."""

    def __init__(self, program: Path):
        # Run by node itself: what npm links in `.bin` is not the same on every system.
        self.process = subprocess.Popen(
            ["node", program, "--stdio"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.number = 0
        self.request(
            "initialize",
            {
                "processId": None,
                "rootUri": None,
                "capabilities": {
                    "workspace": {"configuration": True},
                    "textDocument": {
                        "completion": {
                            "completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}
                        },
                        "hover": {"contentFormat": ["markdown"]},
                    },
                },
            },
        )
        self.notify("initialized", {})
        while self.answered(self.receive()) != "workspace/configuration":
            pass

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self.process.stdin.flush()

    def receive(self):
        length = 0
        while line := self.process.stdout.readline().strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        assert length, "the server ended"
        return json.loads(self.process.stdout.read(length))

    def notify(self, method, params):
        self.send({"method": method, "params": params})

    def request(self, method, params):
        """Send a request and return its result, answering what the server asks meanwhile."""
        self.number += 1
        self.send({"id": self.number, "method": method, "params": params})
        while True:
            message = self.receive()
            if not self.answered(message) and message["id"] == self.number:
                assert "error" not in message, message
                return message["result"]

    def answered(self, message):
        """Answer what the server asks, and return the name of what it asked or told."""
        method = message.get("method")
        if method and "id" in message:
            items = message["params"]["items"] if method == "workspace/configuration" else ()
            settings = [SETTINGS.get(item["section"], {}) for item in items]
            self.send({"id": message["id"], "result": settings or None})
        return method

    def open(self, text, uri=None):
        """Open a new document, so that nothing is answered from one before, and return its address."""
        self.number += 1
        uri = uri or f"file:///{self.number}/policy.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        return uri

    def ask(self, method, text):
        """Ask about the place of `|` in a text."""
        before, _, after = text.partition("|")
        position = {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}
        return self.request(
            method, {"textDocument": {"uri": self.open(before + after)}, "position": position}
        )

    def complete(self, text):
        """What is offered at `|`: labels, each with the text that explains it."""
        offers = self.ask("textDocument/completion", text)["items"]
        return {offer["label"]: plain(offer.get("documentation")) for offer in offers}

    def hover(self, text):
        """The Markdown that is shown for what stands at `|`."""
        return self.ask("textDocument/hover", text)["contents"]["value"]

    def problems(self, text, uri=None):
        """What is marked in a document: (line, message), lines from 1."""
        uri = self.open(text, uri)
        while True:
            message = self.receive()
            if (
                self.answered(message) == "textDocument/publishDiagnostics"
                and message["params"]["uri"] == uri
            ):
                found = message["params"]["diagnostics"]
                return [(one["range"]["start"]["line"] + 1, one["message"]) for one in found]

    def end(self):
        self.request("shutdown", None)
        self.notify("exit", None)
        self.process.communicate(timeout=10)
