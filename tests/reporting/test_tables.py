"""Tables of a report: what stands in them, what is escaped, and what is left out where nothing is known."""

import re

from aerec.reporting import tables

MODELS = [
    {
        "name": "a<b",
        "metrics": {"ndcg@20": {"mean": 0.5, "interval": [0.4, 0.6]}},
        "fit_seconds": 1.5,
        "details": {
            "parameters": {"l2": "<5>"},
            "beyond": {"k": 10, "metrics": {"novelty@10": {"value": 3.25}, "gini@10": {"value": None}}},
            "groups": {
                "metric": "ndcg@20",
                "by_popularity": [{"popularity": "head", "n_items": 1200, "n_users": 5, "value": 0.25}],
                "by_activity": [],
            },
            "samples": [
                {
                    "user": "7",
                    "n_history": 3,
                    "n_target": 2,
                    "history": ["One & Two"],
                    "recommended": [{"title": "Hit", "hit": True}, {"title": "Miss", "hit": False}],
                }
            ],
            "code": {"of": "users", "n_rows": 1000, "n_units": 8, "at_rest": 0.755, "silent": 0.125},
        },
    },
    {"name": "second", "metrics": {"ndcg@20": {"mean": 0.25, "interval": [None, None]}}},
]
RESULTS = {"models": MODELS, "best": {"ndcg@20": ["a<b"]}}


def cells(html):
    rows = [re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", html, re.S)]
    return [[re.sub(r"<[^>]+>", " ", cell).split() for cell in row] for row in rows]


def test_quality_marks_the_best_and_shows_intervals_and_costs_that_are_known():
    found = cells(tables.quality_table(RESULTS))
    assert found[0] == [["model"], ["ndcg@20"], ["fit,", "s"]]
    assert found[1] == [["a&lt;b"], ["0.5000", "★", "among", "the", "best", "[0.4000,", "0.6000]"], ["1.50"]]
    assert found[2] == [["second"], ["0.2500"], ["–"]]


def test_differences_have_signs_and_small_p_values_a_bound():
    pair = {"a": "x", "b": "y", "metric": "mrr", "difference": -0.01, "low": -0.02, "high": 0.0, "p_holm": 1e-9}
    row = cells(tables.differences_table([pair, {**pair, "p_holm": 0.25}]))[1:]
    assert row[0] == [["x", "−", "y"], ["mrr"], ["−0.0100"], ["−0.0200", "to", "+0.0000"], ["&lt;", "0.0001"]]
    assert row[1][-1] == ["0.2500"]


def test_groups_show_their_size():
    (folded,) = tables.groups_tables(MODELS)
    assert "By popularity of the item: ndcg@20" in folded
    assert "By activity" not in folded
    assert "head<small>1,200 items</small>" in folded
    assert cells(folded)[1] == [["a&lt;b"], ["0.2500"]]


def test_beyond_accuracy_explains_its_metrics_and_has_a_dash_for_nothing():
    found = tables.beyond_table(MODELS)
    assert cells(found)[1] == [["a&lt;b"], ["3.250"], ["–"]]
    assert "<small>0: every item is shown equally often</small>" in found


def test_codes_are_shown_as_shares():
    found = cells(tables.code_table(MODELS))
    assert found[1] == [["a&lt;b"], ["8"], ["75.5", "%"], ["12.5", "%"], ["1,000", "users"]]


def test_samples_mark_hits_and_say_how_much_history_there_is():
    (found,) = tables.sample_tables(MODELS)
    assert "History: One &amp; Two and 2 more." in found
    assert "to be found: 2." in found
    assert cells(found)[1:] == [[["1"], ["Hit", "✓", "held", "out"]], [["2"], ["Miss"]]]


def test_parameters_are_escaped():
    assert "<code>l2=&lt;5&gt;</code>" in tables.parameters_table(MODELS)


def test_where_nothing_is_known_there_is_no_table():
    nothing = MODELS[1:]
    assert tables.groups_tables(nothing) == tables.sample_tables(nothing) == []
    assert not tables.beyond_table(nothing)
    assert not tables.code_table(nothing)
    assert not tables.parameters_table(nothing)


def test_a_wide_table_scrolls_and_can_be_reached_by_keyboard():
    found = tables.scrolling_table('"x"', ["a"], [["b"]], "words")
    assert '<div class="scroll words" role="region" aria-label="&quot;x&quot;" tabindex="0">' in found
