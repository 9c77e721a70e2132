// The page where one types: joins the session, the transcript's view and the controls.

import { save } from "./downloads.js";
import { chosen, nearest, scaleOf } from "./policies.js";
import { Session } from "./session.js";
import { Backoff, query } from "./socket.js";
import { isUnspaced, join } from "./transcript.js";
import { View } from "./view.js";

const byId = (id) => document.getElementById(id);
const [list, main, typed, policy, lag, lagWords] =
  ["lines", "transcript", "typed", "policy", "lag", "lag-words"].map(byId);
const STATES = { connecting: "connecting …", live: "live", offline: "no connection, trying again …", stopped: "stopped" };
const ANNOUNCED = 3; // finished sentences that stay for screen readers
const STORED = "streamtrans.session"; // the name under which a page that is loaded again goes on

const view = new View(list, (text) => { byId("seen").textContent = text; });
const page = new URLSearchParams(location.search);
const wishes = Object.fromEntries(["model", "from", "to"].map((key) => [key, page.get(key)]).filter(([, value]) => value));

let session, about;

// What the session tells.

const on = {
  state(state) {
    byId("state").textContent = STATES[state];
    byId("state").dataset.state = state;
  },

  problem(text) {
    byId("problem").textContent = text;
    byId("problem").hidden = !text;
  },

  opened({ session: name, from, to, model }) {
    sessionStorage.setItem(STORED, name);
    byId("captions").href = `/captions${query({ session: name })}`;
    document.title = `${from} → ${to} · streamtrans`;
    byId("model").textContent = model;
    for (const [id, code] of [["from", from], ["to", to]]) byId(id).textContent = named(code);
    typed.lang = from;
    byId("typed-label").textContent = `Type or paste ${named(from)}`;
    byId("announcer").lang = to;
  },

  change(sentence) {
    if (sentence) changed.add(sentence);
    if (!drawing) drawing = requestAnimationFrame(draw);
  },

  policy(stated) {
    if (![...policy.options].some(({ value }) => value === stated.policy)) policy.add(new Option(stated.policy));
    policy.value = stated.policy;
    showScale(stated);
    lag.value = nearest(scaleOf(stated.policy), stated);
    describe(scaleOf(stated.policy).words(stated));
  },
};

const changed = new Set();
let drawing = 0, drawn = null; // the transcript that is shown

/** Shows what has changed since the last picture: words may come faster than pictures. */
function draw() {
  const { transcript, outbox } = session;
  drawing = 0;
  if (drawn !== transcript) view.clear();
  const follow = main.scrollHeight - main.scrollTop - main.clientHeight < 80; // unless somebody has scrolled back
  view.show(transcript, drawn === transcript ? changed : transcript.sentences);
  view.showUnread(outbox.text, transcript);
  if (follow) main.scrollTop = main.scrollHeight;
  const behind = transcript.behind;
  byId("behind").textContent = transcript.sentences.length ? `${behind} word${behind === 1 ? "" : "s"} behind` : "";
  for (const sentence of changed) if (sentence.done) announce(sentence, transcript.to);
  changed.clear();
  drawn = transcript;
}

function named(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code);
  } catch {
    return code; // of no language, as a model's configuration may have it
  }
}

function announce({ target }, language) {
  const line = document.createElement("p");
  line.textContent = join(target.map(({ text }) => text), language);
  byId("announcer").append(line);
  while (byId("announcer").children.length > ANNOUNCED) byId("announcer").firstChild.remove();
}

// Typing: what is read cannot be taken back, so a word leaves the box when white space follows, and not before.

function takeTyped() {
  const whole = isUnspaced(session.transcript.from) ? typed.value : typed.value.match(/^[^]*\s/)?.[0] ?? "";
  if (!whole) return;
  const caret = typed.selectionStart - whole.length;
  typed.value = typed.value.slice(whole.length);
  typed.setSelectionRange(Math.max(0, caret), Math.max(0, caret));
  session.feed(whole);
}

typed.addEventListener("input", (event) => { if (!event.isComposing) takeTyped(); });
typed.addEventListener("compositionend", takeTyped);
byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  session.feed(`${typed.value}\n`);
  typed.value = "";
  typed.focus();
});

// Policy and lag.

function showScale(stated) {
  const { steps } = scaleOf(stated.policy);
  lag.max = Math.max(0, steps.length - 1);
  lag.disabled = !steps.length;
  byId("summary").textContent = about?.policies.find(({ name }) => name === stated.policy)?.summary ?? "";
}

function describe(words) {
  lagWords.textContent = words;
  lag.setAttribute("aria-valuetext", words);
}

/** The policy that the controls show; its other options are the session's, else the model's own. */
function wanted() {
  const step = scaleOf(policy.value).steps[lag.value];
  const base = [session.policy, about?.policy].find((each) => each?.policy === policy.value);
  return chosen(policy.value, step, base);
}

let soon;
lag.addEventListener("input", () => {
  describe(scaleOf(policy.value).words(wanted()));
  clearTimeout(soon); // a slider that is drawn along is told once it rests
  soon = setTimeout(() => session.follow(wanted()), 150);
});

policy.addEventListener("change", () => {
  const name = policy.value;
  const options = about?.policies.find((each) => each.name === name)?.options ?? [];
  const usual = Object.fromEntries(options.map((option) => [option.name, option.default]));
  const stated = about?.policy.policy === name ? about.policy : { policy: name, ...usual };
  on.policy(stated);
  const { policy: _, ...own } = stated;
  session.follow({ name, ...Object.fromEntries(Object.entries(own).filter(([, value]) => value !== null)) });
});

// The menu, and the beginning.

for (const button of document.querySelectorAll("[data-save]")) {
  button.addEventListener("click", () => {
    save(session.transcript, button.dataset.save, `translation-${session.transcript.to}`);
    byId("menu").open = false;
  });
}

byId("anew").addEventListener("click", () => {
  session.leave();
  begin(null);
  typed.focus();
});

document.addEventListener("keydown", ({ key }) => { if (key === "Escape") byId("menu").open = false; });

function begin(name) {
  changed.clear();
  drawn = null;
  byId("announcer").replaceChildren();
  session = new Session(name, wishes, on);
}

async function learnAbout() {
  const backoff = new Backoff();
  while (!about) {
    try {
      about = await (await fetch(`/v1/about${query({})}`)).json();
    } catch {
      await backoff.pause();
    }
  }
  const shown = policy.value;
  policy.replaceChildren(...about.policies.map(({ name }) => new Option(name)));
  if (session.policy) on.policy(session.policy);
  else if (shown) policy.value = shown;
}

begin(sessionStorage.getItem(STORED));
learnAbout();
