// What was read and written, sentence by sentence: built from the server's events, and from its lines after an absence.

const UNSPACED = new Set(["zh", "ja", "th"]); // languages whose words are characters

/** Whether words of this language are characters. */
export const isUnspaced = (language) => UNSPACED.has((language || "").split("-")[0]);

/** The words of a text; characters that are words keep a space in front where there is one. */
export const words = (text, language) =>
  text.trim().replace(/\s+/g, " ").match(isUnspaced(language) ? / ?\S/gu : /\S+/gu) ?? [];

/** The text of some words. */
export const join = (list, language) => list.join(isUnspaced(language) ? "" : " ");

/**
 * Sentences by number, each {number, source: [word], target: [{text, delay}], done, from, to}; from and to in
 * milliseconds of `now`. delay: source words that had been read when the target word was written.
 */
export class Transcript {
  sentences = [];
  from = "";
  to = "";
  #base = 0; // added to the server's numbers: a server that was restarted counts from 0 again
  #silence = 0; // words read since the last one was written

  /** A session was opened, whose next sentence has this number on the server. */
  opened({ from, to, sentence }) {
    Object.assign(this, { from, to });
    for (const open of this.sentences) open.done = true;
    this.#base = Math.max(0, this.next - sentence);
  }

  /** The number that the next sentence gets. */
  get next() {
    return this.sentences.length ? this.sentences.at(-1).number + 1 : 0;
  }

  /** Source words that nothing written stands for yet. */
  get behind() {
    const open = this.sentences.at(-1);
    return !open || open.done ? 0 : Math.max(this.#silence, open.source.length - open.target.length);
  }

  /** Notes an event that came at `now`; gives the sentence it changed, or nothing. */
  apply(event, now) {
    if (!["read", "write", "revise", "end"].includes(event.type)) return undefined;
    const sentence = this.#at(event.sentence + this.#base, now);
    sentence.to = now;
    if (event.type === "read") {
      sentence.source.push(event.text);
      this.#silence += 1;
      return sentence;
    }
    this.#silence = 0;
    if (event.type === "end") this.#end(sentence, event, now);
    else {
      const written = event.type === "write" ? [event.text] : words(event.text, this.to); // a revision may be of many words
      sentence.target.splice(event.index, Infinity, ...written.map((text) => ({ text, delay: event.delay })));
    }
    return sentence;
  }

  #end(sentence, { text, delay }, now) {
    sentence.done = true;
    const beyond = sentence.source.splice(delay); // read already, they belong to the next sentence
    if (beyond.length) this.#at(sentence.number + 1, now).source.unshift(...beyond);
    this.#settle(sentence, text);
  }

  /** Gives a sentence this translation; words that stay keep their delays. */
  #settle(sentence, text) {
    sentence.target = words(text, this.to).map((word, i) => {
      const before = sentence.target[i];
      return { text: word, delay: before?.text.trim() === word ? before.delay : sentence.source.length };
    });
  }

  /** Takes over lines that the server kept, and gives the source words among them that were not known here. */
  adopt(lines, { from, to }) {
    Object.assign(this, { from, to });
    const first = (lines[0]?.sentence ?? 0) + this.#base;
    // Counted over all lines: where one sentence ends and the next begins may be news as well.
    const known = this.sentences.filter(({ number }) => number >= first).reduce((sum, { source }) => sum + source.length, 0);
    for (const line of lines) {
      const sentence = this.#at(line.sentence + this.#base, line.time_ms);
      Object.assign(sentence, { source: words(line.source, from), done: line.done, to: Math.max(sentence.to, line.end_ms ?? 0) });
      this.#settle(sentence, line.text);
    }
    return lines.flatMap(({ source }) => words(source, from)).slice(known);
  }

  #at(number, now) {
    const found = this.sentences.findLast((sentence) => sentence.number === number);
    if (found) return found;
    this.sentences.push({ number, source: [], target: [], done: false, from: now, to: now });
    return this.sentences.at(-1);
  }
}
