// WebSockets to this server: addresses with the page's token, and a connection that comes back by itself.

const FIRST_WAIT = 500, LONGEST_WAIT = 10_000; // milliseconds between attempts
const SILENCE = 50_000; // after which a line on which the server sends beats is taken to be dead

const token = new URLSearchParams(location.search).get("token");

/** The query of an address on this server; undefined and empty values are left out, the page's token is added. */
export function query(values) {
  const given = Object.entries({ ...values, token }).filter(([, value]) => value);
  return given.length ? `?${new URLSearchParams(given)}` : "";
}

/** A WebSocket at a path of this server. */
export function open(path, values = {}) {
  return new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${path}${query(values)}`);
}

/** The first message that the server sends on a path, or null if there is none within five seconds. */
export function first(path, values) {
  return new Promise((resolve) => {
    const socket = open(path, values);
    const end = (message) => {
      clearTimeout(timer);
      socket.close();
      resolve(message);
    };
    const timer = setTimeout(end, 5000, null);
    socket.onmessage = ({ data }) => end(JSON.parse(data));
    socket.onclose = () => end(null);
  });
}

/** Waits that double, with some chance in them so that a room full of screens does not return in one moment. */
export class Backoff {
  #wait = FIRST_WAIT;

  /** Resolves after the next wait. */
  pause() {
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(2 * this.#wait, LONGEST_WAIT);
    return new Promise((resolve) => setTimeout(resolve, wait));
  }

  /** The line works: the next wait is short again. */
  reset() {
    this.#wait = FIRST_WAIT;
  }
}

/** Listens on a path for ever. onMessage(message, isFirst): isFirst after each new connection; onDown(): it broke. */
export async function listen(path, values, onMessage, onDown) {
  const backoff = new Backoff();
  for (;;) {
    await new Promise((closed) => {
      const socket = open(path, values);
      let isFirst = true, silence;
      const watch = () => {
        clearTimeout(silence);
        // A line that is dead may take minutes to close: it is left behind at once.
        silence = setTimeout(() => { socket.onmessage = null; socket.close(); closed(); }, SILENCE);
      };
      watch();
      socket.onmessage = ({ data }) => {
        watch();
        backoff.reset();
        onMessage(JSON.parse(data), isFirst);
        isFirst = false;
      };
      socket.onclose = () => { clearTimeout(silence); closed(); };
    });
    onDown();
    await backoff.pause();
  }
}
