"""`python -m tests.browser.pictures`: the pictures of the live page that its how-to shows.

The page of a router that sends the requests of the example trace under the default policy.
"""

from __future__ import annotations

import runpy
from base64 import b64decode
from tempfile import TemporaryDirectory

from policy_cache import CacheUsage, Engine
from policy_cache.emulator.server import serve
from policy_cache.integrations.asgi import Live, live_page
from policy_cache.usage.account import account_of
from tests.browser.conftest import chromium
from tests.browser.test_live import opened
from tests.clock import Clock
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "docs" / "images"


def main():
    answers = runpy.run_path(str(REPOSITORY / "examples" / "trace.py"))["answers"]
    clock = Clock(0)
    live = Live(clock=clock)
    for one, plan, usage in answers(Engine.default()):
        clock.now = one.at
        account = account_of(plan, CacheUsage.from_response(usage), "warm")
        live.answered(plan, account, session=one.session)
    with serve(live_page(live)) as url, TemporaryDirectory() as profile, chromium(profile) as browser:
        browser.tell("Emulation.setTimezoneOverride", timezoneId="UTC")
        for scheme in ("light", "dark"):
            opened(browser, f"{url}/", scheme=scheme, width=1280)
            height = browser.run("return document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": 1280, "height": height, "scale": 1}
            shot = browser.tell("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
            (FOLDER / f"live-{scheme}.png").write_bytes(b64decode(shot["data"]))


if __name__ == "__main__":
    main()
