# SPDX-License-Identifier: Apache-2.0
"""Finding a class by the name a person gave to a thing: whole words, camelCase split, singular or plural."""

from __future__ import annotations

from collections.abc import Sequence


def words_of(text: str) -> tuple[str, ...]:
    """The words of a name, case-folded: "pineTree_L.003" -> ("pine", "tree", "l"); works for any alphabet."""
    words: list[str] = []
    current = ""
    for position, character in enumerate(text):
        following = text[position + 1 : position + 2]
        starts_word = character.isupper() and (
            current[-1:].islower() or (current[-1:].isupper() and following.islower())  # "myRiver", "HDRISky"
        )
        if current and (starts_word or not character.isalpha()):
            words.append(current.casefold())
            current = ""
        if character.isalpha():
            current += character
    return (*words, current.casefold()) if current else tuple(words)


def singular(word: str) -> str:
    """An English plural's singular, good enough to compare two words that both went through it."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


class AliasTable:
    """Looks up which of several named things a text means.

    `names`: for each thing its name and then its aliases. A name beats the same words as an alias, an exact
    form beats a plural, an earlier thing beats a later one.
    """

    def __init__(self, names: Sequence[Sequence[str]]):
        self._exact: dict[tuple[str, ...], int] = {}
        self._singular: dict[tuple[str, ...], int] = {}
        rank = max((len(aliases) for aliases in names), default=0)
        for place in range(rank):  # all names first, then all first aliases, ...
            for index, aliases in enumerate(names):
                if place < len(aliases) and (words := words_of(aliases[place])):
                    self._exact.setdefault(words, index)
                    self._singular.setdefault(tuple(map(singular, words)), index)
        self._longest = max(map(len, self._exact), default=0)

    def find(self, text: str) -> int | None:
        """The index of the thing whose name or alias of the most words occurs last in the text, or None."""
        words = words_of(text)
        for length in range(min(self._longest, len(words)), 0, -1):
            for end in range(len(words), length - 1, -1):
                part = words[end - length : end]
                index = self._exact.get(part)
                if index is None:
                    index = self._singular.get(tuple(map(singular, part)))
                if index is not None:
                    return index
        return None
