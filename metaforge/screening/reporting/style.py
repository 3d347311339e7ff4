"""How a report looks: light and dark, wide and narrow, and on paper."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566072; --line: #cfd5de; --back: #fff; --fake: #a3201d;
  --cannot: #7a5200; --real: #1d6638; --fakezone: #efc4c1; --cannotzone: #ecdcb8; --realzone: #bfe0ca; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a6afbd; --line: #3d4756; --back: #14181f;
  --fake: #ff9b94; --cannot: #f0c060; --real: #86d6a2; --fakezone: #5c2623; --cannotzone: #4d3d16;
  --realzone: #1f4a30; } }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 0 auto;
  max-width: 56rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1rem; margin: 1.4rem 0 .3rem; }
p, ul { max-width: 46rem; margin: .5rem 0; } .soft { color: var(--soft); }
.verdict { font-size: 2rem; margin: .2rem 0; } .decision { font-weight: 600; white-space: nowrap; }
.fake { color: var(--fake); } .cannot { color: var(--cannot); } .real { color: var(--real); }
.limits { border-left: 4px solid var(--line); padding-left: .8rem; }
figure { margin: 1rem 0; } figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; }
img { display: block; max-width: 100%; height: auto; border: 1px solid var(--line); }
.whole { max-height: 32rem; width: auto; }
.pair { display: flex; flex-wrap: wrap; gap: 0 1.5rem; } .pair figure { width: 224px; }
svg { display: block; width: 100%; max-width: 480px; height: auto; margin: .5rem 0; }
svg text { fill: var(--ink); font: 13px system-ui, sans-serif; }
.zone.real { fill: var(--realzone); } .zone.cannot { fill: var(--cannotzone); } .zone.fake { fill: var(--fakezone); }
.ink { stroke: var(--ink); stroke-width: 2; } .dot { fill: var(--ink); stroke: var(--back); stroke-width: 2; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line);
  font-weight: normal; } thead th { color: var(--soft); font-size: .9rem; }
dl { display: grid; grid-template-columns: 11rem 1fr; gap: .3rem 1.2rem; margin: .5rem 0; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) {
  body { padding: 1rem; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .5rem; }
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; }
  table, caption, tbody, tr, th[scope=row], td { display: block; }
  th[scope=row] { font-weight: 600; border: 0; padding-bottom: 0; }
  td { border: 0; padding: .1rem 0; } td::before { content: attr(data-of) ": "; color: var(--soft); }
  tr { border-bottom: 1px solid var(--line); padding-bottom: .4rem; } }
@media print { body { max-width: none; } section, tr, figure { break-inside: avoid; } }
"""
"""The style sheet of the page."""
