"""What is read out of probes: outages, lanes, pools; and what a probe is sent to."""

from __future__ import annotations

import pytest

from lab.evidence.latency import buckets, percentiles
from lab.evidence.load import Answer
from lab.evidence.load_run import Row
from lab.evidence.probes import lane, members, outages
from lab.plan import plan
from lab.services.streams import streams
from lab.topology import parse
from tests.unit.conftest import FULL
from tests.unit.run_data import BEGUN, load, rows


def test_an_outage_is_from_the_first_bad_probe_to_the_next_answer() -> None:
    (outage,) = outages(rows(lambda at: None if 5 <= at < 7.5 else "ok"))
    assert outage.begun == pytest.approx(BEGUN + 5)
    assert outage.seconds == pytest.approx(2.503, abs=0.001)
    assert outage.value == "timeout"


def test_a_hang_shorter_than_the_patience_is_measured_too() -> None:
    """Every probe due while the node hung is answered when it wakes, at 6.2 s: late, and all at once."""
    hung = [Row(n, n / 20, 6.2 - n / 20 if 5.5 <= n / 20 < 6.2 else 0.003, 200, "", "") for n in range(200)]
    (outage,) = outages(hung)
    assert outage.begun == pytest.approx(5.5)
    assert outage.ended == pytest.approx(6.2)


def test_an_outage_that_did_not_end_and_none_at_all() -> None:
    (outage,) = outages(rows(lambda at: None if at >= 15 else "ok"))
    assert outage.ended == pytest.approx(BEGUN + 19.95)
    assert outages(rows(lambda _: "ok")) == []


def test_lanes_and_pools() -> None:
    spans = lane(rows(lambda at: None if 5 <= at < 6 else "tcp-lb1" if at < 10 else "tcp-lb2"))
    assert [span.value for span in spans] == ["tcp-lb1", "tcp-lb1", "tcp-lb2"]
    assert spans[0].ended == pytest.approx(BEGUN + 5)
    assert members("web1=1 web2=0 web3=1 ") == {"web1", "web3"}


def test_every_address_is_probed() -> None:
    made = {stream.name: stream for stream in streams(plan(parse(FULL), "debian"), "www.golden.test")}
    assert made["site"].url == "https://www.golden.test/whoami"
    assert made["vip"].url == "http://10.90.0.100:8404/node"
    assert set(made) >= {"tcp-lb1", "tcp-lb2", "http-lb1", "http-lb2", "web1", "web2", "web3"}
    assert all(stream.rate >= 20 and not stream.keep for stream in made.values())
    small = {
        stream.name: stream
        for stream in streams(plan(parse("web: {count: 1}\nnetwork: 10.90.0.0/24\n"), "debian"), "w")
    }
    assert set(small) == {"site", "web1"}


def test_percentiles_are_those_of_all_answers_that_came() -> None:
    answers = [Answer(0, number / 1000, 200, "web1", "") for number in range(1, 1001)]
    answers += [Answer(0, 20, None, None, "timeout")]
    found = percentiles(answers)
    assert found[50.0] == pytest.approx(0.5, rel=0.01)
    assert found[99.0] == pytest.approx(0.99, rel=0.01)
    assert found[100.0] == pytest.approx(1.0, rel=0.01)
    assert percentiles([]) == {}


def test_buckets_count_by_when_requests_were_due() -> None:
    made = buckets(load(lambda at: 5 <= at < 6), BEGUN, BEGUN + 20, 1.0)
    assert [bucket.count for bucket in made] == [50] * 20
    assert [bucket.failed for bucket in made] == [0] * 5 + [50] + [0] * 14
    assert made[5].p50 is None
    assert sum(made[4].served.values()) == 50
