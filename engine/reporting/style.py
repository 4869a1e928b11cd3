"""How the HTML page looks: readable on paper, on a phone, in light and dark. No font and no picture is fetched."""

from __future__ import annotations

STYLE = """\
:root { color-scheme: light dark; --paper: #ffffff; --ink: #16181d; --muted: #5b616b; --line: #d5d9e0;
  --shade: #f4f6f9; --warn: #9c3d00; --warn-paper: #fdf0e6; --note-paper: #eef4fa; --note: #0a5a94; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14161a; --ink: #e6e8ec; --muted: #a3a9b4; --line: #3a3f48; --shade: #1d2026;
    --warn: #ffb27d; --warn-paper: #2e1f14; --note-paper: #16222e; --note: #8ec5f2; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0.5rem 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 0.6rem; padding-bottom: 0.25rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.6rem 0 0.4rem; }
p, li { max-width: 46rem; overflow-wrap: anywhere; }
p { margin: 0.6rem 0; }
.note, .severe { max-width: none; padding: 0.6rem 0.9rem; border-left: 4px solid var(--note);
  background: var(--note-paper); }
.severe { border-color: var(--warn); background: var(--warn-paper); }
.severe strong:first-child::before { content: "\\26A0\\00A0"; color: var(--warn); }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: 0.84rem; line-height: 1.35; font-variant-numeric: tabular-nums; }
.caption { margin: 1.4rem 0 0; font-size: 0.88rem; font-weight: 600; break-after: avoid; }
.caption + .scroll { margin-top: 0.3rem; }
th, td { padding: 0.35rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--muted); vertical-align: bottom; font-weight: 600; }
tbody th { font-weight: 600; min-width: 9rem; max-width: 18rem; overflow-wrap: anywhere;
  position: sticky; left: 0; background: var(--paper); }
td { max-width: 28rem; overflow-wrap: anywhere; }
.words { min-width: 10rem; }
.figure { text-align: right; white-space: nowrap; }
thead .figure { white-space: normal; }
small { color: var(--muted); font-size: 0.92em; }
.reference, .reference th { background: var(--shade); }
.reference th { font-weight: 400; font-style: italic; }
figure { margin: 1.2rem 0; }
figure .scroll { margin: 0; }
figure svg { display: block; max-width: 100%; min-width: 34rem; height: auto; }
figcaption { max-width: 46rem; color: var(--muted); font-size: 0.88rem; margin-top: 0.3rem; overflow-wrap: anywhere; }
pre { background: var(--shade); border: 1px solid var(--line); border-radius: 4px; padding: 0.7rem 0.9rem;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.84rem; max-width: 46rem; }
code { font-size: 0.84em; overflow-wrap: anywhere; }
pre, code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (max-width: 40rem) {
  main { padding: 1rem 0.8rem 3rem; }
  h1 { font-size: 1.35rem; }
  th, td { padding: 0.3rem 0.45rem; }
  tbody th { min-width: 6.5rem; }
}
@media print {
  :root { color-scheme: light; --paper: #ffffff; --ink: #000000; --muted: #444444; --line: #bbbbbb; --shade: #f3f3f3;
    --warn: #7a2f00; --warn-paper: #fdf0e6; --note-paper: #f3f6fa; --note: #0a5a94; }
  html { font-size: 10pt; }
  body { font-size: 10pt; line-height: 1.4; }
  h2 { margin-top: 1.6rem; }
  main { max-width: none; padding: 0; }
  table { font-size: 7.5pt; }
  th, td { padding: 2pt 4pt; }
  tbody th { min-width: 0; position: static; }
  .words { min-width: 0; }
  .figure { white-space: normal; }
  .scroll { overflow: visible; }
  figure svg { min-width: 0; }
  tr, figure, .note, .severe { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
}
@page { margin: 16mm 14mm; }
"""
