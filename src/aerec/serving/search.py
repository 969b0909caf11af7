"""Finds titles by what is typed: incomplete words, wrong and swapped letters, no accents, parts of ids."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from aerec.sparse import row_positions

_LONGEST_WORD = 24  # letters compared
_MOST_WORDS = 12  # Words of a query that are looked up
_INCOMPLETE = 0.1  # cost of a word that is only begun
_WHOLE_TITLE = 0.15  # gain of a title whose words are all named
_POPULAR = 0.05  # gain of the most popular title
_OF_BEST = 0.7  # titles below this share of the best score are no match


class TitleIndex:
    """Ranks titles by how well their words match those of a query, all words of the catalogue at once.

    Each word of the query is compared with every word of the catalogue by the number of letters to insert, delete,
    change or swap (optimal string alignment). In numbers and words up to 2 letters none may differ, in words up to 5
    letters one, in longer ones two. A word may be incomplete. A title scores the mean over the words of the query of
    their best match, plus a little where the query names the whole title and where the title is popular.

    Parameters
    ----------
    titles : sequence of str
    popularity : ndarray of shape (n_titles,), optional
        Any number that grows with popularity, at least 0.
    keys : sequence of str, optional
        More text that each title is found by, such as its id.

    Examples
    --------
    >>> from aerec.serving import TitleIndex
    >>> titles = ["Matrix, The (1999)", "Alien (1979)", "Amélie (2001)"]
    >>> [titles[at] for at in TitleIndex(titles).search("teh matirx")]
    ['Matrix, The (1999)']
    >>> [titles[at] for at in TitleIndex(titles).search("ame")]
    ['Amélie (2001)']
    """

    def __init__(
        self,
        titles: Sequence[str],
        popularity: NDArray[np.floating] | None = None,
        keys: Sequence[str] | None = None,
    ) -> None:
        self.n_titles = len(titles)
        weight = np.log1p(np.zeros(len(titles)) if popularity is None else np.asarray(popularity, dtype=np.float64))
        self._popular = (weight / max(weight.max(initial=0.0), 1e-12)).astype(np.float32)
        split = [words_of(title) for title in titles]
        self._n_words = np.array([len(words) for words, _ in split], dtype=np.float32).clip(1)
        if keys is not None:
            split = [
                (words, [*joined, *_every(words_of(key))]) for (words, joined), key in zip(split, keys, strict=True)
            ]
        word_of = {word: at for at, word in enumerate(dict.fromkeys(word for pair in split for word in _every(pair)))}
        rows = np.repeat(np.arange(len(titles)), [len(_every(pair)) for pair in split])
        words = np.array([word_of[word] for pair in split for word in _every(pair)], dtype=np.int64)
        order = np.argsort(words, kind="stable")
        self._title = rows[order]  # the titles of word w are _title[_start[w] : _start[w + 1]]
        self._start = np.zeros(len(word_of) + 1, dtype=np.int64)
        np.cumsum(np.bincount(words, minlength=len(word_of)), out=self._start[1:])
        self._letters, self._length = _matrix_of(list(word_of))

    def search(self, query: str, k: int = 10) -> NDArray[np.int64]:
        """Return the positions of the at most `k` best titles, best first; by popularity for an empty query."""
        words = words_of(query)[0][:_MOST_WORDS]
        if not words:
            return np.argsort(-self._popular, kind="stable")[:k].astype(np.int64)
        matched = np.zeros(self.n_titles, dtype=np.float32)
        named = np.zeros(self.n_titles, dtype=np.float32)
        for word in dict.fromkeys(words):
            best = self._best_match(word)
            matched += best
            named += best > 0
        matched /= len(dict.fromkeys(words))
        score = matched + _WHOLE_TITLE * np.minimum(named / self._n_words, 1) + _POPULAR * self._popular
        score[matched == 0] = 0
        shown = np.flatnonzero(matched >= _OF_BEST * max(matched.max(initial=0.0), 1e-6))
        return shown[np.argsort(-score[shown], kind="stable")[:k]]

    def _best_match(self, word: str) -> NDArray[np.float32]:
        """How well the best word of each title matches `word`: from 0 to 1."""
        whole, begun = _distances(word[:_LONGEST_WORD], self._letters, self._length)
        exact = len(word) <= 2 or word.isdigit()
        allowed = 0 if exact else 1 if len(word) <= 5 else 2
        similar = 1 - np.where(whole <= begun, whole, begun + _INCOMPLETE * len(word)) / (len(word) + 1)
        matches = np.flatnonzero(begun <= allowed)
        matches = matches[np.argsort(similar[matches], kind="stable")]  # the best last: it is what stays
        positions, starts = row_positions(self._start, matches)
        best = np.zeros(self.n_titles, dtype=np.float32)
        best[self._title[positions]] = np.repeat(similar[matches], np.diff(starts))
        return best


def words_of(text: str) -> tuple[list[str], list[str]]:
    """Return the words of `text` in small letters without accents, and other ways to write some of them.

    These are the words that hyphens, dots and the like join, and numbers without the zeros before them.

    Examples
    --------
    >>> words_of("Schindler's Spider-Man: Amélie")
    (['schindlers', 'spider', 'man', 'amelie'], ['spiderman'])
    >>> words_of("SKU_1228/Ä")
    (['sku', '1228', 'a'], ['sku1228a'])
    >>> words_of("0030 B")
    (['0030', 'b'], ['30'])
    """
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(mark))
    plain = re.sub(r"['’`]", "", plain)
    joined = [re.sub(r"[-.·_/:#]", "", word) for word in re.findall(r"[^\W_]+(?:[-.·_/:#][^\W_]+)+", plain)]
    words = re.findall(r"[^\W_]+", plain)
    return words, [*joined, *(word.lstrip("0") for word in words if re.fullmatch(r"0+[1-9][0-9]*", word))]


def _every(pair: tuple[list[str], list[str]]) -> list[str]:
    return pair[0] + pair[1]


def _matrix_of(words: list[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the letters of the words, one column a word, 0 where it has ended, and the lengths."""
    cut = np.array([word[:_LONGEST_WORD] for word in words], dtype=f"U{_LONGEST_WORD}")
    letters = cut.view(np.uint32).reshape(len(words), _LONGEST_WORD)
    return np.ascontiguousarray(letters.T), np.char.str_len(cut).astype(np.int64)


def _distances(
    word: str, letters: NDArray[np.uint32], length: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Return the edits from `word` to each whole word, and to the nearest beginning of each word."""
    n_letters, n_words = letters.shape
    n_letters = min(n_letters, len(word) + 3)  # what comes later is further away than any match
    typed = [ord(letter) for letter in word]
    # rows[j] holds, for every word, the edits from what is typed so far to its first j letters
    before: list[NDArray[np.int8]] = []
    rows = [np.full(n_words, at, dtype=np.int8) for at in range(n_letters + 1)]
    for i, letter in enumerate(typed, start=1):
        latest = [np.full(n_words, i, dtype=np.int8)]
        for j in range(1, n_letters + 1):
            edits = np.minimum(rows[j], latest[j - 1]) + np.int8(1)
            np.minimum(edits, rows[j - 1] + (letters[j - 1] != letter), out=edits, casting="unsafe")
            if i > 1 and j > 1:
                swapped = (letters[j - 1] == typed[i - 2]) & (letters[j - 2] == letter)
                np.copyto(edits, np.minimum(edits, before[j - 2] + np.int8(1)), where=swapped)
            latest.append(edits)
        before, rows = rows, latest
    table = np.stack(rows)
    ended = np.minimum(length, n_letters)
    whole = table[ended, np.arange(n_words)] + (length - ended).astype(np.int8)
    table[np.arange(n_letters + 1)[:, None] > length] = np.iinfo(np.int8).max
    return whole, table.min(axis=0)
