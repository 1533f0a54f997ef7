"""Colors for the compiler's languages, which Pygments has no lexers for."""

from __future__ import annotations

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text
from rich.syntax import Syntax
from rich.text import Text as RichText

_DTYPE = r"key<\w+>|(?:f|bf|i|s|u|ui|c)\d+\w*|pred|bool|token"


class ModuleLexer(RegexLexer):  # type: ignore[misc]  # untyped
    """Tells names, types, operations and numbers of a jaxpr, StableHLO or HLO text apart."""

    name = "Compiler module"
    tokens = {  # noqa: RUF012 (the attribute of the base class)
        "root": [
            (r"\s+", Text),
            (r"//.*$|/\*.*?\*/", Comment),
            (r'"[^"\n]*"', String),
            (r"\btensor<[^<>\n]*>", Keyword.Type),
            (rf"\b(?:{_DTYPE})\[[^\]\n]*\](?:\{{[\d,]*\}})?", Keyword.Type),
            (rf"\b(?:{_DTYPE})(?!\w)", Keyword.Type),
            (
                words(
                    ("HloModule", "ENTRY", "ROOT", "module", "lambda", "let", "in"), r"\b", r"\b"
                ),
                Keyword,
            ),
            (r"\b(?:func|stablehlo|chlo|mhlo|sdy)\.[\w.]+", Name.Function),
            (r"[%@#^][\w.\-]+", Name.Variable),
            (r"[A-Za-z_][\w\-]*(?=[\[(])", Name.Function),
            (r"[A-Za-z_][\w.\-]*(?==)", Name.Attribute),
            (r"[A-Za-z_][\w.]*", Name),
            (r"-?(?:0x[0-9A-Fa-f]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)", Number),
            (r"[-+*/=<>?!|&~]+", Operator),
            (r"[^\w\s]", Punctuation),
        ]
    }


def highlighted(level: str, text: str) -> RichText:
    """Gives the text of a level in color."""
    lexer = "python" if level == "python" else ModuleLexer()
    syntax = Syntax("", lexer, theme="ansi_dark", background_color="default")
    colored = syntax.highlight(text)
    colored.rstrip()
    return colored
