"""Headless Chromium, as Debian packages it; tests that need it are skipped where it is absent."""

from __future__ import annotations

import json
import shutil
from contextlib import contextmanager, suppress

import pytest
from axe_core_python.base import AXE_SCRIPT
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


class Browser:
    """A browser that remembers what was asked of the network, and what its console said."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, file, *, scheme="light", width=1280):
        """Open a file from disk, or an address, as a person with this screen does."""
        self.driver.get("about:blank")
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.tell("Emulation.setEmulatedMedia", features=features)
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.tell("Emulation.setDeviceMetricsOverride", **screen)
        self.tell("Emulation.setFocusEmulationEnabled", enabled=True)
        self.requests()
        self.console()
        self.driver.get(file if isinstance(file, str) else file.as_uri())

    def tell(self, command, **parameters):
        return self.driver.execute_cdp_cmd(command, parameters)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def requests(self):
        """What was asked of the network, or of the disk, since it was last looked at."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent]

    def outside(self, but):
        """What stands out of the screen to the right, but for what is inside these."""
        return self.run(
            """return [...document.querySelectorAll("body *")]
            .filter((one) => !one.closest(arguments[0])
            && one.getBoundingClientRect().right > innerWidth + 1)
            .map((one) => one.outerHTML.slice(0, 80))""",
            but,
        )

    def violations(self):
        """What axe finds that keeps someone from using the page."""
        self.run(AXE_SCRIPT)
        found = self.driver.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        assert found["passes"]
        return [(one["id"], node["html"][:160]) for one in found["violations"] for node in one["nodes"]]

    def console(self):
        """What the console said since it was last looked at."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@contextmanager
def chromium(profile):
    """A browser with this profile; None where there is no Chromium."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        yield None
        return
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield Browser(started)
    with suppress(OSError):
        started.quit()


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """A browser with a profile of its own."""
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        if found is None:
            pytest.skip("no Chromium here; on Debian: apt-get install chromium chromium-driver")
        yield found
