// The slider: per policy a few settings from the soonest to the surest, and how each is said in words.

const plural = (n) => `${n} word${n === 1 ? "" : "s"}`;
const percent = (share) => `${+(100 * share).toFixed(1)} %`;
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, i) => first + i);

const waitK = {
  steps: [...range(1, 9), "inf"].map((k) => ({ k })),
  words: ({ k }) => (k === "inf" ? "reads the whole sentence first" : `${plural(k)} behind`),
};

/** name: {steps: options to send, words(options): what they mean}. The pairs of `learned` are those of docs/policies.md. */
const SCALES = {
  "wait-k": waitK,
  "wait-k-flush": waitK,
  learned: {
    steps: [[0.3, 4], [0.2, 4], [0.1, 4], [0.05, 4], [0.03, 5], [0.015, 6], [0.01, 7], [0.005, 9]]
      .map(([threshold, max_wait]) => ({ threshold, max_wait })),
    words: ({ threshold, max_wait }) => `waits while more than ${percent(threshold)} may be lost, up to ${plural(max_wait)}`,
  },
  agree: {
    steps: range(0, 4).map((hold) => ({ hold, horizon: hold + 2 })),
    words: ({ agree = 2, hold }) => `what ${agree} readings agree on${hold ? `, less the last ${plural(hold)}` : ""}`,
  },
  confident: {
    steps: [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9].map((threshold) => ({ threshold })),
    words: ({ threshold, max_wait = 9 }) => `once ${percent(threshold)} sure, at the latest after ${plural(max_wait)}`,
  },
  alignatt: {
    steps: range(1, 6).map((last) => ({ last })),
    words: ({ last }) => `while it looks at none of the last ${plural(last)}`,
  },
  boundary: {
    steps: [3, 5, 8, 12, 16, 20, 30].map((max_wait) => ({ max_wait })),
    words: ({ max_wait }) => `at the end of a clause, or after ${plural(max_wait)}`,
  },
  retranslate: {
    steps: range(0, 5).map((mask_words) => ({ mask_words })),
    words: ({ mask_words }) => `corrects itself${mask_words ? `; hides the last ${plural(mask_words)}` : ""}`,
  },
};

const NONE = { steps: [], words: () => "" };

/** The scale of a policy by its name; one without steps for a policy that is not known here. */
export const scaleOf = (name) => SCALES[name] ?? NONE;

/** The step of a scale that is nearest to the options of a policy. */
export function nearest({ steps }, options) {
  const number = (value) => (value === "inf" ? 100 : value);
  // The first option counts most: it is what the policy is known by.
  const distance = (step) => Object.entries(step).reduce(
    (sum, [key, value], i) => sum + Math.abs(Math.log((number(value) + 0.001) / (number(options[key] ?? value) + 0.001))) / 10 ** i, 0);
  return steps.reduce((best, step, i) => (distance(step) < distance(steps[best]) ? i : best), 0);
}

/** The policy to send for a step. base: a policy as the server states it; of the same name, its other options stay. */
export function chosen(name, step, base) {
  const { policy, ...options } = base ?? {};
  const kept = policy === name ? Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null)) : {};
  const made = { ...kept, ...step, name };
  if (kept.horizon && step.horizon) made.horizon = Math.max(kept.horizon, step.horizon); // more look-ahead than needed is kept
  return made;
}
