"""AWS, and the way to it, while a task waits: each row is a fault, and what has to come of it."""

from __future__ import annotations

import pytest

from airflow_sagemaker_presign.exceptions import (
    AwsConnectionUnusable,
    NotebookInstanceQuotaExceeded,
    NotebookInstanceWaitTimeout,
    SageMakerAccessDenied,
    SageMakerOutOfReach,
    SageMakerUnavailable,
)
from tests.faults.faults import (
    answers,
    breaks,
    breaks_the_handshake,
    cut,
    denies,
    ends_early,
    enormous,
    html,
    loses_the_answer,
    never_answers,
    never_ends,
    no_ca_file,
    no_connection,
    no_route,
    no_such_host,
    refuses,
    refuses_in_xml,
    resets,
    slow,
    throttles,
    tunnel_refused,
    untrusted,
    without,
)
from tests.faults.outcomes import Error, Link
from tests.faults.scripts import Script, assumes, both, during
from tests.faults.simulation import Simulation
from tests.faults.transport import DESCRIBE, LIST, START

TEN_MINUTES = 600.0

TO_THE_END = 1e6
UNUSABLE, OUT_OF_REACH = AwsConnectionUnusable, SageMakerOutOfReach
EXPIRED = refuses(
    "InvalidSignatureException", "Signature expired: 20260302T080000Z is now earlier than 20260302T090000Z"
)
EARLY = refuses(
    "SignatureDoesNotMatch", "Signature not yet current: 20260302T080000Z is still later than 20260302T070000Z"
)
XML_THROTTLES = refuses_in_xml("Throttling", "Rate exceeded")
UNKNOWN_KEY = refuses("UnrecognizedClientException", "The security token included in the request is invalid.")

AT_ONCE = 20
"""Seconds: what botocore's own five attempts at one request take, with the pauses between them (15 s at most)."""

TABLE: dict[str, tuple[Script, Link | Error]] = {
    "throttled for ten minutes": (during(throttles, 10, 10 + TEN_MINUTES), Link(before=700)),
    "throttled for ten minutes from the first request on": (during(throttles, 0, TEN_MINUTES), Link(before=850)),
    "throttled until after the deadline": (
        during(throttles, 10, 1e6),
        Error(NotebookInstanceWaitTimeout, "Rate exceeded"),
    ),
    "500 in bursts": (
        both(during(breaks(500), 0, 5), during(breaks(500), 20, 50), during(breaks(500), 70, 130)),
        Link(before=220),
    ),
    "503 in bursts": (both(during(breaks(503), 20, 50), during(breaks(503), 70, 130)), Link(before=220)),
    "500 until after the deadline": (
        during(breaks(500), 10, 1e6),
        Error(NotebookInstanceWaitTimeout, "unknown error"),
    ),
    "connections refused for a minute": (during(no_connection, 30, 90), Link(before=220)),
    "connections refused until after the deadline": (
        during(no_connection, 30, 1e6),
        Error(NotebookInstanceWaitTimeout, "Could not connect to the endpoint URL", before=3700),
    ),
    "nobody answers the call for a connection": (during(no_route, 30, 90), Link(before=500)),
    "connections reset": (during(resets, 30, 90), Link(before=220)),
    "requests never answered": (during(never_answers, 30, 90), Link(before=500)),
    "requests never answered until after the deadline": (
        during(never_answers, 30, 1e6),
        Error(NotebookInstanceWaitTimeout, "Read timeout on endpoint URL", before=3690),
    ),
    "answers that take ten seconds": (during(slow(10), 0, 3600), Link(before=250)),
    "answers cut in the middle": (during(cut, 30, 90), Link(before=220)),
    "answers that end in the middle as if that were all": (during(ends_early, 30, 90), Link(before=220)),
    "refusals cut in the middle": (
        both(
            during(ends_early, 30, 90),
            lambda simulation: simulation.account.happens(
                "research", (30, "gone"), (90, "Pending"), (140, "InService")
            ),
        ),
        Link(before=220),
    ),
    "a page that says forbidden, not by AWS": (during(html(403), 30, 90), Link(before=220)),
    "a sign-in page of the network instead of an answer": (during(html(200), 30, 90), Link(before=220)),
    "a sign-in page of the network, whatever is asked": (
        during(html(200), 0, TO_THE_END),
        Error(OUT_OF_REACH, "has not responded to any request in 4 min", starts=0, before=330),
    ),
    "another server than AWS's": (
        during(html(404), 0, TO_THE_END),
        Error(OUT_OF_REACH, "HTTP status 404", starts=0, before=330),
    ),
    "credentials that had expired before": (
        during(refuses("ExpiredTokenException", "The security token is expired"), 0, TO_THE_END),
        Error(SageMakerUnavailable, "accepted no request in 4 min", starts=0, before=330),
    ),
    "a page that says bad gateway": (during(html(502), 30, 90), Link(before=220)),
    "a page of a hundred kilobytes that says bad gateway": (during(html(502, 10**5), 30, 90), Link(before=220)),
    "a page of a hundred kilobytes until after the deadline": (
        during(html(502, 10**5), 30, 1e6),
        Error(NotebookInstanceWaitTimeout, "Bad Gateway"),
    ),
    "an empty answer": (during(answers(), 30, 90), Link(before=220)),
    "answers of the wrong kind": (
        during(answers(NotebookInstanceStatus=["Pending"], NotebookInstances={"a": 1}), 30, 90),
        Link(before=220),
    ),
    "answers without a status": (during(without("NotebookInstanceStatus"), 30, 90), Link(before=220)),
    "answers that never say when it changed": (during(without("LastModifiedTime"), 0, 3600), Link(before=160)),
    "access withdrawn": (
        during(denies, 60, 1e6),
        Error(SageMakerAccessDenied, "is not authorized", before=75),
    ),
    "access denied from the first request on": (
        during(denies, 0, 1e6),
        Error(SageMakerAccessDenied, "is not authorized", starts=0, before=5),
    ),
    "a Start that may not be sent": (
        during(denies, 0, 1e6, START),
        Error(SageMakerAccessDenied, "refused to start", starts=0, before=5),
    ),
    "a Start beyond the quota": (
        during(refuses("ResourceLimitExceeded", "The account-level service limit is 1 Instances"), 0, 1e6, START),
        Error(NotebookInstanceQuotaExceeded, "service limit is 1", starts=0, before=5),
    ),
    "a Start that is throttled for a minute": (during(throttles, 0, 60, START), Link(before=350)),
    "a certificate that is not trusted": (
        during(untrusted, 0, TO_THE_END),
        Error(UNUSABLE, "certificate is not trusted", starts=0, before=AT_ONCE),
    ),
    "a certificate that is not trusted any more": (
        during(untrusted, 60, TO_THE_END),
        Error(UNUSABLE, "CA bundle as `verify`", before=75),
    ),
    "a CA bundle that is not there": (
        during(no_ca_file, 0, TO_THE_END),
        Error(UNUSABLE, "No such file", starts=0, before=AT_ONCE),
    ),
    "handshakes that break off": (during(breaks_the_handshake, 30, 90), Link(before=220)),
    "a proxy that wants to know who asks": (
        during(tunnel_refused(407, "Proxy Authentication Required"), 0, TO_THE_END),
        Error(UNUSABLE, "407 Proxy Authentication Required", starts=0, before=AT_ONCE),
    ),
    "a proxy that lets nobody through": (
        during(tunnel_refused(403, "Forbidden"), 60, TO_THE_END),
        Error(UNUSABLE, "403 Forbidden", before=75),
    ),
    "a proxy without TLS that wants to know who asks": (
        during(html(407), 0, TO_THE_END),
        Error(UNUSABLE, "A proxy responded", starts=0, before=5),
    ),
    "a proxy that reaches nobody for a minute": (
        during(tunnel_refused(503, "Service Unavailable"), 30, 90),
        Link(before=220),
    ),
    "a proxy that reaches nobody, ever": (
        during(tunnel_refused(503, "Service Unavailable"), 0, TO_THE_END),
        Error(OUT_OF_REACH, "has not responded to any request in 4 min", starts=0, before=330),
    ),
    "a name that is not found for two minutes": (during(no_such_host, 0, 120), Link(before=380)),
    "a name that is never found": (
        during(no_such_host, 0, TO_THE_END),
        Error(OUT_OF_REACH, "region eu-central-1, proxy none", starts=0, before=330),
    ),
    "a name that is not found any more": (
        during(no_such_host, 60, TO_THE_END),
        Error(NotebookInstanceWaitTimeout, "Check that the endpoint, the region and the proxy are right"),
    ),
    "connections refused from the first one on": (
        during(no_connection, 0, TO_THE_END),
        Error(OUT_OF_REACH, "endpoint https://api.sagemaker.eu-central-1.amazonaws.com/", starts=0, before=330),
    ),
    "a clock that is wrong": (
        during(EXPIRED, 0, TO_THE_END),
        Error(SageMakerAccessDenied, "Set the clock of the machine", starts=0, before=5),
    ),
    "a clock that is ahead": (
        during(EARLY, 0, TO_THE_END),
        Error(SageMakerAccessDenied, "Set the clock of the machine", starts=0, before=5),
    ),
    "a clock that is wrong for a minute": (
        during(refuses("RequestExpired", "Request has expired."), 30, 90),
        Link(before=220),
    ),
    "a clock that stays wrong": (
        during(EXPIRED, 30, TO_THE_END),
        Error(NotebookInstanceWaitTimeout, "Set the clock of the machine"),
    ),
    "a key that AWS does not know for once": (
        lambda simulation: simulation.fault(UNKNOWN_KEY, since=60, times=1),
        Link(before=220),
    ),
    "a key that AWS does not know for two minutes": (during(UNKNOWN_KEY, 20, 140), Link(before=250)),
    "a key that AWS never knew": (
        during(UNKNOWN_KEY, 0, TO_THE_END),
        Error(SageMakerAccessDenied, "security token", starts=0, before=5),
    ),
    "a role whose assumption is throttled": (assumes(XML_THROTTLES, times=8), Link(before=200)),
    "a role whose assumption is throttled for ten minutes": (
        assumes(XML_THROTTLES, until=TEN_MINUTES),
        Link(before=850),
    ),
    "a role that may not be assumed": (
        assumes(refuses_in_xml("AccessDenied", "is not authorized to perform: sts:AssumeRole", 403)),
        Error(SageMakerAccessDenied, "sts:AssumeRole", starts=0, before=5),
    ),
    "a role that is written wrong": (
        assumes(refuses_in_xml("ValidationError", "arn:aws:iam::1:role/x is invalid")),
        Error(UNUSABLE, "is invalid", starts=0, before=5),
    ),
    "a Start that was taken, and whose answer was lost": (during(loses_the_answer, 0, 1, START), Link(before=200)),
    "a Start whose answer never comes": (
        lambda simulation: simulation.fault(never_answers, operations=(START,), times=1),
        Link(before=300),
    ),
}


@pytest.mark.parametrize("where", ["in the triggerer", "in the worker"])
@pytest.mark.parametrize(("script", "expected"), TABLE.values(), ids=TABLE)
def test_a_wait(simulation: Simulation, script: Script, expected: Link | Error, where: str) -> None:
    simulation.account.plan("research", "Stopped")
    script(simulation)
    expected.check(simulation, simulation.run_one(deferrable=where == "in the triggerer"))


TOGETHER: dict[str, tuple[Script, float]] = {
    "with nothing wrong": (lambda simulation: None, 160),
    "list allowed, then denied": (during(denies, 60, 1e6, LIST), 170),
    "list denied from the beginning": (during(denies, 0, 1e6, LIST), 170),
    "describe throttled until a minute before": (during(throttles, 20, 80, DESCRIBE), 160),
    "all throttled for ten minutes": (during(throttles, 20, 620), 800),
    "list fails for ten minutes": (during(breaks(500), 20, 620, LIST), 300),
    "a list without names": (during(without("NotebookInstanceName"), 20, 3600, LIST), 300),
    "a list without statuses": (during(without("NotebookInstanceStatus"), 20, 3600, LIST), 300),
    "a list without times": (during(without("LastModifiedTime"), 0, 3600, LIST), 200),
    "a list cut in the middle": (during(cut, 20, 200, LIST), 300),
    "a sign-in page instead of a list": (during(html(200), 20, 200, LIST), 300),
    "thousands of strangers in the list": (lambda simulation: setattr(simulation.account, "strangers", 2000), 200),
    # Once, because writing and reading it takes seconds of real time.
    "a list of ten megabytes in one page": (
        lambda simulation: simulation.fault(enormous(50_000), operations=(LIST,), times=1),
        160,
    ),
    "a list that does not end for a while": (
        lambda simulation: simulation.fault(never_ends, operations=(LIST,), since=20, times=150),
        200,
    ),
}

NAMES = ("ada", "bob", "cyd", "dan", "eve")


@pytest.mark.parametrize(("script", "before"), TOGETHER.values(), ids=TOGETHER)
def test_five_waits_that_share_a_poller(simulation: Simulation, script: Script, before: float) -> None:
    for name in NAMES:
        simulation.account.plan(name, "Stopped")
    script(simulation)
    for outcome in simulation.run(*NAMES):
        Link(before=before).check(simulation, outcome)
    assert simulation.transport.asked(LIST)
