"""Takes the texts of the pages into the catalogue of Japanese and compiles it: ``make translations``.

No dates, places or names of tools stand in it, so that two branches that add texts merge line by line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from pulsegate.web import said, sayings

HERE = Path(__file__).parent
KEYWORDS = DEFAULT_KEYWORDS | {"later": None, "several": (1, 2)}
METHODS = [("**.py", "python"), ("**/templates/**.html", "jinja2.ext.babel_extract")]
HEAD = """\
msgid ""
msgstr ""
"Language: ja\\n"
"Plural-Forms: nplurals=1; plural=0;\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"""


def file(kind: str, folder: Path = HERE) -> Path:
    """The catalogue: ``po`` to edit, ``mo`` to read."""
    return folder / "translations" / "ja" / "LC_MESSAGES" / f"messages.{kind}"


def wanted() -> Catalog:
    """Every text of the code and of the templates, and what the parts below the pages say."""
    found = Catalog(locale="ja")
    for _name, _line, text, _comments, _context in extract_from_dir(HERE, METHODS, keywords=KEYWORDS):
        found.add(text)
    for phrase in sayings.phrases():
        for text in phrase.texts():
            found.add(text)
    return found


def stored() -> Catalog:
    with file("po").open("rb") as stream:
        return read_po(stream, locale="ja")


def update() -> Catalog:
    """What is wanted, translated as far as it is."""
    old = stored()
    new = wanted()
    for one in new:
        before = old.get(one.id)
        if one.id and before is not None:
            one.string = before.string
    return new


def lacking(catalogue: Catalog) -> list[str]:
    """The texts without a translation."""
    return sorted(_first(one) for one in catalogue if one.id and not _translated(one))


def write(catalogue: Catalog) -> None:
    """The catalogue as both files; texts in their order."""
    messages = sorted((one for one in catalogue if one.id), key=_first)
    file("po").write_text("\n".join([HEAD, *map(_entry, messages)]), encoding="utf-8")
    with file("mo").open("wb") as stream:
        write_mo(stream, stored())


def _entry(one: Message) -> str:
    flags = "#, python-format\n" if one.python_format else ""
    if isinstance(one.id, tuple):
        texts = one.string if isinstance(one.string, tuple) else (one.string,)
        strings = "".join(f"msgstr[{number}] {_quoted(str(text or ''))}\n" for number, text in enumerate(texts[:1]))
        return f"{flags}msgid {_quoted(one.id[0])}\nmsgid_plural {_quoted(one.id[1])}\n{strings}"
    return f"{flags}msgid {_quoted(str(one.id))}\nmsgstr {_quoted(str(one.string or ''))}\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _first(one: Message) -> str:
    return one.id[0] if isinstance(one.id, tuple) else str(one.id)


def _translated(one: Message) -> bool:
    return any(one.string) if isinstance(one.string, tuple) else bool(one.string)


if __name__ == "__main__":
    made = update()
    write(made)
    said.FILE.write_text(said.written(sayings.phrases()), encoding="utf-8")
    for text in lacking(made):
        sys.stderr.write(f"not translated yet: {text}\n")
