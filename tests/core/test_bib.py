"""The bibliography's reader."""

import pytest

import geojax
from geojax._core import bib

TEXT = """
% a comment
@article{Doe1999a,
  title  = {A {Nested} title
            on two lines},
  author = "Doe, Jane",
  year   = 1999,
}
"""


def test_parse_and_fields():
    entries = bib.parse(TEXT)
    assert list(entries) == ["Doe1999a"]
    entry = entries["Doe1999a"]
    assert bib.field(entry, "title") == "A Nested title on two lines"
    assert bib.field(entry, "author") == "Doe, Jane"
    assert bib.field(entry, "year") == "1999"
    assert bib.field(entry, "pages") == ""


@pytest.mark.parametrize(
    "text, message",
    [
        (TEXT + TEXT, "the key Doe1999a appears twice"),
        (TEXT.replace("year", "date"), "Doe1999a has no year"),
        (TEXT.replace("Doe1999a", "doe"), "the key doe does not look like"),
        (TEXT.rstrip().removesuffix("}"), "the braces of Doe1999a do not close"),
        ("@article nonsense", "does not begin an entry"),
    ],
)
def test_malformed_text_is_named(text, message):
    with pytest.raises(ValueError, match=message):
        bib.parse(text)


def test_cited_keys():
    doc = "Work of [Early2000].\n\nReferences: [Doe1999a], Alg. 1; [Roe2001], [Doe1999a]."
    assert bib.cited_keys(doc) == ["Doe1999a", "Roe2001"]
    assert bib.cited_keys("no references, only [n] and Float[Array]") == []
    assert bib.keys_in(doc) == ["Early2000", "Doe1999a", "Roe2001"]


def test_cite():
    def function():
        """Do it.

        References: [Higham2008], [Blondel2022].
        """

    text = geojax.cite(function)
    assert text.startswith("@book{Higham2008,")
    assert "\n\n@article{Blondel2022," in text
    assert geojax.cite("Higham2008") in text
    with pytest.raises(KeyError, match=r"'Nobody1900' is not in references\.bib"):
        geojax.cite("Nobody1900")
    with pytest.raises(ValueError, match="cites nothing"):
        geojax.cite(geojax.unwrap)
