"""The page: what is on it, what is refused, and what a browser makes of it."""

import base64
import json
import re
import shutil

import pytest

from fl.cli import app
from fl.errors import ReportError
from fl.report import figures, tables
from fl.report.page import write_page
from fl.report.runs import Run
from tests.helpers.runs import failed, line, write_run

go = pytest.importorskip("plotly.graph_objects")
pytest.importorskip("jinja2")

EVIL = "</script><script>alert(1)</script><img src=http://192.0.2.1/x>"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Three runs by the command: a pair, and one of another seed, whose settings are hostile."""
    folder = tmp_path_factory.mktemp("runs")
    drops = [[(1, 0)], [], [(3, 2), (2, 4)]]
    secure = [line(i, dropped=drops[i - 1], accuracy=0.3 * i) for i in (1, 2, 3)]
    plain = [line(i, "plain", accuracy=0.3 * i - 0.01) for i in (1, 2, 3)]
    paths = [
        write_run(folder / "secure", [*secure, failed(4)], seen=True, aggregator="secure"),
        write_run(folder / "plain", plain, aggregator="plain"),
        write_run(folder / "hostile", secure[:1], aggregator="secure", dataset=EVIL),
    ]
    output = folder / "page.html"
    assert app.run(["report", *map(str, paths), "--output", str(output)]) == 0
    return output


def test_it_says_who_dropped_what_failed_and_what_differs(page):
    text = page.read_text()
    assert re.search(r"<th scope=\"row\">3</th><td></td><td></td><td>dan</td><td></td>", text)
    assert "3 clients finished" in text
    assert "secure and plain, whose settings differ in the sum alone" in text
    assert re.search(r'<tr class="strong"><th scope="row">aggregator</th>', text)
    assert "a simulation&#39;s privilege" in text or "a simulation's privilege" in text


def test_what_comes_from_settings_and_names_is_escaped(page, tmp_path):
    run = Run(EVIL, {"dataset": EVIL, EVIL: 1}, [line(1, dropped=[(0, 1)])])
    for text in (page.read_text(), write_page([run], tmp_path / "page.html").read_text()):
        assert EVIL not in text
        assert text.count("<script") == text.count("</script>") == 3
    names = [trace["name"] for trace in figures.curves([run], "loss")["data"]]
    assert "<" not in "".join(names)  # plotly.js reads a little HTML


def test_the_page_names_no_address_to_fetch_from(page):
    markup = re.sub(r"<script.*?</script>", "", page.read_text(), flags=re.DOTALL)
    assert not re.search(r"<[a-z][^<>]* (src|href)=(?!\"data:)", markup)
    assert "default-src 'none'" in markup


def test_every_chart_is_one_that_plotly_knows(page):
    found = re.search(r'id="figures">(.*?)</script>', page.read_text(), re.DOTALL)
    charts = json.loads(found[1])
    assert len(charts) == 2 + 1 + 2 + 2 + 3  # curves, the pair, drops, costs, what was seen
    for chart in charts:
        go.Figure(chart["data"], chart["layout"])  # ValueError for a name that it does not know


def test_numbers_that_are_not_there_are_no_numbers():
    diverged = line(1, eval={"loss": float("nan")})
    del diverged["client_work"]["train"]["accuracy"]
    run = Run("r", {}, [diverged, failed(2)])
    (row,) = tables.overview([run]).rows
    assert row[1:3] == ("–", "–")
    json.dumps(figures.curves([run], "loss"), allow_nan=False)


def test_a_run_with_an_account_of_privacy_says_what_was_spent():
    spent = {"epsilon": 1.25, "epsilon_seen": 2.5, "delta": 1e-5, "noise_multiplier": 1.0}
    runs = [Run("private", {}, [line(1), line(2, privacy=spent)]), Run("r", {}, [line(1)])]
    table = tables.overview(runs)
    assert table.head[-1] == "ε spent"
    assert [row[-1] for row in table.rows] == ["1.25 at δ = 1e-05", "–"]
    assert "ε spent" not in tables.overview(runs[1:]).head


def test_a_page_replaces_a_page_also_where_a_link_leads_to_it(tmp_path):
    run = Run("mine", {}, [line(1)])
    old = tmp_path / "old.html"
    old.write_text("<!doctype html>\nbefore")
    (tmp_path / "link.html").symlink_to(old)
    write_page([run], tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert "mine" in old.read_text()
    with pytest.raises(ReportError, match="no runs, expected one at least"):
        write_page([], old)


def test_a_run_in_which_every_round_failed_is_not_said_to_have_lost_nobody(tmp_path):
    text = write_page([Run("r", {}, [failed(1), failed(2)])], tmp_path / "page.html").read_text()
    assert "nobody" not in text
    assert "2, 2 failed" in text
    assert "Seconds of a round" not in text


def test_a_plain_run_is_said_to_show_its_updates(tmp_path):
    text = write_page([Run("open", {}, [line(1, "plain")])], tmp_path / "page.html").read_text()
    assert "open: a plain sum, whose server is given every update as it is" in text


REFUSED = {
    "no run": (["there"], "no settings.json, expected the directory of a run"),
    "no rounds": (["empty"], "has no rounds, expected one at least"),
    "a folder as output": (["run", "--output", "run"], "is a folder, expected a file"),
    "a file of the run": (["run", "--output", "run/metrics.jsonl"], "is there and is no page"),
    "a device": (["run", "--output", "/dev/null"], "is there and is no page, expected another"),
    "a folder that is not": (["run", "--output", "no/page.html"], "is no folder, expected one"),
    "no words": ([], "RUN_DIR"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED)
def test_what_is_given_wrong_is_one_line_and_exit_code_2(words, said, tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    write_run(tmp_path / "empty", [])
    write_run(tmp_path / "run", [line(1)])
    assert app.run(["report", *words]) == 2
    seen = capfd.readouterr().err
    assert said in seen
    assert seen.count("\n") == 1
    assert not list(tmp_path.glob("*.html"))


def test_without_the_extra_it_is_said_which(tmp_path, monkeypatch):
    monkeypatch.setattr("fl.report.page.find_spec", lambda name: None)
    with pytest.raises(ReportError, match=r"plotly and jinja2: pip install 'secagg\[report\]'"):
        write_page([Run("r", {}, [line(1)])], tmp_path / "page.html")


# In a browser.

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")


@pytest.fixture
def browser(tmp_path):
    """A headless Chromium that keeps what it fetched and what its console says."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs Chromium and its driver")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
        f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


def fetched(driver):
    """Every address but those that carry what they name."""
    messages = (json.loads(entry["message"])["message"] for entry in driver.get_log("performance"))
    return [
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and not message["params"]["request"]["url"].startswith("data:")
    ]


def screen(driver, width, scheme):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


def test_in_a_browser_it_fetches_nothing_says_nothing_and_answers_clicks(browser, page):
    browser.get("about:blank")
    browser.get_log("performance")  # of the first tab
    screen(browser, 390, "dark")
    browser.get(page.as_uri())
    width = browser.execute_script("return document.documentElement.scrollWidth")
    assert width == 390  # nothing sticks out of a phone
    picture = base64.b64decode(browser.get_screenshot_as_base64())
    assert picture.startswith(b"\x89PNG")

    ground = "return getComputedStyle(document.body).backgroundColor"
    ink = "return document.getElementById('chart-0').layout.font.color"
    lines = "return document.querySelectorAll('#chart-0 .scatterlayer .trace').length"
    dark, ink_on_dark = browser.execute_script(ground), browser.execute_script(ink)
    browser.find_element("id", "theme").click()
    assert browser.execute_script(ground) != dark
    assert browser.execute_script(ink) != ink_on_dark
    assert browser.get_screenshot_as_base64() != base64.b64encode(picture).decode()

    screen(browser, 1280, "light")
    heights = (
        "return [...document.querySelectorAll('.chart')].map((box, i) =>"
        " [box.clientHeight, box.querySelector('svg').clientHeight])"
    )
    browser.set_script_timeout(10)
    for width in (1280, 700):  # the window is pulled: no chart sticks out of its box
        screen(browser, width, "light")
        browser.execute_async_script("setTimeout(arguments[0], 400)")
        assert all(box == drawn > 200 for box, drawn in browser.execute_script(heights))
    shown = browser.execute_script(lines)
    assert shown == 6  # of three runs: on the test examples, and in training
    browser.find_element("css selector", "#chart-0 .legendtoggle").click()
    browser.execute_async_script(
        "const [count, done] = arguments;"
        "const now = () => document.querySelectorAll('#chart-0 .scatterlayer .trace').length;"
        "const look = () => now() < count ? done() : setTimeout(look, 50); look();",
        shown,
    )
    assert browser.get_log("browser") == []
    assert fetched(browser) == [page.as_uri()]
