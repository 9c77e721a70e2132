// The transcript on the page: a row per sentence, words that are only ever added, the read mark, and what a word had seen.

import { isUnspaced, join } from "./transcript.js";

const SHOWN_UNREAD = 80; // characters of a long paste that are shown before they are read

/** Words as elements at the end of a paragraph; `update` adds, changes and removes what differs. */
class Words {
  #spans = [];
  end = null; // the node that stays behind the words

  /** joined: the space before a word is part of its element, so that a highlight of several has no gaps. */
  constructor(paragraph, joined) {
    Object.assign(this, { paragraph, joined });
  }

  update(texts, language) {
    const space = isUnspaced(language) ? "" : " ";
    while (this.#spans.length > texts.length) this.#remove(this.#spans.pop());
    texts.forEach((text, i) => {
      if (!this.#spans[i]) this.#add(i && !this.joined ? space : "");
      const shown = i && this.joined ? space + text : text;
      if (this.#spans[i].textContent !== shown) this.#spans[i].textContent = shown;
    });
  }

  #add(space) {
    const span = document.createElement("span");
    span.className = "word";
    this.paragraph.insertBefore(span, this.end);
    if (space) span.before(space);
    this.#spans.push(span);
  }

  #remove(span) {
    if (span.previousSibling?.nodeType === Node.TEXT_NODE) span.previousSibling.remove();
    span.remove();
  }

  get spans() {
    return this.#spans;
  }
}

function paragraph(row, name) {
  const made = row.appendChild(document.createElement("p"));
  made.className = name;
  made.dir = "auto";
  return made;
}

/** Shows a transcript in a list; told(text): says what the word under the pointer, or with the focus, had seen. */
export class View {
  #rows = new Map(); // by sentence number
  #mark = document.createElement("span");
  #unread = document.createElement("span");
  #chosen = null;

  constructor(list, told) {
    Object.assign(this, { list, told });
    this.#mark.className = "mark";
    this.#mark.setAttribute("aria-hidden", "true");
    this.#unread.className = "unread";
    list.addEventListener("pointerover", ({ target }) => this.#choose(target.closest(".target .word")));
    list.addEventListener("pointerleave", () => this.#choose(document.activeElement.closest?.(".target .word")));
    list.addEventListener("focusin", ({ target }) => this.#choose(target.closest(".target .word")));
    list.addEventListener("focusout", () => this.#choose(null));
    list.addEventListener("keydown", (event) => this.#move(event));
  }

  /** Forgets everything shown. */
  clear() {
    this.list.replaceChildren();
    this.#rows.clear();
  }

  /** Shows sentences of a transcript, new or changed. */
  show(transcript, sentences) {
    for (const sentence of sentences) this.#row(sentence, transcript);
  }

  /** Shows text that has not been read, behind the read mark. */
  showUnread(text, transcript) {
    const open = transcript.sentences.at(-1);
    const at = open && !open.done ? open : { number: transcript.next, source: [], target: [] };
    const row = this.#row(at, transcript);
    row.element.classList.toggle("empty", !at.source.length && !text.trim());
    const more = text.length > SHOWN_UNREAD ? ` … ${text.length - SHOWN_UNREAD} characters more` : "";
    this.#unread.textContent = (at.source.length ? " " : "") + text.trimStart().slice(0, SHOWN_UNREAD) + more;
    if (this.#mark.parentNode !== row.source.paragraph) row.source.paragraph.append(this.#mark, this.#unread);
    row.source.end = this.#mark;
  }

  #row(sentence, { from, to }) {
    const row = this.#rows.get(sentence.number) ?? this.#make(sentence.number, from, to);
    row.source.update(sentence.source, from);
    row.target.update(sentence.target.map(({ text }) => text), to);
    row.target.spans.forEach((span, i) => { span.dataset.delay = sentence.target[i].delay; });
    if (!this.list.querySelector(".word[tabindex='0']") && row.target.spans[0]) row.target.spans[0].tabIndex = 0;
    if (sentence.source.length) row.element.classList.remove("empty");
    return row;
  }

  #make(number, from, to) {
    const element = this.list.appendChild(document.createElement("li"));
    element.dataset.sentence = number;
    const source = paragraph(element, "source"), target = paragraph(element, "target");
    source.lang = from;
    target.lang = to;
    const row = { element, source: new Words(source, true), target: new Words(target, false) };
    this.#rows.set(number, row);
    return row;
  }

  /** Marks the source words that a target word had seen; null marks none. */
  #choose(word) {
    if (word === this.#chosen) return;
    this.list.querySelectorAll(".seen, .chosen").forEach((each) => each.classList.remove("seen", "chosen"));
    this.list.querySelector(".looked-at")?.classList.remove("looked-at");
    this.#chosen = word;
    if (!word) return this.told("");
    const row = this.#rows.get(Number(word.closest("li").dataset.sentence));
    const delay = Number(word.dataset.delay);
    row.source.spans.slice(0, delay).forEach((span) => span.classList.add("seen"));
    row.element.classList.add("looked-at");
    word.classList.add("chosen");
    const read = join(row.source.spans.slice(0, delay).map((span) => span.textContent.trim()), row.source.paragraph.lang);
    const short = read.length > 60 ? `… ${read.slice(-60)}` : read;
    return this.told(`“${word.textContent.trim()}” written after ${delay} word${delay === 1 ? "" : "s"}: ${short}`);
  }

  /** The arrow keys go from word to word, Home and End to the first and last; only one word is a stop of Tab. */
  #move(event) {
    const all = [...this.list.querySelectorAll(".target .word")];
    const at = all.indexOf(event.target);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || !all[to]) return;
    event.preventDefault();
    all[at].removeAttribute("tabindex");
    all[to].tabIndex = 0;
    all[to].focus();
  }
}
