"""The page that Great Expectations' Data Docs are shown on: one self-contained file, without scripts and other hosts.

The library's own page loads its style and scripts from public networks, so that it is bare without them. Its sections
are kept as they are and dressed here.
"""

from collections.abc import Mapping, Sequence
from html import escape

# should a name or a value that is shown be a script, nothing runs
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h1 + p { color: #616e7c; margin-top: .25rem; }
.ge-section { border: 1px solid #e4e7eb; border-radius: 8px; margin: 1rem 0; padding: .5rem 1rem; overflow-x: auto; }
.alert h5 { font-size: 1.05rem; margin: .5rem 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0; }
th, td { border-bottom: 1px solid #e4e7eb; text-align: left; padding: .3rem .6rem; vertical-align: top; }
td table { width: auto; } .badge { background: #e4e7eb; border-radius: 4px; padding: 0 .35rem; }
.fa-check-circle::before { content: "\\2713"; color: #0b7a4b; font-weight: bold; }
.fa-times::before { content: "\\2717"; color: #ba2525; font-weight: bold; }
.fa-exclamation-triangle::before { content: "\\26A0"; color: #b44d12; }
.btn, button, .collapse, [data-toggle=collapse] { display: none; }
"""


def docs_page(
    title: str, subtitle: str, promises: Mapping[str, bool], reasons: Mapping[str, int], sections: Sequence[str]
) -> str:
    """The sections of Data Docs as one HTML page.

    Before them, whether each promise of the month was kept, and how many rows were quarantined for which reason.
    """
    kept = "".join(f"<tr><td>{escape(p)}</td><td>{'kept' if k else 'broken'}</td></tr>" for p, k in promises.items())
    counted = "".join(f"<tr><td>{escape(reason)}</td><td>{count}</td></tr>" for reason, count in reasons.items())
    table = f"<table><tr><th>rows in quarantine because of</th><th>rows</th></tr>{counted}</table>" if reasons else ""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{escape(subtitle)}</p>
<table><tr><th>promise</th><th>verdict</th></tr>{kept}</table>
{table}
{"".join(sections)}
</body>
</html>
"""
