"""A client for locust: asks for rankings whose scores are known, and counts every answer that differs as a failure."""

import json
import random
from pathlib import Path
from typing import Any

#: How far a score may be from that of the same pair in another batch.
TOLERANCE = 1e-4
#: The service is asked with a key, as one that others can reach is.
KEY = "load"
#: What locust is started with; it looks for a file that holds a class of users.
LOCUSTFILE = "from innerjudge.experiments.bench.service.client import client\n\nClient = client({expected!r})\n"


def client(expected: str) -> Any:
    """Class of users that ask again as soon as they are answered.

    Args:
        expected: JSON file with ``requests`` (bodies) and ``scores`` (a list for each, in the order of its documents).
    """
    from locust import FastHttpUser, constant, task  # replaces sockets and threads where it is imported: here only

    known = json.loads(Path(expected).read_text(encoding="utf-8"))
    pairs = list(zip(known["requests"], known["scores"], strict=True))

    class Client(FastHttpUser):
        wait_time = constant(0)
        network_timeout = connection_timeout = 60.0

        @task
        def rerank(self) -> None:
            body, scores = random.choice(pairs)
            head = {"Authorization": f"Bearer {KEY}"}
            with self.client.post("/v1/rerank", json=body, headers=head, catch_response=True) as answer:
                said = wrong(answer.json(), scores) if answer.status_code == 200 else f"code {answer.status_code}"
                if said:
                    answer.failure(said)

    return Client


def wrong(answer: dict[str, Any], scores: list[float]) -> str:
    """What is wrong with an answer; nothing where it is right.

    Example:
        >>> good = {"results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}
        >>> wrong(good, [0.1, 0.9]), wrong(good, [0.1, 0.8]), wrong({"results": []}, [0.1])
        ('', 'wrong score', 'lost documents')
    """
    results = answer["results"]
    if sorted(one["index"] for one in results) != list(range(len(scores))):
        return "lost documents"
    if any(abs(one["relevance_score"] - scores[one["index"]]) > TOLERANCE for one in results):
        return "wrong score"
    ordered = [one["relevance_score"] for one in results]
    return "" if ordered == sorted(ordered, reverse=True) else "wrong order"
