// Files of what was translated: plain text, SubRip (SRT) and WebVTT.

import { isUnspaced, join } from "./transcript.js";

const COLUMNS = 42, LINES = 2; // per line and per cue: what broadcasters allow
const SHORTEST = 1000; // milliseconds that a cue stays

/** A text in lines of at most 42 columns; a word that is longer is cut. Characters of zh and ja take two columns. */
export function wrap(text, language) {
  const room = isUnspaced(language) && language !== "th" ? COLUMNS / 2 : COLUMNS;
  const lines = [];
  let line = "";
  const parts = isUnspaced(language) ? [...text] : text.split(/\s+/).flatMap((word) => word.match(new RegExp(`.{1,${room}}`, "gu")) ?? []);
  for (const part of parts) {
    const longer = line && !isUnspaced(language) ? `${line} ${part}` : line + part;
    if ([...longer].length > room) {
      lines.push(line);
      line = part.trim();
    } else line = longer;
  }
  return line ? [...lines, line] : lines;
}

/** Cues {from, to, lines} in order, none before the one ahead of it has gone; a long sentence is shared out by length. */
export function cues(sentences, language) {
  const found = [];
  let free = 0;
  for (const { target, from, to } of sentences) {
    const lines = wrap(join(target.map(({ text }) => text), language).trim(), language);
    const blocks = Array.from({ length: Math.ceil(lines.length / LINES) }, (_, i) => lines.slice(LINES * i, LINES * (i + 1)));
    const letters = lines.join("").length;
    let start = Math.max(from, free);
    const span = Math.max(to - start, SHORTEST * blocks.length);
    for (const block of blocks) {
      const end = start + Math.max(SHORTEST, (span * block.join("").length) / letters);
      found.push({ from: start, to: end, lines: block });
      free = start = end;
    }
  }
  return found;
}

function clock(ms, mark) {
  const digits = (value, width = 2) => String(Math.floor(value)).padStart(width, "0");
  const whole = Math.round(ms);
  const [hours, minutes, seconds] = [whole / 3_600_000, (whole / 60_000) % 60, (whole / 1000) % 60];
  return `${digits(hours)}:${digits(minutes)}:${digits(seconds)}${mark}${digits(whole % 1000, 3)}`;
}

const times = (cue, mark) => `${clock(cue.from, mark)} --> ${clock(cue.to, mark)}`;

const escaped = (line) => line.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

const FORMATS = {
  txt: (sentences, language) => sentences.map(({ target }) => `${join(target.map(({ text }) => text), language)}\n`).join(""),
  srt: (sentences, language) => cues(sentences, language)
    .map((cue, i) => `${i + 1}\n${times(cue, ",")}\n${cue.lines.join("\n").replaceAll("-->", "->")}\n\n`).join(""),
  vtt: (sentences, language) => `WEBVTT\n\n${cues(sentences, language)
    .map((cue) => `${times(cue, ".")}\n${cue.lines.map(escaped).join("\n")}\n\n`).join("")}`,
};

/** Saves the translation of a transcript: format is txt, srt or vtt. */
export function save({ sentences, to }, format, name) {
  const written = sentences.filter(({ target }) => target.length);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([FORMATS[format](written, to)], { type: "text/plain" }));
  link.download = `${name}.${format}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
