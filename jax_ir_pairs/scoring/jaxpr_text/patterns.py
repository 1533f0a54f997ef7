"""The tokens of a printed jaxpr. Each is matched at a place, in a time linear in what it takes."""

from __future__ import annotations

import re

_NUMBER = r"[-+]?(?:nan|inf|\d[\d.]{0,40}(?:e[-+]?\d{1,5})?)"
_TYPE = r"(?:\w+|<[^<>\n]*>|\[[^\[\]\n]*\]|\{[^{}\n]*\}|\([^()\n]*\))+"
BINDER = re.compile(rf"\s*([A-Za-z_*]\w*)\s*:({_TYPE})")
LITERAL = re.compile(
    rf"\s*(\[\.\.\.\]|True|False|\(?{_NUMBER}(?:{_NUMBER})?j\)?|{_NUMBER})\s*:({_TYPE})"
)
NAME = re.compile(r"\s*([A-Za-z_]\w*)")
PRIMITIVE = re.compile(r"\s*([A-Za-z_][\w\-.<>]*)")
EQUALS = re.compile(r"\s*=")
KEY = re.compile(r"\s*([A-Za-z_]\w*)=(?!=)")
NEXT_KEY = re.compile(r"\s+[A-Za-z_]\w*=(?!=)|\s*\]")
SPACE = re.compile(r"\s+")
PLAIN = re.compile(r"[^\s\[\](){}\"',=]+|[,=]")
STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
JAXPR = re.compile(r"\s*\{\s*lambda\b")
DEFINITION = re.compile(r"\s*let\s+([^\s={}]+)\s*=(?=\s*\{\s*lambda\b)")
DEFINED = re.compile(r"\blet\s+([^\s={}]+)\s*=(?=\s*\{\s*lambda\b)")
NESTED = re.compile(r"\s*(?:\{\s*lambda\b|let\s+[^\s={}]+\s*=\s*\{\s*lambda\b)")
IN = re.compile(r"\s*in\b")
END = re.compile(r"\s*in\s*\((?!\s*[-+\d][^\s()]*j\))")
SEPARATOR = re.compile(r"\s*;")
BREAK = re.compile(r"[ \t]*(?:\n|;)")
INDEX = re.compile(r"\s*([A-Za-z_]\w*)((?:\[[^\[\]\n]*\])+)")
INDEX_NAME = re.compile(r"\b[A-Za-z_]\w*")
CLOSING = {"(": ")", "[": "]", "{": "}"}
