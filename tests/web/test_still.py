"""A page of the dashboard becomes one that lies in a file; texts in, texts out."""

from __future__ import annotations

import pytest

from python_runner.web.still import Still, stand_still


pytestmark = pytest.mark.pure

ADDRESSES = {"/": "../index.html", "/r/1": "1.html", "/r/1#s2": "1.html#s2"}
STILL = Still(
    address=ADDRESSES.get,
    style=lambda address: f"/* {address} */",
    moment=lambda iso, form: f"{iso} as {form}" if form == "ago" else None,
)


def stand(html: str) -> str:
    """Return what becomes of a piece of a page."""
    return stand_still(html, STILL)


@pytest.mark.parametrize(
    ("live", "still"),
    [
        ('<a href="/r/1#s2">x</a>', '<a href="1.html#s2">x</a>'),
        ('<a class="n" href="#L3" data-n="3"></a>',) * 2,
        ('<a class="open" href="/r/2">x</a>', '<span class="open">x</span>'),
        ('<a href="/r/1?failed=2">x</a>', "<span>x</span>"),
        ('<a href="https://example.org/">x</a>', "<span>x</span>"),
        ('<a href="javascript:alert(1)">x</a>', "<span>x</span>"),
        ('<a href="//example.org/">x</a>', "<span>x</span>"),
        ("a<script>let x = '<b>'</script>b", "ab"),
        ('a<script src="/x.js"></script>b', "ab"),
        ('a<form action="/"><p>x<input></p></form>b', "ab"),
        ("a<form><form></form>x</form>b", "ab"),
        ("a<button>x</button>b", "ab"),
        ("a<noscript><meta></noscript>b", "ab"),
        ("a<div data-server><div>x</div></div>b", "ab"),
        ('<p onclick="x" data-x="1" hx-get="/" id="i">y</p>', '<p id="i">y</p>'),
        ('<p title="&lt;&quot;&amp;">&lt;b&gt; &#39;</p>',) * 2,
        ("<svg viewBox='0 0 1 1'><path d='M0'/></svg>",) * 2,
        ('<time datetime="T" data-as="ago">5 s</time>', '<time datetime="T">T as ago</time>'),
        ('<time datetime="T" data-as="day">Mon</time>', '<time datetime="T">Mon</time>'),
        ('<link rel="icon" href="/i.svg">', ""),
        ('<link rel="stylesheet" href="/s.css">', "<style>\n/* /s.css */</style>"),
        ('<meta name="htmx-config" content="{}">', ""),
        ('<meta charset="utf-8">',) * 2,
    ],
)  # fmt: skip
def test_what_needs_a_server_or_a_script_goes(live: str, still: str) -> None:
    """Links lead to files beside the page or are text; all else stays as it is."""
    assert stand(live).replace("'", '"') == still.replace("'", '"')


@pytest.mark.parametrize(
    ("live", "still"),
    [
        ('<a href="/r/1">a</a> · <a href="/r/2">b</a>', '<a href="1.html">a</a>'),
        ('<a href="/r/2">b</a> · <a href="/r/1">a</a>', '<a href="1.html">a</a>'),
        ('<a href="/r/2">b</a> · <a href="/r/3">c</a> · x', "x"),
        ('4 lines between - <a href="/r/2">b</a> / <a href="/r/3">c</a>', "4 lines between"),
        ('<a href="/r/2">b</a>', ""),
        ('a - b · <a href="/r/1">a</a>', 'a - b · <a href="1.html">a</a>'),
    ],
)  # fmt: skip
def test_nothing_stands_for_a_link_of_a_list_that_leads_nowhere(
    live: str, still: str
) -> None:
    """Neither its words nor the sign between it and the next one."""
    wrapped = stand(f'<p class="links">{live}</p>')
    assert wrapped == f'<p class="links">{still}</p>'


def test_nothing_is_loaded_whatever_a_page_holds() -> None:
    """A policy says so to the browser, in case that something was overlooked."""
    page = stand("<head></head>")
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page


def test_a_text_that_looks_like_a_sign_of_ours_is_a_text() -> None:
    """What stands for a link meanwhile is no part of any page."""
    assert stand('<p class="links">a\0 · b</p>') == '<p class="links">a · b</p>'
