"""Errors of expat that mean a document ends too early, as a report of a killed tool does."""

from __future__ import annotations

import xml.parsers.expat
from typing import Final

_CODES: Final = xml.parsers.expat.errors.codes
ENDS_EARLY: Final = frozenset(
    _CODES[name]
    for name in (
        xml.parsers.expat.errors.XML_ERROR_NO_ELEMENTS,
        xml.parsers.expat.errors.XML_ERROR_UNCLOSED_TOKEN,
        xml.parsers.expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION,
        xml.parsers.expat.errors.XML_ERROR_PARTIAL_CHAR,
    )
)
