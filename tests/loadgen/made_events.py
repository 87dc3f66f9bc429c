"""Made-up error events for `gen_events`, in the proportions and sizes that real ones have."""

from __future__ import annotations

import json
import random
from typing import Any

from stacks import FRAMES, WORDS, source_files, word

#: Stand in an envelope where sload writes a value of its own for each request.
HOLE_ID = "0" * 32
HOLE_TRACE = "1" * 32
HOLE_ISO = "2000-01-01T00:00:00.000000Z"
HOLE_UNIX = "1000000000.000000"

ENVIRONMENTS = ["production"] * 7 + ["staging"] * 2 + ["qa"]
RELEASES = 12
MECHANISMS = {"python": "django", "javascript": "onunhandledrejection", "java": "Spring"}
Json = dict[str, Any]


class Gen:
    """Draws events of `issues` distinct errors, by Zipf's law. The same seed gives the same events.

    `variable_messages` is the share of issues whose message differs event by event.
    """

    def __init__(
        self, *, seed: int, issues: int, zipf: float = 1.1, variable_messages: float = 0.0
    ) -> None:
        self.seed = seed
        self.variable_messages = variable_messages
        self.r = r = random.Random(seed)
        self.source = source_files()
        self.releases = [
            f"shop-backend@{r.randint(1, 4)}.{r.randint(0, 30)}.{r.randint(0, 9)}"
            for _ in range(RELEASES)
        ]
        self.users = [(f"{i:06d}", f"user{i:06d}@example.com") for i in range(5000)]
        self.hosts = [f"web-{i:02d}.fra1.example.net" for i in range(24)]
        self.issues = [self.make_issue(i) for i in range(issues)]
        self.weights = [1.0 / (rank + 1) ** zipf for rank in range(issues)]

    def make_issue(self, number: int) -> Json:
        """What all events of one issue have in common: type, message, stack."""
        r = random.Random(f"{self.seed}/{number}")
        platform = r.choices(["python", "javascript", "java"], [0.5, 0.3, 0.2])[0]
        message = r.choice(WORDS["messages"]).format(w=word(r), w2=word(r))
        exception = r.choice(WORDS[f"{platform}_exceptions"])
        count = r.randint(20, 60)
        if platform == "python":
            count = r.randint(20, 34)
        frames = FRAMES[platform](r, count, self.source)
        value = f"{message} [{word(r)}-{number}]"
        if platform == "java":
            transaction = f"{word(r).title()}Controller.{word(r)}"
        else:
            transaction = f"/{word(r)}/{word(r)}/{{id}}/{word(r)}"
        return {
            "idx": number,
            "platform": platform,
            "type": exception,
            "value": value,
            "frames": frames,
            "transaction": transaction,
            "logger": r.choice(["root", f"app.{word(r)}", "celery.worker", "django.request"]),
            "level": r.choices(["error", "fatal", "warning"], [90, 6, 4])[0],
            "rel": r.randrange(RELEASES),
            "variable": r.random() < self.variable_messages,
        }

    def event(self) -> tuple[Json, Json]:
        """An issue and one event of it, without id and time."""
        r = self.r
        issue = r.choices(self.issues, self.weights)[0]
        platform = issue["platform"]
        frames = []
        for frame in issue["frames"]:
            sent = {key: value for key, value in frame.items() if key != "_vars"}
            if frame.get("_vars"):
                sent["vars"] = {name: variable(r) for name in frame["_vars"]}
            frames.append(sent)
        value = issue["value"] + (f" (id {r.randint(1, 10**7)})" if issue["variable"] else "")
        user_id, email = r.choice(self.users)
        host = r.choice(self.hosts)
        environment = r.choice(ENVIRONMENTS)
        release = self.releases[(issue["rel"] + (r.random() < 0.2)) % RELEASES]
        agent = r.choice(WORDS["user_agents"])
        url = f"https://shop.example.com/{word(r)}/{r.randint(1, 99999)}"
        event = {
            "platform": platform,
            "level": issue["level"],
            "logger": issue["logger"],
            "transaction": issue["transaction"],
            "environment": environment,
            "release": release,
            "server_name": host,
            "exception": {"values": exceptions(issue, value, frames)},
            "tags": tags(r, issue),
            "user": {
                "id": user_id,
                "email": email,
                "ip_address": f"203.0.113.{r.randint(1, 254)}",
                "username": f"user{user_id}",
            },
            "request": request(r, url, agent, host),
            "contexts": contexts(r, platform, agent),
            "breadcrumbs": {"values": crumbs(r, platform)},
            "extra": {
                "sys.argv": ["/srv/app/venv/bin/gunicorn", "shop.wsgi", "--workers", "8"],
                "retry": r.randint(0, 3),
                "queue_time_ms": round(r.random() * 90, 2),
            },
            "sdk": WORDS["sdks"][platform],
        }
        if platform == "javascript":
            del event["server_name"]
        if platform == "python":
            event["modules"] = modules()
        return issue, event

    def template(self) -> tuple[Json, bytes, bytes, int]:
        """An issue, the head of an envelope with holes, its tail, and the event's size."""
        issue, event = self.event()
        platform, sdk = issue["platform"], event["sdk"]
        body = json.dumps(event, separators=(",", ":"))
        trace_id = f"{self.r.getrandbits(128):032x}"
        body = body.replace(HOLE_TRACE, trace_id)  # the body's trace stays the template's own
        timestamp = HOLE_UNIX if platform == "javascript" else f'"{HOLE_ISO}"'
        head = f'{{"event_id":"{HOLE_ID}","timestamp":{timestamp},'
        size = len(head.encode()) + len(body.encode()) - 1
        envelope = {
            "event_id": HOLE_ID,
            "sent_at": HOLE_ISO,
            "sdk": {"name": sdk["name"], "version": sdk["version"]},
            "trace": {
                "trace_id": trace_id,
                "environment": event["environment"],
                "release": event["release"],
                "public_key": "a" * 32,
            },
        }
        item: Json = {"type": "event"}
        if platform != "javascript":
            item |= {"content_type": "application/json", "length": size}
        lines = [json.dumps(part, separators=(",", ":")) for part in (envelope, item)]
        prefix = "\n".join([*lines, head]).encode()
        suffix = (body[1:] + ("" if platform == "javascript" else "\n")).encode()
        return issue, prefix, suffix, size


def exceptions(issue: Json, value: str, frames: list[Json]) -> list[Json]:
    """The exception, and for Java the one that caused it."""
    package, _, name = issue["type"].rpartition(".")
    thrown = {
        "type": name,
        "value": value,
        "module": package or None,
        "mechanism": {"type": MECHANISMS[issue["platform"]], "handled": False},
        "stacktrace": {"frames": frames},
    }
    if issue["platform"] != "java":
        return [thrown]
    cause = {
        "type": "RuntimeException",
        "module": "java.lang",
        "value": "caused by " + value[:40],
        "stacktrace": {"frames": frames[: len(frames) // 3]},
    }
    return [cause, thrown]


def tags(r: random.Random, issue: Json) -> Json:
    return {
        "region": r.choice(["eu-central-1", "us-east-1", "ap-south-1"]),
        "customer_tier": r.choice(["free", "pro", "enterprise"]),
        "handler": word(random.Random(issue["idx"])),
        "shard": str(r.randint(0, 15)),
        "feature.flag": r.choice(WORDS["nouns"][:30]),
    }


def request(r: random.Random, url: str, agent: str, host: str) -> Json:
    return {
        "url": url,
        "method": r.choice(["GET", "POST", "PUT"]),
        "query_string": f"page={r.randint(1, 50)}&sort={word(r)}",
        "headers": {
            "Host": "shop.example.com",
            "User-Agent": agent,
            "Accept": "application/json, text/plain, */*",
            "Accept-Encoding": "gzip, deflate, br",
            "Referer": "https://shop.example.com/" + word(r),
            "X-Request-Id": f"{r.getrandbits(128):032x}",
            "Content-Type": "application/json",
        },
        "data": {
            word(r): word(r),
            "amount": r.randint(1, 9999),
            "items": [
                {"sku": f"{r.getrandbits(32):08x}", "qty": r.randint(1, 5)}
                for _ in range(r.randint(0, 4))
            ],
        },
        "env": {
            "SERVER_NAME": host,
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": f"10.0.{r.randint(0, 9)}.{r.randint(1, 254)}",
        },
    }


def contexts(r: random.Random, platform: str, agent: str) -> Json:
    return {
        "runtime": WORDS["runtimes"][platform],
        "os": {
            "name": "Linux",
            "version": "6.1.0-18-amd64",
            "build": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1",
        },
        "browser": {"name": agent.split("/")[-2].split(" ")[-1], "version": "126.0"},
        "device": {"arch": "x86_64", "num_cpu": 8, "family": "Desktop"},
        "trace": {
            "trace_id": HOLE_TRACE,
            "span_id": f"{r.getrandbits(64):016x}",
            "parent_span_id": f"{r.getrandbits(64):016x}",
            "op": "http.server",
            "status": "internal_error",
        },
    }


def modules() -> Json:
    """What is installed: the same in every event."""
    r = random.Random(5)
    return {
        f"{word(r)}-{word(r)}": f"{r.randint(0, 9)}.{r.randint(0, 30)}.{r.randint(0, 9)}"
        for _ in range(45)
    }


def variable(r: random.Random) -> Any:
    """A local variable's value, as the Python SDK sends it."""
    kind = r.random()
    if kind < 0.25:
        return str(r.randint(0, 99999))
    if kind < 0.45:
        return f"'{word(r)}-{word(r)}-{r.randint(0, 9999)}'"
    if kind < 0.6:
        return f"<{word(r)}.{word(r).title()} object at 0x7f{r.getrandbits(40):010x}>"
    if kind < 0.7:
        return "None"
    if kind < 0.85:
        return {
            "id": str(r.randint(1, 10**6)),
            word(r): f"'{word(r)}'",
            "total": f"Decimal('{r.randint(1, 900)}.{r.randint(0, 99):02d}')",
        }
    return [f"'{word(r)}'" for _ in range(r.randint(1, 5))]


def crumbs(r: random.Random, platform: str) -> list[Json]:
    count = r.randint(3, 15) if platform == "java" else r.randint(8, 28)
    clock, made = 1000000000.0, []
    for _ in range(count):
        clock += r.random() * 4
        kind = r.random()
        stamp = f"2026-10-05T12:{int(clock) % 60:02d}:{r.random() * 59:06.3f}Z"
        if kind < 0.35:
            made.append(http_crumb(r, platform, stamp))
        elif kind < 0.65 and platform == "python":
            made.append(query_crumb(r, stamp))
        elif kind < 0.8 and platform == "javascript":
            place = f"div#root > main.{word(r)} > form > button.btn.btn-{word(r)}"
            made.append(
                {
                    "category": "ui.click",
                    "timestamp": stamp,
                    "message": place + '[type="submit"]',
                }
            )
        else:
            made.append(log_crumb(r, stamp))
    return made


def http_crumb(r: random.Random, platform: str, stamp: str) -> Json:
    return {
        "type": "http",
        "category": "httplib" if platform == "python" else "fetch",
        "timestamp": stamp,
        "level": "info",
        "data": {
            "url": f"https://api.{word(r)}.example.com/v1/{word(r)}/{r.randint(1, 99999)}",
            "method": r.choice(["GET", "POST"]),
            "status_code": r.choice([200, 200, 200, 201, 404, 502]),
            "reason": "OK",
        },
    }


def query_crumb(r: random.Random, stamp: str) -> Json:
    selected, column, table = word(r), word(r), word(r)
    query = (
        f'SELECT "{selected}"."id", "{selected}"."{column}" FROM "{table}"'
        f' WHERE "{table}"."id" = %s LIMIT 21'
    )
    return {
        "type": "default",
        "category": "query",
        "timestamp": stamp,
        "message": query,
        "data": {},
    }


def log_crumb(r: random.Random, stamp: str) -> Json:
    return {
        "type": "log",
        "level": r.choice(["info", "warning", "debug"]),
        "category": f"app.{word(r)}",
        "timestamp": stamp,
        "message": f"{word(r)} {word(r)} id={r.randint(1, 99999)} took {r.random() * 300:.1f} ms",
        "data": {},
    }
