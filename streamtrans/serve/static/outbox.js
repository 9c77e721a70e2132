// Text on its way to the model: typed but not sent, sent but not read. A long paste waits here, not in the server.

import { isUnspaced } from "./transcript.js";

const PIECE = 200, ON_THE_WAY = 400; // characters per message, and characters sent that may be unread

export class Outbox {
  #unsent = "";
  #unread = "";

  /** The text that has not been read, in order. */
  get text() {
    return this.#unread + this.#unsent;
  }

  /** Adds text at the end. */
  add(text) {
    this.#unsent += text;
  }

  /** The pieces to send now; white space that completes a word is part of it. */
  *pieces(language) {
    while (this.#unsent && this.#hasRoom(language)) {
      const most = this.#unsent.slice(0, PIECE);
      // Not in mid-word: if the line broke there, half a word would be read. At least not in mid-character.
      const piece = most.match(/^[^]*\s/)?.[0] ?? most.replace(/[\uD800-\uDBFF]$/, "");
      this.#unsent = this.#unsent.slice(piece.length);
      this.#unread += piece;
      yield piece;
    }
  }

  #hasRoom(language) {
    if (this.#unread.length < ON_THE_WAY) return true;
    // Two words may wait in the server for what follows them: if they are very long, more must still be sent.
    return !isUnspaced(language) && (this.#unread.match(/\S\s/g) ?? []).length <= 2;
  }

  /** A word was read: it and what is before it has left. */
  read(word) {
    const start = this.#unread.indexOf(word.trim());
    const end = start < 0 ? this.#unread.match(/^\s*\S*/)[0].length : start + word.trim().length;
    this.#unread = this.#unread.slice(end);
  }

  /** The line broke: what was not read goes again. */
  restart() {
    this.#unsent = this.text;
    this.#unread = "";
  }

  /** Forgets everything. */
  clear() {
    this.#unsent = this.#unread = "";
  }
}
