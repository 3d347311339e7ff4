"""How the summary page looks: by day and by night, on a phone and on paper; words stand beside all colours."""

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #566072; --line: #cfd5de; --back: #fff; --bar: #4a6fa5;
  --fake: #a3201d; --cannot: #7a5200; --real: #1d6638; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a6afbd; --line: #3d4756; --back: #14181f;
  --bar: #7fa3d8; --fake: #ff9b94; --cannot: #f0c060; --real: #86d6a2; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 0 auto;
  max-width: 62rem; padding: 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .5rem; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
p { max-width: 46rem; margin: .5rem 0; } .soft { color: var(--soft); }
.wide { overflow-x: auto; } .beside { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
table { border-collapse: collapse; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; white-space: nowrap; }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line);
  font-weight: normal; } thead th { color: var(--soft); font-size: .9rem; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.name { overflow-wrap: anywhere; min-width: 7rem; max-width: 20rem; }
.score { white-space: nowrap; }
.decision { font-weight: 600; white-space: nowrap; }
.fake { color: var(--fake); } .cannot { color: var(--cannot); } .real { color: var(--real); }
img { display: block; max-width: 144px; height: auto; border: 1px solid var(--line); }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font: 12px system-ui, sans-serif; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 40rem) { img { max-width: 84px; } .name { min-width: 5rem; } td, th { padding-right: .5rem; } }
@media print { body { max-width: none; } tr { break-inside: avoid; } }
"""
