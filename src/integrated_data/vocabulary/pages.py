"""Pages of HTML: what every page that the service writes begins with.

Dark on light, readable without colour, reached by keyboard (WCAG 2.2); no script and nothing fetched from elsewhere.
"""

_HEAD = """<!DOCTYPE html>
<html lang="en-GB">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{policy}<title>{title}</title>
<style>
body {{ font: 1.1rem/1.5 Arial, sans-serif; color: #0b0c0c; background: #ffffff; margin: 0; }}
header, main, footer {{ max-width: {width}rem; margin: 0 auto; padding: 1rem; }}
a {{ color: #1a3e70; }}
a:focus, [tabindex]:focus {{ outline: 3px solid #0b0c0c; outline-offset: 2px; }}
.skip {{ position: absolute; left: -999rem; }}
.skip:focus {{ position: static; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; margin: 1rem 0; }}
caption {{ text-align: left; font-weight: bold; padding: 0.5rem 0; }}
th, td {{ text-align: left; vertical-align: top; border-bottom: 1px solid #505a5f; padding: 0.5rem; }}
.number {{ text-align: right; }}
{styles}
</style>
</head>
<body>
<a class="skip" href="#main">Skip to the {skip}</a>
<header>
<h1>{title}</h1>
</header>
<main id="main">"""


def page_head(title: str, *, skip: str, width: int, styles: str, policy: str = "") -> str:
    """A page up to where its own part begins. `title`: escaped; `skip`: what the first link leads to.

    `width`: of its lines, in rem; `styles`: its own, besides those of every page; `policy`: what it may load
    (Content-Security-Policy), told in the page.
    """
    told = f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n' if policy else ""
    return _HEAD.format(title=title, skip=skip, width=width, styles=styles, policy=told)
