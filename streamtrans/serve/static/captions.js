// Captions to watch: on a projector, in OBS, on a phone in the room. What the address says is in docs/page.md.

import { Lines } from "./lines.js";
import { listen } from "./socket.js";

const wish = new URLSearchParams(location.search);
const root = document.documentElement;
const ROWS = { least: 1, usual: 3, most: 20 };
const KEPT = 40; // lines; more than any screen shows
const inObs = "obsstudio" in window; // OBS tells pages that they run in its browser source

const windowed = document.getElementById("window");
const list = document.getElementById("lines");
const state = document.getElementById("state");
const announcer = document.getElementById("announcer");

/** Sets a custom property if the value is one that the CSS property can have; a number is in pixels, or a bare hex colour. */
function style(name, property, value) {
  const written = [value, `${value}px`, `#${value}`].find((each) => value && CSS.supports(property, each));
  if (written) root.style.setProperty(name, written);
  return Boolean(written);
}

const rows = Math.min(ROWS.most, Math.max(ROWS.least, Math.round(Number(wish.get("lines"))) || ROWS.usual));
const showsSource = wish.get("source") === "1";
root.style.setProperty("--rows", rows);
style("--size", "font-size", wish.get("size"));
style("--color", "color", wish.get("color"));
style("--align", "text-align", wish.get("align"));
if (!style("--background", "background-color", wish.get("background")) && inObs) {
  root.style.setProperty("--background", "transparent");
}
const ground = getComputedStyle(root).backgroundColor;
const isOver = ground === "transparent" || /rgba\(.*, 0(\.\d+)?\)/.test(ground);
root.classList.toggle("over", isOver);

const lines = new Lines(KEPT);
const shown = new Map(); // by the line's key: {source, target, announced}

function paragraph(kind, language) {
  const made = list.appendChild(document.createElement("p"));
  Object.assign(made, { className: kind, lang: language, dir: "auto" });
  return made;
}

/** Adds what is new at the end of a text, so that what was shown stays as it is; a text that was revised is set anew. */
function put(element, text) {
  const node = element.firstChild ?? element.appendChild(document.createTextNode(""));
  if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
  else node.data = text;
}

function show(languages) {
  const keys = new Set(lines.all.map(({ key }) => key));
  for (const [key, { source, target }] of shown) {
    if (keys.has(key)) continue;
    source?.remove();
    target.remove();
    shown.delete(key);
  }
  for (const line of lines.all) {
    if (!shown.has(line.key)) {
      if (!line.text && !showsSource) continue; // an empty row would push text up before there is anything to read
      const source = showsSource ? paragraph("source", languages.from) : null;
      shown.set(line.key, { source, target: paragraph("target", languages.to), announced: false });
    }
    const at = shown.get(line.key);
    if (at.source) put(at.source, line.source);
    put(at.target, line.text);
    at.target.hidden = !line.text;
    if (line.done && !at.announced) announce(line, languages);
    at.announced ||= line.done;
  }
  windowed.scrollTop = windowed.scrollHeight;
}

function announce({ text }, { to }) {
  const said = announcer.appendChild(document.createElement("p"));
  Object.assign(said, { textContent: text, lang: to });
  while (announcer.children.length > 3) announcer.firstChild.remove();
}

let languages = { from: "", to: "" };

function hear(message, isFirst) {
  if (message.type === "show") {
    languages = message;
    document.title = `Captions · ${message.session} · streamtrans`;
  }
  lines.take(message, isFirst);
  show(languages);
  const isWaiting = message.type === "waiting" || (!lines.all.length && message.type !== "error");
  state.textContent = message.type === "error" ? message.message : isWaiting ? "Waiting for the first words" : "";
}

listen("/v1/captions", { session: wish.get("session"), last: KEPT }, hear, () => {
  state.textContent = "No connection, trying again …";
});
