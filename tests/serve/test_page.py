"""The page and the captions view, in a real browser, against a real server behind a line that can be cut."""

import json
import re
import shutil
import socket
import threading
from contextlib import suppress

import pytest
from processes import start

from streamtrans.policies import make_policy
from streamtrans.serve.messages import policy_of

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the PATH")
expect = playwright.expect
PATIENCE = 60_000  # milliseconds until something must have come

SENTENCE = "The old house was sold last year. "
PORTUGUESE = re.compile(r"A .*casa .*foi vendida no ano passado\.")
LONG = " ".join(f"In the year {1700 + n} the people of the town built a new bridge over the river." for n in range(20))


class Line:
    """Passes bytes between browsers and the server; `cut` breaks every connection there is."""

    def __init__(self, port: int):
        self._port = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self._ends: list[socket.socket] = []
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
            except OSError:
                return
            self._ends += [near, far]
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    @staticmethod
    def _pass(source: socket.socket, sink: socket.socket):
        with suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.clear()

    def close(self):
        self._server.close()
        self.cut()


@pytest.fixture(scope="module")
def line():
    server = start("serve", "--port", "0")
    address = re.search(rb"http://127.0.0.1:(\d+)/", server.stderr.readline())
    made = Line(int(address[1]))
    yield made
    made.close()
    server.terminate()
    server.communicate(timeout=20)


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Windows:
    """Opens pages, and keeps account of where they went and what they complained of."""

    def __init__(self, browser, port):
        self._browser, self.base = browser, f"http://127.0.0.1:{port}"
        self.asked, self.complaints, self.heard, self._contexts = [], [], [], []

    def open(self, path="/", context=None, **options):
        if context is None:
            context = self._browser.new_context(**options)
            self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", self._listen)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.goto(self.base + path)
        return page

    def _listen(self, websocket):
        self.asked.append(websocket.url)
        websocket.on("framereceived", lambda frame: self.heard.append(json.loads(frame)))

    def until(self, holds):
        """Lets the browser go on until something holds."""
        page = self._contexts[-1].pages[0]
        for _ in range(PATIENCE // 20):
            if holds():
                return
            page.wait_for_timeout(20)
        raise AssertionError("it never came to be")

    def typing(self, **options):
        page = self.open(**options)
        is_live(page)
        return page

    def forgive(self, complaint):
        self.complaints = [each for each in self.complaints if complaint not in each]

    def close(self):
        for context in self._contexts:
            context.close()


@pytest.fixture
def windows(line, chromium):
    made = Windows(chromium, line.port)
    yield made
    made.close()
    own = (made.base, made.base.replace("http", "ws"), "blob:", "data:")
    assert [url for url in made.asked if not url.startswith(own)] == [], "a request left the machine"
    assert made.complaints == []


def is_live(page):
    expect(page.locator("#state")).to_have_attribute("data-state", "live", timeout=PATIENCE)


def is_down(page):
    expect(page.locator("#state")).not_to_have_attribute("data-state", "live", timeout=PATIENCE)


def typed(page, text):
    page.locator("#typed").press_sequentially(text)


def pasted(page, text):
    page.evaluate(
        """text => { const box = document.getElementById('typed'); box.focus();
                     document.execCommand('insertText', false, text); }""",
        text,
    )


def ends(page, sentences):
    """Ends the sentence; once so many are complete, gives their sources and their translations."""
    page.locator("#typed").press("Enter")
    expect(page.locator("#lines li")).to_have_count(sentences + 1, timeout=PATIENCE)
    expect(page.locator("#lines li").last).to_have_class("empty", timeout=PATIENCE)
    return [page.locator(f"#lines .{side}").all_text_contents()[:-1] for side in ("source", "target")]


def test_what_is_typed_is_translated(windows):
    page = windows.typing()
    typed(page, SENTENCE + "Hello wor")
    expect(page.locator(".target").first).to_have_text(PORTUGUESE, timeout=PATIENCE)
    expect(page.locator(".source").first).to_have_text(SENTENCE.strip())
    assert page.locator("#typed").input_value() == "wor"
    page.locator("#typed").press("Backspace")
    typed(page, "man")
    sources, _ = ends(page, 2)
    assert [text.strip() for text in sources] == [SENTENCE.strip(), "Hello woman"]
    assert page.locator(".source").first.get_attribute("lang") == "en"
    assert page.locator(".target").first.get_attribute("lang") == "pt"
    assert page.locator("#behind").inner_text() == "0 words behind"
    told = page.locator("#announcer p").all_text_contents()
    assert PORTUGUESE.fullmatch(told[0])
    assert len(told) == 2


def test_a_long_paste_is_read_to_its_end(windows):
    page = windows.typing()
    most = """() => { const send = WebSocket.prototype.send; window.most = 0;
        WebSocket.prototype.send = function (data) {
          window.most = Math.max(window.most, data.length); return send.call(this, data); }; }"""
    page.evaluate(most)
    expect(page.locator("#policy option")).to_have_count(8, timeout=PATIENCE)
    page.locator("#policy").select_option("wait-k")
    pasted(page, LONG)
    assert len(LONG.split()) > 300
    sources, targets = ends(page, 20)
    assert " ".join(text.strip() for text in sources) == LONG
    assert all(f"{1700 + n}" in text for n, text in enumerate(targets))
    assert page.evaluate("window.most") < 400, "a paste must not go in one piece"


def test_the_slider_changes_the_policy(windows):
    page = windows.typing()
    expect(page.locator("#policy option")).to_have_count(8, timeout=PATIENCE)
    assert page.locator("#policy").input_value() == "learned"
    page.locator("#policy").select_option("wait-k")
    windows.until(lambda: policies(windows)[-1]["policy"] == "wait-k")
    expect(page.locator("#lag-words")).to_have_text("3 words behind")
    assert "k words behind" in page.locator("#summary").inner_text()
    typed(page, "one two three ")
    page.locator("#lag").press("ArrowRight")
    windows.until(lambda: policies(windows)[-1].get("k") == 4)
    expect(page.locator("#lag-words")).to_have_text("4 words behind")
    assert page.locator("#lag").get_attribute("aria-valuetext") == "4 words behind"
    page.locator("#lag").press("End")
    windows.until(lambda: policies(windows)[-1].get("k") == "inf")


def policies(windows):
    return [m["policy"] for m in windows.heard if m["type"] in ("opened", "policy")]


def test_every_step_of_every_slider_is_a_policy(windows):
    page = windows.typing()
    offers = page.evaluate("""async () => {
        const { scaleOf, chosen, nearest } = await import("/static/policies.js");
        const about = await (await fetch("/v1/about")).json();
        return about.policies.flatMap(({ name }) => scaleOf(name).steps.map((step, i) =>
            [chosen(name, step, about.policy), scaleOf(name).words({ ...step }), i, nearest(scaleOf(name), step)]));
    }""")
    for policy, words, step, nearest in offers:
        assert policy_of(policy, make_policy("wait-k")).name == policy["name"]
        assert words
        assert nearest == step
    assert len({policy["name"] for policy, *_ in offers}) == 8


def test_a_word_shows_what_had_been_read(windows):
    page = windows.typing()
    typed(page, SENTENCE)
    ends(page, 1)
    delays = [event["delay"] for event in windows.heard if event["type"] == "write"]
    source = SENTENCE.split()
    for number in (0, 2, 6):
        page.locator(".target .word").nth(number).hover()
        assert [word.strip() for word in page.locator(".seen").all_text_contents()] == source[: delays[number]]
    assert f"after {delays[6]} words: The old house" in page.locator("#seen").inner_text()
    page.locator("h1").hover()
    expect(page.locator(".seen")).to_have_count(0)


def test_words_by_keyboard(windows):
    page = windows.typing()
    typed(page, SENTENCE)
    ends(page, 1)
    assert page.locator(".word[tabindex='0']").count() == 1
    page.locator("#lag").focus()
    page.keyboard.press("Tab")  # to the transcript, which scrolls, or to its word
    if page.evaluate("document.activeElement.id"):
        page.keyboard.press("Tab")
    words = page.locator(".target .word").all_text_contents()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".chosen")).to_have_text(words[1])
    page.keyboard.press("End")
    expect(page.locator(".chosen")).to_have_text(words[-1])
    assert "".join(page.locator(".seen").all_text_contents()) == SENTENCE.strip()
    page.keyboard.press("Tab")
    expect(page.locator(".chosen")).to_have_count(0)
    assert page.evaluate("document.activeElement.id") == "typed"


def test_revisions_of_many_words(windows):
    page = windows.typing()
    expect(page.locator("#policy option")).to_have_count(8, timeout=PATIENCE)
    page.locator("#policy").select_option("retranslate")
    windows.until(lambda: policies(windows)[-1]["policy"] == "retranslate")
    typed(page, "The woman who lives in the big ")
    windows.until(lambda: any(m["type"] == "revise" and m["delay"] == 7 for m in windows.heard))
    words = []
    for event in windows.heard:
        if event["type"] in ("write", "revise"):
            words[event["index"] :] = event["text"].split()
    expect(page.locator(".target").first).to_have_text(" ".join(words), timeout=PATIENCE)


def captions(windows, page, wish=""):
    return windows.open(page.locator("#captions").get_attribute("href") + wish, page.context)


def test_captions_for_who_comes_late(windows):
    page = windows.typing()
    typed(page, SENTENCE + "We like music. ")
    ends(page, 2)
    late = captions(windows, page)
    expect(late.locator("#target p")).to_have_text(page.locator(".target").all_text_contents()[:2], timeout=PATIENCE)
    assert late.locator("#source p").count() == 0
    typed(page, "Good morning, my friends. ")
    ends(page, 3)
    expect(late.locator("#target p")).to_have_text(page.locator(".target").all_text_contents()[:3], timeout=PATIENCE)
    assert len(late.locator("#announcer p").all_text_contents()) == 3
    both = captions(windows, page, "&source=1")
    expect(both.locator("#source p").first).to_have_text(SENTENCE.strip(), timeout=PATIENCE)


def test_a_line_that_breaks_loses_and_doubles_nothing(windows, line):
    page = windows.typing()
    screen = captions(windows, page)
    name = page.locator("#captions").get_attribute("href")
    for number, text in enumerate(("one bridge over the river", "two bridges over the sea", "three old friends")):
        typed(page, text + " ")
        expect(page.locator(f"#lines li:nth-child({number + 1}) .source .word").first).to_be_visible(timeout=PATIENCE)
        expect(page.locator(".unread")).to_have_text("", timeout=PATIENCE)
        line.cut()
        is_down(page)
        is_live(page)
    assert page.locator("#captions").get_attribute("href") == name
    sources, targets = ends(page, 3)
    assert [text.strip() for text in sources] == [
        "one bridge over the river",
        "two bridges over the sea",
        "three old friends",
    ]
    expect(screen.locator("#target p")).to_have_text(targets, timeout=PATIENCE)
    windows.forgive("WebSocket connection")


def test_words_typed_while_the_line_is_broken_are_kept(windows, line):
    page = windows.typing()
    text = LONG[: LONG.index(" In the year 1708")]
    pasted(page, text + " ")
    expect(page.locator("#lines li:nth-child(3)")).to_be_visible(timeout=PATIENCE)
    line.cut()
    typed(page, "The end. ")
    is_down(page)
    is_live(page)
    page.locator("#typed").press("Enter")
    expect(page.locator("#lines li").last).to_have_class("empty", timeout=PATIENCE)
    sources = page.locator(".source").all_text_contents()
    assert " ".join(text.strip() for text in sources).strip() == text + " The end."
    windows.forgive("WebSocket connection")


def test_a_page_that_is_loaded_again_goes_on(windows):
    page = windows.typing()
    name = page.locator("#captions").get_attribute("href")
    typed(page, SENTENCE)
    ends(page, 1)
    page.reload()
    is_live(page)
    assert page.locator("#captions").get_attribute("href") == name
    typed(page, "We like music. ")
    sources, _ = ends(page, 2)
    assert [text.strip() for text in sources] == [SENTENCE.strip(), "We like music."]
    page.locator("#anew").click()
    is_live(page)
    expect(page.locator("#captions")).not_to_have_attribute("href", name)
    expect(page.locator(".word")).to_have_count(0)


def test_lines_of_captions_whatever_was_missed(windows):
    page = windows.open("/captions")
    shown = page.evaluate("""async () => {
        const { Lines } = await import("/static/lines.js");
        const lines = new Lines(4), seen = [];
        const line = (sentence, text, done = true) => ({ sentence, text, done });
        const take = (message, isFirst = false) => {
            lines.take(message, isFirst);
            seen.push(lines.all.map(({ key, text }) => `${key} ${text}`).join(", "));
        };
        take({ type: "show", session: "a", lines: [line(0, "x"), line(1, "y", false)] }, true);
        take({ type: "lines", lines: [line(1, "y z"), line(2, "u")] });
        take({ type: "beat" });
        take({ type: "show", session: "a", lines: [line(1, "y z"), line(2, "u v"), line(3, "w")] }, true);
        take({ type: "show", session: "a", lines: [] });
        take({ type: "show", session: "a", lines: [] }, true);
        take({ type: "lines", lines: [line(0, "n")] });
        take({ type: "show", session: "b", lines: [line(0, "m")] }, true);
        return seen;
    }""")
    assert shown == [
        "0 x, 1 y",
        "0 x, 1 y z, 2 u",
        "0 x, 1 y z, 2 u",
        "0 x, 1 y z, 2 u v, 3 w",
        "0 x, 1 y z, 2 u v, 3 w",
        "0 x, 1 y z, 2 u v, 3 w",
        "1 y z, 2 u v, 3 w, 4 n",
        "2 u v, 3 w, 4 n, 5 m",
    ]


def test_captions_over_a_picture(windows):
    page = windows.open("/captions?background=transparent&size=48&lines=2&color=ffee00&align=center")
    look = page.evaluate("""() => {
        const shown = [document.documentElement, document.getElementById("target")];
        const [root, band] = shown.map((e) => getComputedStyle(e));
        document.getElementById("target").append(document.createElement("p"));
        const row = getComputedStyle(document.querySelector("#target p"));
        return [root.backgroundColor, getComputedStyle(document.body).backgroundColor, root.color, band.fontSize,
                Math.round(parseFloat(band.height)), row.textAlign, row.webkitTextStrokeWidth !== "0px"];
    }""")
    assert look == ["rgba(0, 0, 0, 0)", "rgba(0, 0, 0, 0)", "rgb(255, 238, 0)", "48px", 134, "center", True]
    client = page.context.new_cdp_session(page)
    client.send("Emulation.setDefaultBackgroundColorOverride", {"color": {"r": 0, "g": 0, "b": 0, "a": 0}})
    assert page.screenshot(omit_background=True, type="png")[25] == 6, "a PNG with an alpha channel"


def test_captions_in_obs_and_with_wishes_that_cannot_be(windows):
    context = windows.typing().context
    odd = windows.open("/captions?size=huge&color=;}&lines=-3&background=url(x)", context)
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    assert odd.evaluate(ground) == "rgb(0, 0, 0)"
    assert odd.evaluate("getComputedStyle(document.documentElement).color") == "rgb(255, 255, 255)"
    context.add_init_script("window.obsstudio = {}")
    assert windows.open("/captions", context).evaluate(ground) == "rgba(0, 0, 0, 0)"


TIMES = re.compile(r"(\d\d):(\d\d):(\d\d)[,.](\d{3}) --> (\d\d):(\d\d):(\d\d)[,.](\d{3})")


def test_downloads(windows):
    page = windows.typing()
    pasted(page, LONG[: LONG.index("1703")] + "1703 we came. ")
    _, targets = ends(page, 4)
    saved = {}
    for kind in ("txt", "srt", "vtt"):
        page.locator("#menu summary").click()
        with page.expect_download() as waiting:
            page.locator(f"[data-save={kind}]").click()
        assert waiting.value.suggested_filename == f"translation-pt.{kind}"
        saved[kind] = waiting.value.path().read_text(encoding="utf-8")
    assert saved["txt"].splitlines() == targets
    assert saved["vtt"].startswith("WEBVTT\n\n")
    for kind in ("srt", "vtt"):
        blocks = [block.splitlines() for block in saved[kind].removeprefix("WEBVTT").strip().split("\n\n")]
        if kind == "srt":
            assert [block.pop(0) for block in blocks] == [str(n + 1) for n in range(len(blocks))]
        now = 0
        for times, *lines in blocks:
            h, m, s, ms, *end = map(int, TIMES.fullmatch(times).groups())
            begin, stop = 1000 * (60 * (60 * h + m) + s) + ms, 1000 * (60 * (60 * end[0] + end[1]) + end[2]) + end[3]
            assert now <= begin < stop
            now = stop
            assert 1 <= len(lines) <= 2
            assert all(len(line) <= 42 for line in lines)
        assert " ".join(line for _, *lines in blocks for line in lines) == " ".join(targets)


CONTRAST = """(selectors) => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data]; };
  const light = (color) => rgb(color).slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => { const own = getComputedStyle(e).backgroundColor;
    return rgb(own)[3] || !e.parentElement ? own : ground(e.parentElement); };
  return selectors.map((selector) => { const e = document.querySelector(selector);
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return [selector, (a + 0.05) / (b + 0.05)]; });
}"""
TEXTS = "h1 #state #model #captions #anew #policy #lag-words #summary h2 .source .target".split()
TEXTS += ".seen .chosen #seen #behind".split()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast_and_names(windows, scheme):
    page = windows.typing(color_scheme=scheme)
    typed(page, SENTENCE)
    ends(page, 1)
    page.locator(".target .word").nth(3).hover()
    page.evaluate("document.getElementById('problem').hidden = false")
    faint = [*TEXTS, "#typed", "#typed-label", "#hint", "#composer button", "#problem", ".end"]
    assert [(name, ratio) for name, ratio in page.evaluate(CONTRAST, faint) if ratio < 4.5] == []
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "link", "combobox", "slider", "textbox", "DisclosureTriangle", "navigation", "log"}
    found = [node for node in tree if not node["ignored"] and node["role"]["value"] in controls]
    assert len(found) >= 7
    assert [node["role"]["value"] for node in found if not node.get("name", {}).get("value")] == []


def test_nothing_moves_sideways_on_a_phone(windows):
    page = windows.typing(viewport={"width": 360, "height": 740})
    pasted(page, LONG[:200] + " " + 40 * "w" + " ")
    ends(page, 3)
    page.locator(".target .word").nth(5).hover()
    assert page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [360, 360]
    assert page.locator("#typed").bounding_box()["y"] < 740 - 60


def test_right_to_left_and_errors_in_words(windows):
    page = windows.typing()
    assert page.locator(".source").first.get_attribute("dir") == "auto"
    lost = windows.open("/?from=xx&to=yy", page.context)
    expect(lost.locator("#problem")).to_be_visible(timeout=PATIENCE)
    expect(lost.locator("#state")).to_have_attribute("data-state", "stopped", timeout=PATIENCE)
