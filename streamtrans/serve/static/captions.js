// Captions to watch: on a projector, in OBS, on a phone in the room. docs/page.md lists what the address may say.

import { Lines } from "./lines.js";
import { listen } from "./socket.js";

const KEPT = 40; // lines; more than any screen shows
const ROWS = { usual: 3, most: 20 };
const SPOKEN = 3; // finished sentences that stay for screen readers

const wish = new URLSearchParams(location.search);
const root = document.documentElement;
const [state, announcer] = ["state", "announcer"].map((id) => document.getElementById(id));

/** A band of rows that shows one text of each line. */
class Band {
  #paragraphs = new Map(); // by the line's key

  constructor(id, field) {
    Object.assign(this, { element: document.getElementById(id), field });
    this.element.hidden = false;
  }

  show(lines, language) {
    const keys = new Set(lines.map(({ key }) => key));
    for (const [key, paragraph] of this.#paragraphs) {
      if (keys.has(key)) continue;
      paragraph.remove();
      this.#paragraphs.delete(key);
    }
    for (const { key, [this.field]: text } of lines) if (text || this.#paragraphs.has(key)) this.#put(key, text, language);
  }

  /** Adds what is new at the end of a text, so that what was shown stays as it is; a text that was revised is set anew. */
  #put(key, text, language) {
    if (!this.#paragraphs.has(key)) {
      const made = this.element.appendChild(document.createElement("p"));
      Object.assign(made, { lang: language, dir: "auto" }).append("");
      this.#paragraphs.set(key, made);
    }
    const node = this.#paragraphs.get(key).firstChild;
    if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
    else node.data = text;
  }
}

/** Sets a custom property, if it is one that the CSS property may have: as it is, in pixels, or as a colour without #. */
function style(name, property, value) {
  const written = value && [value, `${value}px`, `#${value}`].find((each) => CSS.supports(property, each));
  if (written) root.style.setProperty(name, written);
}

function dress() {
  const inObs = "obsstudio" in window; // how OBS tells a page that it is in a browser source
  const rows = Math.round(Number(wish.get("lines")));
  root.style.setProperty("--rows", rows >= 1 ? Math.min(rows, ROWS.most) : ROWS.usual);
  style("--size", "font-size", wish.get("size"));
  style("--color", "color", wish.get("color"));
  style("--align", "text-align", wish.get("align"));
  style("--background", "background-color", wish.get("background") || (inObs && "transparent"));
  root.classList.toggle("over", /^rgba\(.*, 0(\.\d+)?\)$/.test(getComputedStyle(root).backgroundColor));
}

dress();
const bands = [new Band("target", "text"), ...(wish.get("source") === "1" ? [new Band("source", "source")] : [])];
const lines = new Lines(KEPT);
const said = new Set(); // keys of the lines that screen readers have been told
let show = { from: "", to: "" };

function announce() {
  for (const { key, done, text } of lines.all) {
    if (!done || said.has(key)) continue;
    said.add(key);
    const paragraph = announcer.appendChild(document.createElement("p"));
    Object.assign(paragraph, { textContent: text, lang: show.to });
  }
  while (announcer.children.length > SPOKEN) announcer.firstChild.remove();
}

function hear(message, isFirst) {
  if (message.type === "show") {
    show = message;
    document.title = `Captions · ${show.session} · streamtrans`;
  }
  lines.take(message, isFirst);
  for (const band of bands) band.show(lines.all, band.field === "text" ? show.to : show.from);
  announce();
  state.textContent = message.type === "error" ? message.message : lines.all.length ? "" : "Waiting for the first words";
}

listen("/v1/captions", { session: wish.get("session"), last: KEPT }, hear, () => {
  state.textContent = "No connection, trying again …";
});
