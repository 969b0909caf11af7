"""The application: which addresses there are, what needs the token, and how refusals look."""

import pytest


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/docs", "text/html"),
        ("/page/app.js", "javascript"),
        ("/openapi.json", "application/json"),
    ],
)
def test_page_and_documentation_come_from_the_application_itself(serve, path, kind):
    response = serve().get(path)
    assert response.status_code == 200
    assert kind in response.headers["content-type"]
    assert "//cdn" not in response.text


def test_an_address_with_nothing_and_a_wrong_method_are_problems_in_json(serve):
    client = serve()
    nothing = client.get("/v2/recommend")
    assert (nothing.status_code, nothing.json()) == (404, {"error": "there is nothing at this address"})
    wrong = client.get("/v1/recommend")
    assert (wrong.status_code, wrong.json()) == (405, {"error": "GET is not for this address"})
    assert wrong.headers["allow"] == "POST"


def test_a_body_that_is_no_json_differs_from_one_that_does_not_fit(serve):
    client = serve()
    broken = client.post("/v1/recommend", content=b"{", headers={"content-type": "application/json"})
    assert broken.status_code == 400
    unfit = client.post("/v1/recommend", json={"history": "1"})
    assert unfit.status_code == 422
    assert list(unfit.json()) == list(broken.json()) == ["error"]


def test_the_api_needs_the_token_where_there_is_one_and_the_page_does_not(serve):
    client = serve(token="secret")
    assert client.get("/").status_code == 200
    assert client.get("/v1/models").status_code == 401
    assert client.get("/v1/models", headers={"authorization": "Bearer secret"}).status_code == 200


def test_the_documentation_says_that_there_is_a_token(serve):
    assert "securitySchemes" in serve(token="secret").get("/openapi.json").json()["components"]
    assert "securitySchemes" not in serve().get("/openapi.json").json()["components"]


def test_a_run_that_is_not_there_is_refused_before_anything_is_served(tmp_path):
    from aerec.serving.app import create_app

    with pytest.raises(FileNotFoundError):
        create_app(tmp_path / "no run")
