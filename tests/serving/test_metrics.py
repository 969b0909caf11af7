"""What Prometheus reads."""

import re

from aerec.serving.metrics import Metrics


def test_requests_latencies_and_what_is_in_flight():
    metrics = Metrics()
    for seconds in (0.0004, 0.004, 0.004, 99.0):
        metrics.begin()
        metrics.end("GET", "/a", 200, seconds)
    metrics.begin()
    metrics.count_reload("main", "ok")
    lines = metrics.text({"aerec_more": ("gauge", "More.", 2.0)}).splitlines()
    assert 'aerec_requests_total{method="GET",route="/a",status="200"} 4' in lines
    assert 'aerec_request_seconds_bucket{route="/a",le="0.001"} 1' in lines
    assert 'aerec_request_seconds_bucket{route="/a",le="0.005"} 3' in lines
    assert 'aerec_request_seconds_bucket{route="/a",le="10.0"} 3' in lines
    assert 'aerec_request_seconds_bucket{route="/a",le="+Inf"} 4' in lines
    assert 'aerec_request_seconds_count{route="/a"} 4' in lines
    assert 'aerec_request_seconds_sum{route="/a"} 99.008400' in lines
    assert "aerec_requests_in_flight 1" in lines
    assert 'aerec_reloads_total{model="main",result="ok"} 1' in lines
    assert "aerec_more 2" in lines


def test_every_line_is_in_the_text_format():
    metrics = Metrics()
    metrics.begin()
    metrics.end("GET", 'a"b\\c\nd', 404, 0.01)
    text = metrics.text()
    assert text.endswith("\n")
    sample = re.compile(r'[a-z_]+(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [0-9.e+]+')
    for line in text.splitlines():
        assert line.startswith(("# HELP aerec_", "# TYPE aerec_")) or sample.fullmatch(line), line
