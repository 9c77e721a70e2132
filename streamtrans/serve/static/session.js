// One session on the server, opened again under the same name when the line breaks, so that its captions go on.

import { Backoff, first, open } from "./socket.js";
import { Outbox } from "./outbox.js";
import { Transcript } from "./transcript.js";

const TAKEN_ATTEMPTS = 5; // a server notices a broken line late; then somebody else has the name
const FINAL = new Set(["unsupported_direction", "unknown_model", "bad_message", "mistakes"]); // trying again is no use

export class Session {
  transcript = new Transcript();
  outbox = new Outbox();
  policy = null; // as the server stated it last
  #wanted = null; // as the user chose it
  #socket = null;
  #isOpen = false;
  #stopped = false;
  #taken = 0;
  #origin = null; // when the first word was read: times count from there

  /**
   * name: of the session to go on with, null for a new one. wishes: model, from and to for the server.
   * on: functions {state(text), change(sentence or null), policy(policy), problem(text), opened(message)}.
   */
  constructor(name, wishes, on) {
    Object.assign(this, { name, wishes, on });
    queueMicrotask(() => this.#live()); // once the page knows its session
  }

  /** Adds source text. */
  feed(text) {
    this.outbox.add(text);
    this.#send();
    if (this.#stopped === "idle") {
      this.#stopped = false;
      this.#live();
    }
    this.on.change(null);
  }

  /** Follows another policy from the next word on. */
  follow(policy) {
    this.#wanted = policy;
    if (this.#isOpen) this.#say({ type: "policy", policy });
  }

  /** Ends the session, of which nobody wants to hear any more. */
  leave() {
    this.on = Object.fromEntries(Object.keys(this.on).map((key) => [key, () => {}]));
    this.#stop();
  }

  #stop() {
    this.#stopped = true;
    this.#socket?.close();
  }

  async #live() {
    const backoff = new Backoff();
    while (!this.#stopped) {
      this.on.state("connecting");
      if (await this.#connection()) backoff.reset();
      if (this.#stopped) break;
      this.on.state("offline");
      await backoff.pause();
    }
    if (this.#stopped) this.on.state("stopped");
  }

  /** One connection from beginning to end; whether the session was open. */
  #connection() {
    return new Promise((resolve) => {
      const socket = open("/v1/stream");
      this.#socket = socket;
      socket.onopen = () => this.#say({
        type: "open", ...this.wishes, ...(this.name && { session: this.name }),
        ...(this.#wanted && { policy: this.#wanted }),
      });
      socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
      socket.onclose = () => {
        const wasOpen = this.#isOpen;
        this.#isOpen = false;
        resolve(wasOpen);
      };
    });
  }

  #hear(message) {
    if (message.type === "opened") this.#opened(message);
    else if (message.type === "policy") this.#follows(message.policy);
    else if (message.type === "error") this.#fails(message);
    else this.#note(message);
  }

  async #opened(message) {
    const socket = this.#socket;
    const goesOn = this.name === message.session;
    this.name = message.session;
    if (goesOn) await this.#catchUp();
    if (socket !== this.#socket || socket.readyState !== WebSocket.OPEN) return;
    this.#isOpen = true;
    this.#taken = 0;
    this.transcript.opened(message);
    this.on.opened(message);
    this.on.problem("");
    this.#follows(message.policy);
    this.on.state("live");
    this.#send();
    this.on.change(null);
  }

  /** Takes over what the server has of this session: it may have read words, and ended sentences, that it could not tell. */
  async #catchUp() {
    const show = await first("/v1/captions", { session: this.name, last: 200 });
    if (show?.type !== "show") return;
    for (const word of this.transcript.adopt(show.lines, show)) this.outbox.read(word);
    this.outbox.restart();
    const last = this.transcript.sentences.at(-1);
    if (last) this.#origin ??= performance.now() - last.to;
    this.transcript.sentences.forEach((sentence) => this.on.change(sentence));
  }

  #follows(policy) {
    this.policy = policy;
    this.on.policy(policy);
  }

  #fails({ code, message }) {
    if (code === "session_taken") this.#wait();
    else {
      this.on.problem(code === "idle" ? "Nothing came for long, so the session was closed. Type to go on." : message);
      if (code === "bad_policy") this.#refused();
      if (code === "idle") this.#stopped = "idle";
      if (FINAL.has(code)) this.#stop();
      else if (!this.#isOpen) this.#socket.close();
    }
  }

  /** The policy cannot be: the one before stays. */
  #refused() {
    this.#wanted = null;
    if (this.policy) this.on.policy(this.policy);
  }

  /** Somebody speaks under our name: the connection that broke, or, if it lasts, another window. */
  #wait() {
    this.#taken += 1;
    if (this.#taken >= TAKEN_ATTEMPTS) {
      this.name = null;
      this.#taken = 0;
      this.transcript = new Transcript();
      this.on.change(null);
    }
    this.#socket.close();
  }

  #note(event) {
    if (event.type === "read") {
      this.#origin ??= performance.now();
      this.outbox.read(event.text);
    }
    const now = event.end_ms ?? performance.now() - (this.#origin ?? performance.now());
    const sentence = this.transcript.apply(event, now);
    this.#send();
    if (sentence) this.on.change(sentence);
  }

  #send() {
    if (!this.#isOpen) return;
    for (const text of this.outbox.pieces(this.transcript.from)) this.#say({ type: "feed", text });
  }

  #say(message) {
    this.#socket.send(JSON.stringify(message));
  }
}
