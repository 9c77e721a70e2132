// The lines of a show as a viewer has them, whatever was missed in between.

/** Lines {key, sentence, source, text, done} in order; the key of a line never changes, nor is it used again. */
export class Lines {
  all = [];
  #kept;
  #keys = 0;
  #session = null;

  /** kept: lines to keep, the last ones. */
  constructor(kept) {
    this.#kept = kept;
  }

  /** A message came; isFirst: the first of a new connection, which holds the last lines there are. */
  take(message, isFirst) {
    if (message.type === "show") this.#begin(message, isFirst);
    for (const line of message.lines ?? []) this.#put(line);
    this.all = this.all.slice(-this.#kept);
  }

  /** Lines of another session, or of a server that has started anew, are of the past: their numbers are free again. */
  #begin({ session, lines }, isFirst) {
    const here = this.all.at(-1)?.sentence ?? -1;
    const there = lines.at(-1)?.sentence ?? -1;
    const isOther = this.#session !== null && session !== this.#session;
    if (isOther || (isFirst && there < here)) for (const line of this.all) Object.assign(line, { sentence: -1, done: true });
    this.#session = session;
  }

  #put(line) {
    const before = this.all.find(({ sentence }) => sentence === line.sentence);
    if (before) Object.assign(before, line);
    else if (line.sentence > (this.all.at(-1)?.sentence ?? -1)) this.all.push({ ...line, key: this.#keys++ });
  }
}
