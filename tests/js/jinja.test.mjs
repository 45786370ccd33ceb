// Templates beyond what conversations need: where Jinja and the library differ, dates, marks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { source } from "./source.mjs";

const { ChatTemplate } = await source("jinja");
const { strftime } = await source("strftime");

const written = (template, variables = {}) => new ChatTemplate(template).render(variables).map(({ text }) => text).join("");

test("what a round wrote before it was left stays written", () => {
  const skips = "{% for i in range(4) %}<{{ i }}{% if i == 1 %}!{% continue %}{% endif %}{% if i == 2 %}?{% break %}{% endif %}>{% endfor %}.";
  assert.equal(written(skips), "<0><1!<2?.");
  const nested = "{% for i in range(2) %}{{ i }}{% for j in range(3) %}({{ j }}{% if j == 1 %}{% break %}{% endif %}){% endfor %}{% if i == 0 %}~{% continue %}{% endif %};{% endfor %}";
  assert.equal(written(nested), "0(0)(1~1(0)(1;");
});

test("a name that a round assigned is gone in the next", () => {
  assert.equal(written("{% for i in range(3) %}{% if i == 1 %}{% set x = 'x' %}{% endif %}{{ i }}{{ x }}{% endfor %}{{ x }}"), "01x2");
});

test("marks may stand in loops, macros' callers and branches, and change no white space", () => {
  const template = "{% for m in messages %}\n  {% generation %}\n{{ m }}\n  {% endgeneration %}\n|{% endfor %}";
  assert.deepEqual(new ChatTemplate(template).render({ messages: ["a", "b"] }), [
    { text: "a\n", learned: true },
    { text: "|", learned: false },
    { text: "b\n", learned: true },
    { text: "|", learned: false },
  ]);
});

test("dates are Python's, in English", () => {
  const date = new Date(2024, 6, 5, 15, 4, 9);
  assert.equal(strftime(date, "%d %b %Y, %A %B %-d %H:%M:%S %I%p %y %a 100%% %q"), "05 Jul 2024, Friday July 5 15:04:09 03PM 24 Fri 100% %q");
  assert.match(written("{{ strftime_now('%Y-%m') }}"), /^20\d\d-\d\d$/);
});

test("ranges are Python's", () => {
  assert.equal(written("{{ range(3) | join(' ') }};{{ range(1, 3) | join(' ') }};{{ range(5, 0, -2) | join(' ') }};{{ range(3, 1) | join(' ') }}"), "0 1 2;1 2;5 3 1;");
});
