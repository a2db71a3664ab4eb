"""What is said of a model on the command line."""

import pytest

from evolve.models.spec import ModelSpec, Price, identity, parse, parse_price
from evolve.types import EvolveError

SERVER = "http://127.0.0.1:8000/v1"


def test_a_name_alone_is_a_model():
    assert parse("anthropic/claude-sonnet-4-5") == ModelSpec("anthropic/claude-sonnet-4-5")


def test_every_setting_is_read():
    spec = parse(f"qwen3, weight=3, role=cheap, base-url={SERVER}/, price=0.25/2/0.025, key=MY_KEY")
    assert spec == ModelSpec("qwen3", 3.0, "cheap", SERVER, Price(0.25, 2.0, 0.025), "MY_KEY")


def test_what_holds_for_all_models_holds_where_one_has_none_of_its_own():
    price = Price(1, 2)
    assert parse("a", SERVER, price) == ModelSpec("a", base_url=SERVER, price=price)
    own = parse("a,price=3/4,base-url=http://other:1", SERVER, price)
    assert (own.base_url, own.price) == ("http://other:1", Price(3, 4))
    assert parse("gpt-4o,base-url=", SERVER).base_url == ""


def test_the_manual_model_has_neither_a_server_nor_a_price():
    assert parse("manual,weight=2", SERVER, Price(1, 2)) == ModelSpec("manual", 2.0)
    with pytest.raises(EvolveError, match="who has no price"):
        parse("manual,price=1/2")


def test_a_model_is_the_same_wherever_it_is_reached_and_whatever_it_costs():
    assert identity(parse("gpt-4o,weight=1,role=any")) == "gpt-4o"
    assert (
        identity(parse(f"a,weight=3,role=cheap,price=0.25/2,key=MY_KEY,base-url={SERVER}")) == "a,weight=3,role=cheap"
    )
    assert identity(parse("a,weight=0.25")) == "a,weight=0.25"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "does not begin with a name"),
        (",weight=1", "does not begin with a name"),
        ("two words", "does not begin with a name"),
        ("weight=3", "does not begin with a name"),
        ("a,wieght=3", r"unknown setting 'wieght'; did you mean weight="),
        ("a,zzz=3", "there are: weight, role, base-url, price, key"),
        ("a,weight", "unknown setting 'weight'"),
        ("a,weight=1,weight=2", "weight is given twice"),
        ("a,weight=0", "weight must be a number above 0; got '0'"),
        ("a,weight=nan", "weight must be a number above 0"),
        ("a,weight=inf", "weight must be a number above 0"),
        ("a,weight=much", "weight must be a number above 0; got 'much'"),
        ("a,role=big", "role must be one of any, cheap, strong; got 'big'"),
        ("a,price=1", "IN/OUT or IN/OUT/CACHED"),
        ("a,price=1/2/3/4", "IN/OUT or IN/OUT/CACHED"),
        ("a,price=cheap/dear", "IN/OUT or IN/OUT/CACHED"),
        ("a,price=-1/2", "at least 0"),
        ("a,price=nan/2", "at least 0"),
        ("a,price=inf/2", "at least 0"),
        ("a,base-url=localhost:8000", "looks like http://127.0.0.1:8000/v1"),
        ("a,base-url=ftp://x", "looks like http"),
        ("a,base-url=http://", "looks like http"),
        ("a,base-url=http://x:99999/v1", "looks like http"),
        ("a,base-url=http://x/v1?api_key=hunter2", "holds a password or a query"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_what_was_expected(text, said):
    with pytest.raises(EvolveError, match=said):
        parse(text)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(EvolveError, match="holds a password") as refused:
        parse("a,base-url=https://user:hunter2@host/v1")
    assert "hunter2" not in str(refused.value)


def test_a_key_in_place_of_its_variable_is_refused_and_not_repeated():
    with pytest.raises(EvolveError, match="never the key itself") as refused:
        parse("a,key=sk-abcdefgh")
    assert "abcdefgh" not in str(refused.value)


def test_the_address_of_the_question_itself_is_taken_for_that_of_the_server():
    assert parse(f"a,base-url={SERVER}/chat/completions").base_url == SERVER


def test_a_price_is_read_alone():
    assert parse_price("0.25/2") == Price(0.25, 2.0)
