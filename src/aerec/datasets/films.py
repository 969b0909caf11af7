"""Invented films: genres, and titles that tell the genre."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOUNS = {
    "Action": "Pursuit Convoy Firestorm Getaway Hostage Vanguard Countdown Showdown Bullet Ambush Fury",
    "Adventure": "Voyage Expedition Island Treasure Lagoon Summit Compass Jungle Caravan Lighthouse Map",
    "Animation": "Teapot Rabbit Robot Toymaker Snowman Penguin Balloon Puppet Kitten Clockwork Button",
    "Comedy": "Wedding Landlord Neighbour Mix-Up Bachelor Reunion Honeymoon Butler Misfit Holiday Picnic",
    "Crime": "Alibi Heist Informer Witness Ransom Detective Verdict Safecracker Racket Suspect Ledger",
    "Drama": "Confession Orchard Letter Widow Promise Farewell Harvest Daughter Silence Inheritance Winter",
    "Fantasy": "Dragon Sorcerer Amulet Kingdom Unicorn Prophecy Enchantress Goblin Spellbook Crown Griffin",
    "Horror": "Crypt Scream Haunting Coven Mausoleum Nightmare Vampire Cellar Curse Asylum Werewolf",
    "Musical": "Serenade Chorus Ballroom Melody Cabaret Encore Rhapsody Waltz Bandstand Overture Tango",
    "Romance": "Sweetheart Embrace Bouquet Affair Valentine Courtship Moonlight Longing Kiss Elopement Rose",
    "Sci-Fi": "Orbit Nebula Android Starship Colony Asteroid Experiment Galaxy Paradox Satellite Transmission",
    "Western": "Saloon Outlaw Prairie Stagecoach Sheriff Canyon Gunslinger Ranch Posse Frontier Mustang",
}
_ADJECTIVES = (
    "Silent Crimson Last Hidden Golden Broken Distant Forgotten Midnight Secret Second Burning Lonely Endless Northern "
    "Scarlet Velvet Wandering Hollow Reckless Gentle Borrowed Restless Invisible Perfect Stolen Ancient Electric Quiet"
)
GENRES = tuple(_NOUNS)


def film_titles(genre: NDArray[np.int64], years: NDArray[np.int64]) -> NDArray[Any]:
    """Return a title with its year for each film, all different: "The Silent Orbit (1968)", and its sequels.

    Parameters
    ----------
    genre : ndarray of shape (n_items,)
        Positions in `GENRES`.
    years : ndarray of shape (n_items,)
    """
    nouns = np.array([text.split() for text in _NOUNS.values()], dtype=object)
    adjectives = np.array(_ADJECTIVES.split(), dtype=object)
    n_titles = nouns.shape[1] * len(adjectives)
    # Number the films of each genre. 11 and 29 have no common factor, so counting meets every pair of words once.
    order = np.argsort(genre, kind="stable")
    starts = np.searchsorted(genre[order], genre[order])
    nth = np.empty(len(genre), dtype=np.int64)
    nth[order] = np.arange(len(genre)) - starts
    sequel, pair = np.divmod(nth, n_titles)
    noun, adjective = nouns[genre, pair % nouns.shape[1]], adjectives[(pair + 7 * genre) % len(adjectives)]
    number = np.where(sequel > 0, " " + (sequel + 1).astype(str).astype(object), "")
    titles: NDArray[Any] = "The " + adjective + " " + noun + number + " (" + years.astype(str).astype(object) + ")"
    return titles
