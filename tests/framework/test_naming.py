import pytest

from framework.naming import StepNames, changelog_topic, is_legal, repartition_topic


@pytest.mark.parametrize("name", ["a", "count_words.count-2", "A.b-c_9", "x" * 200])
def test_name_of_letters_digits_and_marks_is_legal(name: str) -> None:
    assert is_legal(name)


@pytest.mark.parametrize("name", ["", ".", "..", "a b", "a/b", "ä", "x" * 201])
def test_name_that_no_topic_could_have_is_not_legal(name: str) -> None:
    assert not is_legal(name)


def test_step_names_count_per_verb() -> None:
    names = StepNames("t")
    assert [names.next(verb) for verb in ("map", "count", "map", "count")] == [
        "t.map",
        "t.count",
        "t.map-2",
        "t.count-2",
    ]


def test_step_names_pass_over_taken_ones() -> None:
    assert StepNames("t", ["t.map"]).next("map") == "t.map-2"


def test_internal_topics_carry_app_and_step() -> None:
    assert changelog_topic("app", "t.count") == "app-t.count-changelog"
    assert repartition_topic("app", "t.group_by") == "app-t.group_by-repartition"
