"""A real browser without a window, where there is one: Chromium, as Debian packages it."""

import base64
import contextlib
import os
import shutil

import pytest

REQUIRED = "LEO_TF_BROWSER"  # set to "required": the tests fail where there is no browser
INSTALL = "apt-get install --no-install-recommends chromium chromium-driver"


@contextlib.contextmanager
def chromium(width=1280, height=900):
    """Start a browser; skips the test where there is none, unless one is required."""
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    if missing := [name for name, path in found.items() if path is None]:
        said = f"no {' and no '.join(missing)} here; {INSTALL}"
        assert os.environ.get(REQUIRED) != "required", said
        pytest.skip(said)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = found["chromium"]
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(found["chromedriver"]))
    try:
        yield driver
    finally:
        driver.quit()


def show_at(driver, width, scheme="light", height=900):
    """Give the page a width, and a scheme of colours."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chosen = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": chosen})


def bytes_of(url):
    """Return the file in a data: URL."""
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64", url[:40]
    return base64.b64decode(data)
