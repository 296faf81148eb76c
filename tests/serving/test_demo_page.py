"""The demo's page in a real browser: drawn on, it shows what the models say in Python."""

import json
import time

import numpy as np
import pytest
from browser import bytes_of, chromium, show_at
from demo_server import ask, serving

pytest.importorskip("selenium")
CROSS = [[(0.5, 0.15), (0.5, 0.85)], [(0.15, 0.5), (0.85, 0.5)]]
ANGLE = [[(0.25, 0.15), (0.25, 0.8), (0.8, 0.8)]]
ZIGZAG = [[(0.2, 0.2), (0.8, 0.3), (0.2, 0.5), (0.8, 0.7), (0.2, 0.85)]]


@pytest.fixture(scope="module")
def driver():
    with chromium() as driver, serving() as port:
        assert ask(port, "/api/kinds/drawings", "")[0] == 200
        driver.get(f"http://127.0.0.1:{port}/")
        until(driver, "return document.querySelectorAll('#rows tr').length === 3")
        yield driver


@pytest.fixture
def page(driver):
    """The page without classes and drawings; nothing in its console has failed."""
    show_at(driver, 1280)
    driver.find_element("id", "kind-drawings").click()
    driver.find_element("id", "over").click()
    driver.get_log("browser")
    yield driver
    assert [each for each in driver.get_log("browser") if each["level"] == "SEVERE"] == []
    assert driver.find_element("id", "problem").text == ""


def until(driver, script, *arguments, seconds=60):
    """Wait until a script returns something true; returns that."""
    deadline = time.monotonic() + seconds
    while not (found := driver.execute_script(script, *arguments)):
        assert time.monotonic() < deadline, script
        time.sleep(0.05)
    return found


def draw(driver, strokes):
    """Draw with the mouse; places are shares of the board."""
    from selenium.webdriver import ActionChains

    canvas = driver.find_element("id", "canvas")
    side = canvas.size["width"]
    for points in strokes:
        hand = ActionChains(driver, duration=20)
        for i, (x, y) in enumerate(points):
            hand.move_to_element_with_offset(canvas, (x - 0.5) * side, (y - 0.5) * side)
            if i == 0:
                hand.click_and_hold()
        hand.release().perform()


def teach(driver, *drawings):
    """Draw an example of each class, and add it."""
    for row, strokes in enumerate(drawings):
        draw(driver, strokes)
        before = len(examples(driver, row))
        driver.find_element("id", f"add-{row}").click()
        until(driver, f"return document.querySelectorAll('#row-{row} img').length > {before}")


def examples(driver, row):
    images = driver.find_elements("css selector", f"#row-{row} .examples img")
    return [bytes_of(image.get_attribute("src")) for image in images]


def shown(driver, model, ways):
    """Return the probabilities that the page shows of a model, once it does."""
    script = """
        const cells = [...document.querySelectorAll(`[data-model="${arguments[0]}"]`)];
        const values = cells.map((each) => each.dataset.value).filter((each) => each !== "");
        return values.length === arguments[1] ? values.map(Number) : null;"""
    return np.array(until(driver, script, model, ways))


def settled(driver, model, ways):
    """The same once the last stroke is answered, too."""
    found = None
    while True:
        last, found = found, shown(driver, model, ways).tolist()
        if last == found:
            return np.array(found)
        time.sleep(0.5)


def test_what_is_drawn_is_classified_as_in_python(page):
    from leo_tf import FewShotClassifier

    teach(page, CROSS, ANGLE, ZIGZAG)
    teach(page, [[(0.5, 0.2), (0.45, 0.8)], [(0.2, 0.45), (0.8, 0.55)]])  # another of the first
    draw(page, [[(0.3, 0.2), (0.28, 0.75), (0.75, 0.7)]])
    query = bytes_of(page.execute_script("return document.getElementById('canvas').toDataURL()"))
    support = [examples(page, row) for row in range(3)]
    assert [len(each) for each in support] == [2, 1, 1]
    X = FewShotClassifier("glyphs").embed([*support[0], *support[1], *support[2], query])
    for model in ("glyphs_leo", "glyphs", "glyphs_nearest_centroid"):
        expected = FewShotClassifier(model).fit(X[:4], list("aabc")).predict_proba(X[4:])[0]
        np.testing.assert_allclose(settled(page, model, 3), expected, rtol=2e-3, atol=1e-4)
    assert shown(page, "glyphs", 3).argmax() == 1
    until(page, "return document.getElementById('said').textContent.includes('LEO: B')")


def test_the_slider_steps_through_leo(page):
    teach(page, CROSS, ANGLE)
    draw(page, ZIGZAG)
    settled(page, "glyphs_leo", 2)
    port = int(page.execute_script("return location.port"))
    query = page.execute_script("return document.getElementById('canvas').toDataURL()")
    sent = [ask(port, "/api/embed/drawings", examples(page, i)[0], "image/png") for i in (0, 1)]
    classes = [[found["embedding"]] for _, _, found in sent]
    asked = {"tab": "beside", "number": 1, "classes": classes, "picture": query.split(",")[1]}
    told = ask(port, "/api/answer/drawings", asked)[2]
    places = []
    for step in range(11):
        page.execute_script(
            "const it = document.getElementById('step'); it.value = arguments[0];"
            "it.dispatchEvent(new Event('input'));",
            step,
        )
        expected = told["of_steps"][step]
        np.testing.assert_allclose(shown(page, "glyphs_leo", 2), expected, rtol=2e-3, atol=1e-4)
        dots = page.find_elements("css selector", "#plane .code")
        places.append([(dot.get_attribute("cx"), dot.get_attribute("cy")) for dot in dots])
    assert len(places[0]) == 2
    moved = [one != other for one, other in zip(places, places[1:], strict=False)]
    assert moved == [True] * 5 + [False] * 5  # fine-tuning moves no code
    assert page.find_element("id", "at").text == "10: fine-tuning step 5 of 5"
    losses = told["steps"]["losses"]
    first, last = (f"{losses[i]:.{3 if losses[i] < 0.1 else 2}f}" for i in (0, -1))
    said = page.find_element("id", "losses").get_attribute("aria-label")
    assert f"{first} before any step" in said and f"{last} after all" in said


def test_an_alphabet_is_there_at_one_click(page):
    for name in ("Georgian", "Thai", "Hebrew"):
        page.find_element("id", f"alphabet-{name}").click()
        until(page, "return document.querySelectorAll('#tries img').length === 5")
        assert shown(page, "glyphs", 5).sum() == pytest.approx(1, abs=1e-6)


def test_it_can_be_used_without_a_pointer(page):
    from selenium.webdriver.common.keys import Keys

    typed, canvas = (page.find_element("id", name) for name in ("type", "canvas"))
    for row, character in enumerate("xo"):
        typed.send_keys(character)
        page.find_element("id", f"add-{row}").send_keys(Keys.ENTER)
        until(page, f"return document.querySelectorAll('#row-{row} img').length === 1")
    typed.send_keys("c")
    canvas.send_keys("3")
    until(page, "return document.querySelectorAll('#row-2 img').length === 1")
    typed.send_keys("o")
    assert settled(page, "glyphs", 3).argmax() == 1
    canvas.send_keys(Keys.BACKSPACE)
    until(page, "return document.querySelector('[data-model=glyphs]').dataset.value === ''")
    named = "button, input, canvas, svg, fieldset"
    for each in page.find_elements("css selector", named):
        if each.is_displayed():
            assert each.accessible_name, each.get_attribute("outerHTML")


def test_what_comes_late_goes_where_it_was_sent(page):
    page.execute_script("""
        const own = window.fetch;
        [window.asked, window.held, window.holding] = [[], [], false];
        window.fetch = (url, options) => {
          if (url === "api/kinds/photos") return new Promise(() => {});
          if (!url.startsWith("api/embed/")) return own(url, options);
          const answer = () => new Response('{"embedding": "AAAA"}');
          window.asked.push(url);
          if (!window.holding) return Promise.resolve(answer());
          return new Promise((send) => held.push(() => send(answer())));
        };
        window.give = (count) => {
          const files = new DataTransfer();
          for (let i = 0; i < count; i++) files.items.add(new File(["x"], `${i}.png`));
          const drop = { dataTransfer: files, bubbles: true, cancelable: true };
          document.getElementById("row-0").dispatchEvent(new DragEvent("drop", drop));
        };
        give(19);""")
    there = "return document.querySelectorAll('#row-0 .examples img').length === "
    until(page, f"{there} 19")
    page.execute_script("window.holding = true; give(1); give(1);")
    until(page, "return held.length === 2")
    page.execute_script("held.splice(0).forEach((each) => each());")
    until(page, "return document.getElementById('problem').textContent.includes('at most 20')")
    assert page.execute_script(f"{there} 20")
    page.execute_script("document.getElementById('example-0-19').focus()")
    page.switch_to.active_element.send_keys(" ")
    assert page.switch_to.active_element.get_attribute("id") == "add-0"
    page.execute_script(
        "asked.length = 0; document.getElementById('kind-photos').click(); give(2);"
    )
    until(page, "return held.length === 1")
    page.execute_script("document.getElementById('kind-drawings').click(); held.pop()();")
    assert until(page, "return asked.length === 2 && asked") == ["api/embed/photos"] * 2
    page.refresh()  # with a `fetch` of its own
    until(page, "return document.querySelectorAll('#rows tr').length === 3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(page, scheme):
    teach(page, CROSS, ANGLE)
    draw(page, CROSS)
    settled(page, "glyphs", 2)
    show_at(page, 400, scheme)
    root = "document.documentElement"
    assert page.execute_script(f"return {root}.scrollWidth <= {root}.clientWidth")
    ink = "return getComputedStyle(document.body).color"
    assert (page.execute_script(ink) == "rgb(29, 29, 27)") == (scheme == "light")


@pytest.mark.long
def test_photos_are_classified(page):
    from pathlib import Path

    from leo_tf import FewShotClassifier

    pytest.importorskip("PIL")
    folder = Path(__file__).parents[1] / "data" / "caltech"
    files = [sorted(folder.glob(f"{name}/*.jpg"))[:3] for name in ("brain", "ewer")]
    page.find_element("id", "kind-photos").click()
    until(page, "return document.getElementById('said').textContent === ''", seconds=120)
    for row, some in enumerate(files):
        chosen = "\n".join(map(str, some[:2]))
        page.find_element("id", f"add-{row}").send_keys(chosen)
        until(page, f"return document.querySelectorAll('#row-{row} img').length === 2")
    page.find_element("id", "file").send_keys(str(files[1][2]))
    X = FewShotClassifier("lite0").embed([*files[0][:2], *files[1][:2], files[1][2]])
    for model in ("lite0", "lite0_prototypical", "lite0_nearest_centroid"):
        expected = FewShotClassifier(model).fit(X[:4], [0, 0, 1, 1]).predict_proba(X[4:])[0]
        np.testing.assert_allclose(settled(page, model, 2), expected, rtol=5e-3, atol=1e-4)
    assert "No LEO comes with the package for photos" in page.find_element("id", "without").text


def test_strokes_are_answered_while_they_are_drawn(page):
    """And soon: how soon a machine is that does nothing else is told in docs/demo.md."""
    teach(page, CROSS, ANGLE)
    draw(page, ZIGZAG)
    settled(page, "glyphs", 2)
    times = json.loads(page.find_element("id", "took").get_attribute("data-times"))
    assert len(times) > 1 and np.median(times) < 2000
    loaded = page.execute_script(
        "return performance.getEntriesByType('resource').map((each) => new URL(each.name).host)"
    )
    assert set(loaded) == {page.execute_script("return location.host")}
