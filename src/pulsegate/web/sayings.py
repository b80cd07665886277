"""The sentences that the parts beside and below the pages make, read from their source by ``make translations``.

A reason, a fault or a remedy is written where it is made, as a text or an f-string. A place of it is known where the
source shows what may stand there: a constant, one text or another, what a function of the module returns. All else is a
value, which is nobody's to translate.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count, product
from pathlib import Path
from typing import TypeGuard

from pulsegate.settings.sources import PullSettings, UpstreamSettings
from pulsegate.sync.upstream_client import reworded, reworded_hint
from pulsegate.web.said import ANY, Phrase

ROOT = Path(__file__).parents[1]
PARTS = (
    "values", "settings/duration.py", "settings/collections.py", "settings/lists.py", "settings/service.py",
    "settings/schema.py", "otx", "curation", "reports", "stix/blocks.py",
    "stix/mapping.py", "stix/text.py", "store", "publication", "intake", "sync", "relay", "cli/tasks.py",
    "cli/certificate.py", "taxii/poll.py", "taxii/access.py",  # what the poll log keeps
)  # fmt: skip
# What is of a release or of a file's markup, and never comes to a page.
WITHOUT = ("otx/demo", "otx/simulat", "store/tables.py", "publication/export.py", "publication/built_in.py")
OURS = {
    "error": "error",
    "error.message": "why",
    "first['msg'].removeprefix('Value error, ')": "first",
    "fault": "fault",
    "found.reason": "why",
    "holder": "holder",
    "inner": "inner",
    "meaning": "meaning",
    "one.where": "where",
    "replace(self.hits[name], mode=Mode.BLOCK).sentence": "sentence",
    "self._covering.protection(name)": "why",
    "self._covering.reason(first)": "why",
    "self._window": "window",
    "what": "what",
    "where": "where",
}
"""Expressions that hold a text of ours that the source does not show there, and what their place is called."""
WORDS = {"brings": (PullSettings.brings, UpstreamSettings.brings)}
"""Names that hold one of a few words of ours, and those."""
OF_UPSTREAMS = "otx/failures.py", ("PROXY_HINT", "CA_HINT", "_SILENCE", "_CAUSES", "from_exception", "_from_tls")
"""A file, and those of its names whose texts are said of upstreams too, reworded."""
_WORDS = re.compile(r"[A-Za-z`][a-z'`]+[,;:.]? [a-z(`]")
_NO_SENTENCE = re.compile(r" *(pulsegate |SELECT |PRAGMA |[-/])")
_FIELD = re.compile(r"\{(\w*)[^{}]*\}")
_SILENT = frozenset({"Field", "Written", "cleandoc", "compile", "debug", "info", "warning", "exception"})
_MOST = 40  # texts that a place may have; a table of more is no part of a sentence


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place: ``texts`` are those that may stand there; None: any of ours; empty: a value."""

    name: str
    texts: tuple[Piece, ...] | None = ()


Piece = tuple[str | _Slot, ...]
Texts = tuple[Piece, ...]


def phrases() -> list[Phrase]:
    """Every sentence, each once, in the order of its text."""
    modules = {path: _Module(path) for path in files()}
    found = {phrase.text: phrase for module in modules.values() for phrase in module.phrases()}
    found |= {phrase.text: phrase for phrase in _of_upstreams()}
    return [found[text] for text in sorted(found)]


def _of_upstreams() -> Iterator[Phrase]:
    file, names = OF_UPSTREAMS
    for one in _Module(ROOT / file).phrases(names):
        yield Phrase(reworded(reworded_hint(one.text)), one.parts)


def files() -> Iterator[Path]:
    for part in PARTS:
        path = ROOT / part
        for one in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            if not one.relative_to(ROOT).as_posix().startswith(WITHOUT):
                yield one


@dataclass
class _Module:
    path: Path
    open: set[str] = field(default_factory=set)  # the functions that are being looked into

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.path.read_text(encoding="utf-8"))

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        return {one.name: one for one in ast.walk(self.tree) if isinstance(one, ast.FunctionDef)}

    @cached_property
    def constants(self) -> dict[str, ast.expr]:
        found = {}
        for one in self.tree.body:
            match one:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    found[name] = value
                case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                    found[name] = value
        return found

    @cached_property
    def imported(self) -> dict[str, tuple[Path, str]]:
        """What it takes from other modules of ours: from where, under which name."""
        return {
            name.asname or name.name: (ROOT.joinpath(*one.module.split(".")[1:]).with_suffix(".py"), name.name)
            for one in self.tree.body
            if isinstance(one, ast.ImportFrom) and one.module and one.module.startswith("pulsegate.")
            for name in one.names
        }

    def phrases(self, names: Iterable[str] = ()) -> Iterator[Phrase]:
        """All of them, or those of the constants and functions of these names."""
        roots: list[ast.AST] = [self.constants.get(name) or self.functions[name] for name in names]
        for node, function in (one for root in roots or [self.tree] for one in _strings(root, None)):
            self.open = {function.name} if function else set()
            for piece in self._texts(node, function):
                shown = tuple(_with_fields(piece))
                if _is_sentence(shown):
                    yield _phrase(shown)

    def _texts(self, node: ast.expr, function: ast.FunctionDef | None) -> Texts:  # noqa: PLR0911 - one for each form
        """What the expression may be; nothing where the source does not show it."""
        match node:
            case ast.Constant(value=str(text)):
                return ((text,),) if text else ((),)
            case ast.JoinedStr(values=values):
                return self._joined(values, function)
            case ast.BinOp(left=left, op=ast.Add(), right=right) if _is_sum(node):
                return self._joined([left, right], function)
            case ast.IfExp(body=body, orelse=other):
                return self._either([body, other], function)
            case ast.BoolOp(values=values):
                return self._either(values, function)
            case ast.Name(id=name):
                return self._named(name, function)
            case ast.Subscript(value=ast.Name(id=name)):
                table = self.constants.get(name)
                return self._either(table.values, None) if isinstance(table, ast.Dict) else ()
            case ast.Call(func=ast.Attribute(value=base, attr="format")):
                return tuple(self._formatted(one, node, function) for one in self._texts(base, function))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(value=ast.Name(id="self"), attr=name)):
                return self._returned(name)
        return ()

    def _joined(self, values: Iterable[ast.expr], function: ast.FunctionDef | None) -> Texts:
        """One text; what stands for one text only becomes part of it."""
        found: list[str | _Slot] = []
        for value in values:
            if isinstance(value, ast.FormattedValue):
                found += self._place(value.value, function)
            else:
                found += self._place(value, function)
        return (_distinct(found),)

    def _place(self, value: ast.expr, function: ast.FunctionDef | None) -> Piece:
        texts = self._texts(value, function)
        if len(texts) == 1 and any(isinstance(one, str) for one in texts[0]):
            return texts[0]
        slot = _slot(value)
        known = any(isinstance(piece, str) for one in texts for piece in one) and len(texts) <= _MOST
        if known:
            return (_Slot(_called(value).strip("_") or slot.name, texts),)
        is_ours = slot.texts is None or any(one == (_Slot("error", None),) for one in texts)
        return (_Slot(slot.name, None if is_ours else ()),)

    def _either(self, values: Iterable[ast.expr], function: ast.FunctionDef | None) -> Texts:
        """All that it may be; what is not shown is a value."""
        found: list[Piece] = []
        for value in values:
            if not _is_none(value):
                found += self._texts(value, function) or ((_slot(value),),)
        return tuple(dict.fromkeys(found))

    def _named(self, name: str, function: ast.FunctionDef | None) -> Texts:
        if name in WORDS:
            return tuple((word,) for word in WORDS[name])
        if function is not None:
            given = [*_given(function, name)]
            if given:
                return () if None in given else self._either([one for one in given if one is not None], function)
            if name in {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}:
                return ()
        if name in self.constants:
            return self._texts(self.constants[name], None)
        if name in self.imported and self.imported[name][0].is_file():
            path, other = self.imported[name]
            return _Module(path)._named(other, None)  # noqa: SLF001 - another module's, of this class
        return ()

    def _returned(self, name: str) -> Texts:
        function = self.functions.get(name)
        if function is None or name in self.open:
            return ()
        self.open.add(name)
        returns = [one.value for one in ast.walk(function) if isinstance(one, ast.Return) and one.value is not None]
        found = self._either([one for one in returns if not _is_none(one)], function)
        self.open.remove(name)
        return found if any(isinstance(one, str) for piece in found for one in piece) else ()

    def _formatted(self, piece: Piece, call: ast.Call, function: ast.FunctionDef | None) -> Piece:
        """``format`` with what it is given."""
        given: Mapping[str, ast.expr] = {
            **{"" if len(call.args) == 1 else str(number): one for number, one in enumerate(call.args)},
            **{one.arg: one.value for one in call.keywords if one.arg},
        }
        found: list[str | _Slot] = []
        for one in piece:
            if isinstance(one, _Slot):
                found.append(one)
                continue
            for number, text in enumerate(_FIELD.split(one)):
                if number % 2 == 0:
                    found += [text] if text else []
                elif text in given:
                    found += self._place(given[text], function)
        return _distinct(found)


def _strings(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.expr, ast.FunctionDef | None]]:
    """Every expression that makes a text and is part of no other, with the function that it stands in."""
    if isinstance(node, ast.JoinedStr | ast.Constant) or _is_sum(node) or _is_format(node):
        if not isinstance(node, ast.Constant) or isinstance(node.value, str):
            yield node, function  # type: ignore[misc]
        if not isinstance(node, ast.Constant):
            yield from _inside(node, function)
        return
    if isinstance(node, ast.Assert | ast.arguments | ast.Compare) or _called(node) in _SILENT:
        return
    if _is_swap(node):
        yield from _strings(node.func, function)
        return
    for one in ast.iter_child_nodes(node):
        if not (isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)):
            yield from _strings(one, node if isinstance(node, ast.FunctionDef) else function)


def _inside(node: ast.AST, function: ast.FunctionDef | None) -> Iterator[tuple[ast.expr, ast.FunctionDef | None]]:
    """What is called within an f-string may be given texts."""
    for one in ast.walk(node):
        if isinstance(one, ast.Call) and one is not node and not _is_format(one) and not _is_swap(one):
            for given in one.args:
                yield from _strings(given, function)


def _is_sum(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Add)
        and any(isinstance(one, ast.JoinedStr) or _is_text(one) for one in (node.left, node.right))
    )


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_none(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_format(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format"


def _is_swap(node: ast.AST) -> TypeGuard[ast.Call]:
    """A part of a text is taken out, or another put in its place: neither is a text by itself."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("replace", "removeprefix", "removesuffix")
        and all(map(_is_text, node.args))
    )


def _called(node: ast.AST) -> str:
    """The function's name, of a call."""
    match node:
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name
    return ""


def _given(function: ast.FunctionDef, name: str) -> Iterator[ast.expr | None]:
    """What a name of the function is made to be; None: something that is not followed, as in a loop."""
    simple = set()
    for one in ast.walk(function):
        targets = one.targets if isinstance(one, ast.Assign) else [one.target] if isinstance(one, ast.NamedExpr) else []
        for target in targets:
            if isinstance(target, ast.Name) and target.id == name:
                simple.add(target)
                yield one.value  # type: ignore[attr-defined]
    for one in ast.walk(function):
        if isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Store) and one not in simple:
            yield None


def _slot(node: ast.expr) -> _Slot:
    """The place of what is not shown, called by what stands there."""
    match node:
        case ast.Call(func=ast.Name(id="str"), args=[one]):
            return _slot(one)
    ours = OURS.get(ast.unparse(node))
    return _Slot(_name(node), ()) if ours is None else _Slot(ours, None)


def _distinct(pieces: Iterable[str | _Slot]) -> Piece:
    """Each place with a name of its own."""
    found: list[str | _Slot] = []
    taken: set[str] = set()
    for one in pieces:
        if isinstance(one, str):
            found.append(one)
            continue
        name = next(name for name in _names(one.name) if name not in taken)
        taken.add(name)
        found.append(_Slot(name, one.texts))
    return tuple(found)


def _names(first: str) -> Iterator[str]:
    yield first
    yield from (f"{first}{number}" for number in count(2) if first)


def _name(node: ast.AST) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.strip("_").lower()
        case ast.Call(args=[one, *_]) | ast.Call(func=ast.Attribute(value=one)) | ast.Call(func=one):
            return _name(one)
        case ast.Subscript(value=one) | ast.BinOp(left=one) | ast.Attribute(value=one) | ast.IfExp(body=one):
            return _name(one)
        case ast.BoolOp(values=[one, *_]) | ast.GeneratorExp(elt=one) | ast.Starred(value=one):
            return _name(one)
    return "value"


def _with_fields(piece: Piece) -> Iterator[str | _Slot]:
    """Of a text that is a template: its fields as places. One with a field without a name is used elsewhere."""
    for one in piece:
        if isinstance(one, _Slot):
            yield one
            continue
        for number, text in enumerate(_FIELD.split(one)):
            if number % 2:
                yield _Slot(text, ())
            elif text:
                yield text


def _is_sentence(piece: Piece) -> bool:
    """Whether people read it: it has words, however its places are filled."""
    if any(one.name == "" for one in piece if isinstance(one, _Slot)):
        return False
    texts = ("".join(some) for some in product(*(_samples(one) for one in piece)))
    return any(_WORDS.search(one) and not _NO_SENTENCE.match(one) for one in texts)


def _samples(one: str | _Slot) -> list[str]:
    if isinstance(one, str):
        return [one]
    return ["".join(some) for piece in one.texts or () for some in product(*(_samples(part) for part in piece))] or [
        "x"
    ]


def _phrase(piece: Piece) -> Phrase:
    text = "".join(f"%({one.name})s" if isinstance(one, _Slot) else one.replace("%", "%%") for one in piece)
    if not any(isinstance(one, _Slot) for one in piece):
        text = text.replace("%%", "%")
    parts = {
        one.name: ANY if one.texts is None else tuple(map(_phrase, one.texts))
        for one in piece
        if isinstance(one, _Slot) and one.texts != ()
    }
    return Phrase(text, parts)
