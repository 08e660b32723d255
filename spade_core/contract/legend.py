# SPDX-License-Identifier: Apache-2.0
"""The legend of names: which class is meant by the name a person, an importer or an asset library gave to a thing.

The words are in legend.toml, for the landscape's classes in six languages. How a name is read:

1. What says nothing of the kind of thing is passed over: "SM_", "_LOD0", "BG", "old", numbers, articles.
2. The last word says what a thing is, and it must be known: a "pine tree" is a tree, a "street lamp" nothing we
   know. In French and Spanish it is the first one. The longest phrase counts: a "smoke stack" is no smoke.
3. What things are made of or covered with describes those that are made or grown: a "Fence_Wood" is a fence. Behind a
   word that is not known a material says nothing.

A name that leaves doubt means no class: a thing that is listed as unlabelled is soon mended, a wrong label is not seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .matching import singular, words_of

_FILE = Path(__file__).with_name("legend.toml")
_LONGEST_PHRASE = 4
_SHORTEST_PREFIX = 3
# Chinese and Japanese: no spaces, no case.
_HAN_AND_KANA = "\u3005\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff66-\uff9f"
_BY_SCRIPT = re.compile(f"[{_HAN_AND_KANA}]+|[^{_HAN_AND_KANA}]+")


@dataclass(frozen=True)
class _Legend:
    """legend.toml. `classes`: class to its words; `head_first`: words that come first in names of their language."""

    classes: dict[str, frozenset[str]]
    head_first: frozenset[str]
    qualifiers: frozenset[str]
    qualifier_endings: tuple[str, ...]
    prepositions: frozenset[str]
    conjunctions: frozenset[str]
    endings: frozenset[str]
    made_of: frozenset[str]
    covered_with: frozenset[str]
    things: frozenset[str]
    nothing: frozenset[str]


class NameReader:
    """Reads names for one label set. `names`: for each class its name and then its aliases, as for `AliasTable`.

    The set's own words go before the legend's; the legend's count where the set knows their class by any of its words.
    """

    def __init__(self, names: Sequence[Sequence[str]]):
        self._legend = legend()
        self._own: dict[str, int] = {}
        rank = max((len(aliases) for aliases in names), default=0)
        for place in range(rank):  # all names first, then all first aliases, ...
            for index, aliases in enumerate(names):
                if place < len(aliases) and (word := "".join(words_of(aliases[place]))):
                    self._own.setdefault(word, index)
        for word, index in list(self._own.items()):
            self._own.setdefault(singular(word), index)
        self._table: dict[str, int | None] = dict(self._own)
        for word in self._legend.nothing:
            self._table.setdefault(word, None)
        for meaning, words in self._legend.classes.items():
            if (index := self._own.get(meaning)) is not None:
                for word in words:
                    self._table.setdefault(word, index)
        self._things = {self._own.get(meaning) for meaning in self._legend.things} - {None}
        self._read: dict[str, int | None] = {}

    def find(self, text: str) -> int | None:
        """The index of the class that a name means, or None."""
        text = text.rstrip("0123456789._- ")  # says nothing, and of 20,000 copies one is read
        if text not in self._read:
            self._read[text] = self._read_anew(text)
        return self._read[text]

    def _read_anew(self, text: str) -> int | None:
        whole = "".join(_words(text))
        if (index := self._own.get(whole, self._own.get(singular(whole)))) is not None:
            return index
        # In "Trees, old" and "sidewalk, pavement" each part is a name.
        found = (self._meant_by(tuple(_words(part))) for part in reversed(re.split("[,;|/]", text)))
        return next((index for index in found if index is not None), None)

    def _meant_by(self, words: tuple[str, ...]) -> int | None:
        words = self._thing_itself(words)
        content = [word for word in words if not self._is_qualifier(word)]
        if content and content[0] in self._legend.head_first and (first := self._entry(content[0])):
            return first[0]
        for end in range(len(words), 0, -1):
            for start in range(max(0, end - _LONGEST_PHRASE), end):
                if (entry := self._entry("".join(words[start:end]), one_word=start == end - 1)) is not None:
                    return self._unless_it_describes(entry[0], "".join(words[start:end]), words[:start])
            if not self._is_qualifier(words[end - 1]):
                return None  # a word that is not known
        return None

    def _thing_itself(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Without what it belongs to or stands at; of several things the last."""
        for place, word in enumerate(words):
            if place and word in self._legend.prepositions:
                words = words[:place]
                break
        joined = [place for place, word in enumerate(words[:-1]) if word in self._legend.conjunctions]
        return words[joined[-1] + 1 :] if joined else words

    def _unless_it_describes(self, index: int | None, word: str, before: tuple[str, ...]) -> int | None:
        """The class of the last word, or of the thing before it that is made of that or covered with it."""
        if word in self._legend.head_first and not all(map(self._is_qualifier, before)):
            return None  # "farola calle": a street lamp
        forms = {word, singular(word)}
        is_material = bool(forms & self._legend.made_of)
        if not is_material and not forms & self._legend.covered_with:
            return index
        if all(map(self._is_qualifier, before)):
            return index
        thing = self._meant_by(before)
        if thing in self._things or (thing is None and is_material):
            return thing
        return index

    def _entry(self, word: str, one_word: bool = True) -> tuple[int | None] | None:
        """What a word means, as a tuple of a class or of None for what is known to be no class; None if unknown."""
        for form in (word, singular(word), word.removesuffix("es")):
            if form in self._table:
                return (self._table[form],)
        if not one_word:
            return None
        if _BY_SCRIPT.fullmatch(word) and re.match(f"[{_HAN_AND_KANA}]", word):
            return self._by_ending(_without_endings(word, self._legend.qualifier_endings), shortest_prefix=0)
        return self._by_ending(word, shortest_prefix=_SHORTEST_PREFIX)

    def _by_ending(self, word: str, shortest_prefix: int) -> tuple[int | None] | None:
        """What the longest known ending means: in compounds that are written as one word the last part is the thing."""
        for start in range(shortest_prefix, len(word)):
            ending = word[start:]
            if ending in self._table and (shortest_prefix == 0 or ending in self._legend.endings):
                return (self._table[ending],)
        return None

    def _is_qualifier(self, word: str) -> bool:
        return _is_code(word) or word in self._legend.qualifiers or word in self._legend.qualifier_endings


def names_a_material(text: str) -> bool:
    """Whether a name says only what something consists of: a house with a material "Old_Wood" is no forest."""
    words = _words(text)
    known = legend()
    content = [word for word in words if not _is_code(word) and word not in known.qualifiers]
    return bool(content) and all({word, singular(word)} & known.made_of for word in content)


@cache
def legend() -> _Legend:
    """The legend as it is shipped, read once."""
    import tomllib  # here and not above: it takes milliseconds, and most users of the contract read no names

    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    grammar: dict[str, Any] = table["grammar"]
    by_language = {
        meaning: {language: _spellings(words.split()) for language, words in languages.items()}
        for meaning, languages in table["classes"].items()
    }
    english = {word for languages in by_language.values() for word in languages["en"]}
    head_first = {
        word
        for languages in by_language.values()
        for language in grammar["head_first"]
        for word in languages[language]
    }
    return _Legend(
        classes={meaning: frozenset().union(*words.values()) for meaning, words in by_language.items()},
        head_first=frozenset(head_first - english),
        qualifier_endings=tuple(grammar["qualifier_endings"].split()),
        **{
            name: frozenset(_spellings(grammar[name].split()))
            for name in (
                *("qualifiers", "prepositions", "conjunctions", "endings"),
                *("made_of", "covered_with", "nothing"),
            )
        },
        things=frozenset(grammar["things"]),
    )


def _words(text: str) -> list[str]:
    """The words of a name; where Chinese or Japanese meets another script one ends."""
    text = unicodedata.normalize("NFC", text)
    return [part for word in words_of(text) for part in _BY_SCRIPT.findall(word)]


def _is_code(word: str) -> bool:
    """Whether it is no word but what asset libraries put beside one: "L", "HP", "vkzl"."""
    return word.isascii() and (len(word) <= 2 or not set(word) & set("aeiouy"))


def _spellings(words: Iterable[str]) -> set[str]:
    """Words as they are, and as people without such keys type them: ä as ae or a, é as e."""
    found = set()
    for word in words:
        word = unicodedata.normalize("NFC", word).casefold()
        found.add(word)
        if not word.isascii() and not re.match(f"[{_HAN_AND_KANA}]", word):
            found.add(word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue"))
            bare = "".join(
                each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each)
            )
            if len(bare) > 3:
                found.add(bare)
    return found


def _without_endings(word: str, endings: Sequence[str]) -> str:
    """A word without the qualifiers behind it, unless nothing would be left."""
    for ending in endings:
        if len(word) > len(ending) and word.endswith(ending):
            return _without_endings(word.removesuffix(ending), endings)
    return word
