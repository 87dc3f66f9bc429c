#!/usr/bin/env python3
"""Pre-generate a corpus of realistic Sentry error envelopes for sload.

One corpus file holds N templates.  A template is one envelope whose JSON, stack,
breadcrumbs etc. are fixed, split in two parts:

  prefix : envelope header + item header + the first JSON fields; it has "holes" for
           event_id, sent_at, timestamp and trace_id, which sload fills at send time
  suffix : all the rest (97-99 % of the bytes), already deflated

sload makes of it ONE valid gzip member (prefix as a stored block, then the deflated
suffix, CRC by crc32_combine), so every request carries a unique event id and a fresh
timestamp, while compression costs nothing during the run.

Issues: --issues distinct (exception type, message, stack) identities, drawn with a
Zipf(s) distribution; the message of an issue is constant unless --variable-messages.
Everything is seeded: the same arguments give the same corpus on the same Python.
"""

import argparse
import hashlib
import json
import os
import random
import struct
import sysconfig
import zlib

MAGIC = b"SLOAD02\0"
HOLE_ID = "0" * 32  # type 0: event id
HOLE_TRACE = "1" * 32  # type 3: trace id
HOLE_ISO = "2000-01-01T00:00:00.000000Z"  # type 1
HOLE_UNIX = "1000000000.000000"  # type 2
HOLES = [(HOLE_ID, 0), (HOLE_ISO, 1), (HOLE_UNIX, 2), (HOLE_TRACE, 3)]


# ---------------------------------------------------------------- real source lines
def source_files():
    std = sysconfig.get_paths()["stdlib"]
    names = [
        "asyncio/base_events.py",
        "asyncio/streams.py",
        "http/client.py",
        "http/server.py",
        "urllib/request.py",
        "json/decoder.py",
        "json/encoder.py",
        "email/message.py",
        "email/parser.py",
        "logging/__init__.py",
        "logging/handlers.py",
        "concurrent/futures/thread.py",
        "concurrent/futures/process.py",
        "socket.py",
        "ssl.py",
        "argparse.py",
        "configparser.py",
        "csv.py",
        "datetime.py",
        "decimal.py",
        "difflib.py",
        "enum.py",
        "functools.py",
        "inspect.py",
        "ipaddress.py",
        "multiprocessing/pool.py",
        "multiprocessing/managers.py",
        "pathlib.py",
        "pickle.py",
        "queue.py",
        "random.py",
        "selectors.py",
        "shutil.py",
        "smtplib.py",
        "sqlite3/dump.py",
        "statistics.py",
        "subprocess.py",
        "tarfile.py",
        "tempfile.py",
        "threading.py",
        "traceback.py",
        "typing.py",
        "unittest/case.py",
        "unittest/mock.py",
        "uuid.py",
        "xml/etree/ElementTree.py",
        "xmlrpc/client.py",
        "zipfile.py",
        "imaplib.py",
        "ftplib.py",
        "mailbox.py",
        "optparse.py",
        "calendar.py",
    ]
    out = []
    for n in names:
        p = os.path.join(std, n)
        if os.path.exists(p):
            with open(p, encoding="utf-8", errors="replace") as f:
                lines = [l.rstrip("\n")[:160] for l in f]
            if len(lines) > 120:
                out.append((n, lines))
    return out


WORDS = [
    "account",
    "invoice",
    "payment",
    "checkout",
    "order",
    "cart",
    "product",
    "inventory",
    "customer",
    "session",
    "token",
    "webhook",
    "report",
    "export",
    "import",
    "scheduler",
    "worker",
    "queue",
    "cache",
    "storage",
    "upload",
    "avatar",
    "image",
    "thumbnail",
    "search",
    "index",
    "document",
    "template",
    "renderer",
    "email",
    "notification",
    "subscription",
    "plan",
    "quota",
    "billing",
    "ledger",
    "refund",
    "shipment",
    "address",
    "geo",
    "currency",
    "price",
    "discount",
    "coupon",
    "audit",
    "permission",
    "role",
    "policy",
    "tenant",
    "workspace",
    "project",
    "member",
    "team",
    "profile",
    "preference",
    "feature",
    "flag",
    "experiment",
    "metric",
    "event",
    "stream",
    "topic",
    "partition",
    "consumer",
    "producer",
    "offset",
    "batch",
    "pipeline",
    "transform",
    "loader",
    "parser",
    "serializer",
    "validator",
    "schema",
    "migration",
    "backup",
    "snapshot",
    "replica",
    "shard",
    "router",
    "gateway",
    "proxy",
    "client",
    "server",
    "handler",
    "middleware",
    "controller",
    "service",
    "repository",
    "factory",
    "adapter",
    "provider",
    "manager",
    "registry",
    "resolver",
    "dispatcher",
    "executor",
    "monitor",
    "health",
    "alert",
]

PY_EXC = [
    "KeyError",
    "ValueError",
    "TypeError",
    "AttributeError",
    "IndexError",
    "ZeroDivisionError",
    "RuntimeError",
    "TimeoutError",
    "ConnectionResetError",
    "PermissionError",
    "IntegrityError",
    "OperationalError",
    "DoesNotExist",
    "ValidationError",
    "HTTPError",
    "ReadTimeout",
    "JSONDecodeError",
    "LockNotOwnedError",
]
JS_EXC = [
    "TypeError",
    "ReferenceError",
    "RangeError",
    "SyntaxError",
    "ChunkLoadError",
    "AxiosError",
    "UnhandledRejection",
    "NetworkError",
    "AbortError",
    "QuotaExceededError",
    "InvariantError",
]
JAVA_EXC = [
    "java.lang.NullPointerException",
    "java.lang.IllegalStateException",
    "java.lang.IllegalArgumentException",
    "java.util.concurrent.TimeoutException",
    "java.sql.SQLTransientConnectionException",
    "org.springframework.dao.DataIntegrityViolationException",
    "java.net.SocketTimeoutException",
    "org.springframework.web.client.HttpServerErrorException",
    "java.util.NoSuchElementException",
    "com.fasterxml.jackson.databind.exc.MismatchedInputException",
    "java.lang.ClassCastException",
]
MSG = [
    "'{w}' object has no attribute '{w2}'",
    "{w} {w2} not found in registry",
    "could not acquire lock for {w}.{w2}",
    "invalid literal for int() with base 10: '{w}'",
    "Cannot read properties of undefined (reading '{w}')",
    "{w} is not a function",
    'duplicate key value violates unique constraint "{w}_{w2}_key"',
    "HTTPSConnectionPool(host='{w}.internal', port=443): Read timed out. (read timeout=30)",
    "Failed to fetch dynamically imported module: /assets/{w}-{w2}.js",
    "unexpected state {w} while handling {w2}",
    "division by zero in {w} {w2} computation",
    "maximum recursion depth exceeded while resolving {w}",
]
UAS = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36",
]
ENVS = ["production"] * 7 + ["staging"] * 2 + ["qa"]


class Gen:
    def __init__(self, args):
        self.a = args
        self.r = random.Random(args.seed)
        self.src = source_files()
        self.releases = [
            "shop-backend@%d.%d.%d"
            % (self.r.randint(1, 4), self.r.randint(0, 30), self.r.randint(0, 9))
            for _ in range(12)
        ]
        self.users = [("%06d" % i, "user%06d@example.com" % i) for i in range(5000)]
        self.hosts = ["web-%02d.fra1.example.net" % i for i in range(24)]
        self.issues = [self.make_issue(i) for i in range(args.issues)]
        w = [1.0 / (k + 1) ** args.zipf for k in range(args.issues)]
        self.weights = w

    def w(self, r=None):
        return (r or self.r).choice(WORDS)

    # --------------------------------------------------------------- issue identities
    def make_issue(self, i):
        r = random.Random(f"{self.a.seed}/{i}")
        plat = r.choices(["python", "javascript", "java"], [0.5, 0.3, 0.2])[0]
        m = r.choice(MSG).format(w=self.w(r), w2=self.w(r))
        exc = r.choice({"python": PY_EXC, "javascript": JS_EXC, "java": JAVA_EXC}[plat])
        n = r.randint(20, 60)
        if plat == "python":
            n = r.randint(20, 34)
        frames = getattr(self, "frames_" + plat)(r, n)
        return {
            "idx": i,
            "platform": plat,
            "type": exc,
            "value": "%s [%s-%d]" % (m, self.w(r), i),
            "frames": frames,
            "transaction": f"/{self.w(r)}/{self.w(r)}/{{id}}/{self.w(r)}"
            if plat != "java"
            else f"{self.w(r).title()}Controller.{self.w(r)}",
            "logger": r.choice(["root", f"app.{self.w(r)}", "celery.worker", "django.request"]),
            "level": r.choices(["error", "fatal", "warning"], [90, 6, 4])[0],
            "rel": r.randrange(12),
            "variable": r.random() < self.a.variable_messages,
        }

    def frames_python(self, r, n):
        out = []
        for k in range(n):
            name, lines = r.choice(self.src)
            no = r.randint(6, len(lines) - 7)
            in_app = k > n * 0.6 and r.random() < 0.8
            mod = name[:-3].replace("/", ".")
            if in_app:
                mod = f"shop.{self.w(r)}.{self.w(r)}"
                name = mod.replace(".", "/") + ".py"
                absp = "/srv/app/releases/current/" + name
            else:
                absp = "/usr/local/lib/python3.11/" + name
            f = {
                "filename": name,
                "abs_path": absp,
                "function": r.choice(
                    [
                        "__call__",
                        "get_response",
                        "dispatch",
                        "inner",
                        "wrapper",
                        "run",
                        "execute",
                        f"_{self.w(r)}_{self.w(r)}",
                        f"{self.w(r)}_{self.w(r)}",
                        f"process_{self.w(r)}",
                    ]
                ),
                "module": mod,
                "lineno": no + 1,
                "pre_context": lines[no - 5 : no],
                "context_line": lines[no],
                "post_context": lines[no + 1 : no + 6],
                "in_app": in_app,
            }
            f["_vars"] = [self.w(r) for _ in range(r.randint(2, 6) if in_app else r.randint(0, 2))]
            out.append(f)
        return out

    def frames_javascript(self, r, n):
        out = []
        chunk = hashlib.md5(str(r.random()).encode()).hexdigest()[:8]
        for k in range(n):
            in_app = k > n * 0.7
            if in_app:
                fn = "https://shop.example.com/static/js/{}.{}.js".format(
                    r.choice(["main", "checkout", "account", "vendors~main"]), chunk
                )
            else:
                fn = "webpack-internal:///./node_modules/{}/{}.js".format(
                    r.choice(
                        [
                            "react-dom",
                            "axios",
                            "@tanstack/query-core",
                            "react-router",
                            "redux",
                            "rxjs",
                            "lodash-es",
                            "zone.js",
                        ]
                    ),
                    r.choice(
                        [
                            "cjs/react-dom.production.min",
                            "lib/core/dispatch",
                            "build/modern/query",
                            "dist/index",
                            "es/observable",
                            "lib/adapters/xhr",
                        ]
                    ),
                )
            f = {
                "filename": fn,
                "abs_path": fn,
                "function": r.choice(
                    [
                        "?",
                        f"Object.{self.w(r)}",
                        f"{self.w(r)}{self.w(r).title()}",
                        f"async {self.w(r)}",
                        "new Promise",
                        "Array.map",
                        "HTMLDocument.dispatch",
                        "performSyncWorkOnRoot",
                        "commitRoot",
                    ]
                ),
                "lineno": r.randint(1, 4) if in_app else r.randint(10, 25000),
                "colno": r.randint(1, 180000 if in_app else 120),
                "in_app": in_app,
            }
            if r.random() < 0.45:  # ContextLines / server-side node SDK
                _name, lines = r.choice(self.src)
                no = r.randint(6, len(lines) - 7)
                f["pre_context"], f["context_line"], f["post_context"] = (
                    lines[no - 3 : no],
                    lines[no],
                    lines[no + 1 : no + 4],
                )
            out.append(f)
        return out

    def frames_java(self, r, n):
        out = []
        for k in range(n):
            in_app = k > n * 0.75
            mod = (
                "com.example.shop.{}.{}{}".format(
                    self.w(r),
                    self.w(r).title(),
                    r.choice(["Service", "Controller", "Repository", "Job"]),
                )
                if in_app
                else r.choice(
                    [
                        "org.springframework.web.servlet.DispatcherServlet",
                        "org.apache.catalina.core.ApplicationFilterChain",
                        "org.springframework.security.web.FilterChainProxy$VirtualFilterChain",
                        "jdk.internal.reflect.DirectMethodHandleAccessor",
                        "java.util.concurrent.ThreadPoolExecutor$Worker",
                        "org.springframework.aop.framework.CglibAopProxy$CglibMethodInvocation",
                        "org.hibernate.engine.jdbc.internal.ResultSetReturnImpl",
                        "com.zaxxer.hikari.pool.HikariPool",
                        "io.netty.channel.AbstractChannelHandlerContext",
                        "org.springframework.transaction.interceptor.TransactionAspectSupport",
                        "java.util.stream.ReferencePipeline$3$1",
                    ]
                )
            )
            out.append(
                {
                    "module": mod,
                    "filename": mod.split(".")[-1].split("$")[0] + ".java",
                    "abs_path": mod.split(".")[-1].split("$")[0] + ".java",
                    "function": r.choice(
                        [
                            "invoke",
                            "doFilter",
                            "internalDoFilter",
                            "proceed",
                            "run",
                            "execute",
                            "accept",
                            "apply",
                            f"{self.w(r)}{self.w(r).title()}",
                        ]
                    ),
                    "lineno": r.randint(20, 2400),
                    "in_app": in_app,
                    "native": False,
                }
            )
        return out

    # --------------------------------------------------------------- one event
    def val(self, r):
        k = r.random()
        if k < 0.25:
            return str(r.randint(0, 99999))
        if k < 0.45:
            return "'%s-%s-%d'" % (self.w(r), self.w(r), r.randint(0, 9999))
        if k < 0.6:
            return f"<{self.w(r)}.{self.w(r).title()} object at 0x7f{r.getrandbits(40):010x}>"
        if k < 0.7:
            return "None"
        if k < 0.85:
            return {
                "id": str(r.randint(1, 1e6)),
                self.w(r): f"'{self.w(r)}'",
                "total": "Decimal('%d.%02d')" % (r.randint(1, 900), r.randint(0, 99)),
            }
        return [f"'{self.w(r)}'" for _ in range(r.randint(1, 5))]

    def crumbs(self, r, plat):
        n = r.randint(8, 28) if plat != "java" else r.randint(3, 15)
        t = 1000000000.0
        out = []
        for _ in range(n):
            t += r.random() * 4
            k = r.random()
            ts = "2026-10-05T12:%02d:%06.3fZ" % (int(t) % 60, r.random() * 59)
            if k < 0.35:
                out.append(
                    {
                        "type": "http",
                        "category": "httplib" if plat == "python" else "fetch",
                        "timestamp": ts,
                        "level": "info",
                        "data": {
                            "url": "https://api.%s.example.com/v1/%s/%d"
                            % (self.w(r), self.w(r), r.randint(1, 99999)),
                            "method": r.choice(["GET", "POST"]),
                            "status_code": r.choice([200, 200, 200, 201, 404, 502]),
                            "reason": "OK",
                        },
                    }
                )
            elif k < 0.65 and plat == "python":
                out.append(
                    {
                        "type": "default",
                        "category": "query",
                        "timestamp": ts,
                        "message": 'SELECT "%s"."id", "%s"."%s" FROM "%s" WHERE "%s"."id" = %%s LIMIT 21'
                        % ((self.w(r),) * 2 + (self.w(r),) + (self.w(r),) * 2),
                        "data": {},
                    }
                )
            elif k < 0.8 and plat == "javascript":
                out.append(
                    {
                        "category": "ui.click",
                        "timestamp": ts,
                        "message": f'div#root > main.{self.w(r)} > form > button.btn.btn-{self.w(r)}[type="submit"]',
                    }
                )
            else:
                out.append(
                    {
                        "type": "log",
                        "level": r.choice(["info", "warning", "debug"]),
                        "category": f"app.{self.w(r)}",
                        "timestamp": ts,
                        "message": "%s %s id=%d took %.1f ms"
                        % (self.w(r), self.w(r), r.randint(1, 99999), r.random() * 300),
                        "data": {},
                    }
                )
        return out

    def event(self, n):
        r = self.r
        iss = r.choices(self.issues, self.weights)[0]
        plat = iss["platform"]
        frames = []
        for f in iss["frames"]:
            g = {k: v for k, v in f.items() if k != "_vars"}
            if f.get("_vars"):
                g["vars"] = {v: self.val(r) for v in f["_vars"]}
            frames.append(g)
        value = iss["value"] + (" (id %d)" % r.randint(1, 1e7) if iss["variable"] else "")
        mech = {
            "python": {"type": "django", "handled": False},
            "javascript": {"type": "onunhandledrejection", "handled": False},
            "java": {"type": "Spring", "handled": False},
        }[plat]
        exc = [
            {
                "type": iss["type"].rsplit(".", 1)[-1],
                "value": value,
                "module": iss["type"].rsplit(".", 1)[0] if "." in iss["type"] else None,
                "mechanism": mech,
                "stacktrace": {"frames": frames},
            }
        ]
        if plat == "java":  # a "Caused by"
            exc.insert(
                0,
                {
                    "type": "RuntimeException",
                    "module": "java.lang",
                    "value": "caused by " + value[:40],
                    "stacktrace": {"frames": frames[: len(frames) // 3]},
                },
            )
        uid, mail = r.choice(self.users)
        host = r.choice(self.hosts)
        env = r.choice(ENVS)
        rel = self.releases[(iss["rel"] + (r.random() < 0.2)) % 12]
        ua = r.choice(UAS)
        url = f"https://shop.example.com/{self.w(r)}/{r.randint(1, 99999)}"
        ev = {
            "platform": plat,
            "level": iss["level"],
            "logger": iss["logger"],
            "transaction": iss["transaction"],
            "environment": env,
            "release": rel,
            "server_name": host if plat != "javascript" else None,
            "exception": {"values": exc},
            "tags": {
                "region": r.choice(["eu-central-1", "us-east-1", "ap-south-1"]),
                "customer_tier": r.choice(["free", "pro", "enterprise"]),
                "handler": self.w(random.Random(iss["idx"])),
                "shard": str(r.randint(0, 15)),
                "feature.flag": r.choice(WORDS[:30]),
            },
            "user": {
                "id": uid,
                "email": mail,
                "ip_address": "203.0.113.%d" % r.randint(1, 254),
                "username": f"user{uid}",
            },
            "request": {
                "url": url,
                "method": r.choice(["GET", "POST", "PUT"]),
                "query_string": "page=%d&sort=%s" % (r.randint(1, 50), self.w(r)),
                "headers": {
                    "Host": "shop.example.com",
                    "User-Agent": ua,
                    "Accept": "application/json, text/plain, */*",
                    "Accept-Encoding": "gzip, deflate, br",
                    "Referer": "https://shop.example.com/" + self.w(r),
                    "X-Request-Id": f"{r.getrandbits(128):032x}",
                    "Content-Type": "application/json",
                },
                "data": {
                    self.w(r): self.w(r),
                    "amount": r.randint(1, 9999),
                    "items": [
                        {"sku": f"{r.getrandbits(32):08x}", "qty": r.randint(1, 5)}
                        for _ in range(r.randint(0, 4))
                    ],
                },
                "env": {
                    "SERVER_NAME": host,
                    "SERVER_PORT": "8000",
                    "REMOTE_ADDR": "10.0.%d.%d" % (r.randint(0, 9), r.randint(1, 254)),
                },
            },
            "contexts": {
                "runtime": {
                    "python": {
                        "name": "CPython",
                        "version": "3.11.7",
                        "build": "3.11.7 (main, Jan  9 2026, 06:57:13) [GCC 12.2.0]",
                    },
                    "javascript": {"name": "node", "version": "v20.11.1"},
                    "java": {"name": "OpenJDK Runtime Environment", "version": "21.0.3"},
                }[plat],
                "os": {
                    "name": "Linux",
                    "version": "6.1.0-18-amd64",
                    "build": "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1",
                },
                "browser": {"name": ua.split("/")[-2].split(" ")[-1], "version": "126.0"},
                "device": {"arch": "x86_64", "num_cpu": 8, "family": "Desktop"},
                "trace": {
                    "trace_id": HOLE_TRACE,
                    "span_id": f"{r.getrandbits(64):016x}",
                    "parent_span_id": f"{r.getrandbits(64):016x}",
                    "op": "http.server",
                    "status": "internal_error",
                },
            },
            "breadcrumbs": {"values": self.crumbs(r, plat)},
            "extra": {
                "sys.argv": ["/srv/app/venv/bin/gunicorn", "shop.wsgi", "--workers", "8"],
                "retry": r.randint(0, 3),
                "queue_time_ms": round(r.random() * 90, 2),
            },
            "sdk": {
                "python": {
                    "name": "sentry.python.django",
                    "version": "2.19.0",
                    "packages": [{"name": "pypi:sentry-sdk", "version": "2.19.0"}],
                    "integrations": [
                        "argv",
                        "atexit",
                        "celery",
                        "dedupe",
                        "django",
                        "excepthook",
                        "logging",
                        "modules",
                        "redis",
                        "stdlib",
                        "threading",
                    ],
                },
                "javascript": {
                    "name": "sentry.javascript.react",
                    "version": "8.42.0",
                    "packages": [{"name": "npm:@sentry/react", "version": "8.42.0"}],
                    "integrations": [
                        "InboundFilters",
                        "FunctionToString",
                        "BrowserApiErrors",
                        "Breadcrumbs",
                        "GlobalHandlers",
                        "LinkedErrors",
                        "Dedupe",
                        "HttpContext",
                    ],
                },
                "java": {
                    "name": "sentry.java.spring-boot.jakarta",
                    "version": "7.18.0",
                    "packages": [{"name": "maven:io.sentry:sentry", "version": "7.18.0"}],
                },
            }[plat],
        }
        if plat == "python":
            rr = random.Random(5)
            ev["modules"] = {
                f"{self.w(rr)}-{self.w(rr)}": "%d.%d.%d"
                % (rr.randint(0, 9), rr.randint(0, 30), rr.randint(0, 9))
                for _ in range(45)
            }
        ev = {k: v for k, v in ev.items() if v is not None}
        return iss, plat, ev

    def template(self, n):
        iss, plat, ev = self.event(n)
        sdk = ev["sdk"]
        body = json.dumps(ev, separators=(",", ":"))
        # the trace id inside the body stays the template's own (not a hole): replace by a real one
        tid = f"{self.r.getrandbits(128):032x}"
        body = body.replace(HOLE_TRACE, tid)
        ts = f'"{HOLE_ISO}"' if plat != "javascript" else HOLE_UNIX
        head = f'{{"event_id":"{HOLE_ID}","timestamp":{ts},'
        payload_len = len(head.encode()) + len(body.encode()) - 1
        eh = {
            "event_id": HOLE_ID,
            "sent_at": HOLE_ISO,
            "sdk": {"name": sdk["name"], "version": sdk["version"]},
            "trace": {
                "trace_id": tid,
                "environment": ev["environment"],
                "release": ev["release"],
                "public_key": "0" * 0 or "a" * 32,
            },
        }
        if plat == "javascript":
            ih = {"type": "event"}
        else:
            ih = {"type": "event", "content_type": "application/json", "length": payload_len}
        prefix = (
            json.dumps(eh, separators=(",", ":"))
            + "\n"
            + json.dumps(ih, separators=(",", ":"))
            + "\n"
            + head
        ).encode()
        suffix = (body[1:] + ("\n" if plat != "javascript" else "")).encode()
        return iss, plat, prefix, suffix, payload_len


def main():
    ap = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ap.add_argument("--out", default="corpus.bin")
    ap.add_argument("--templates", type=int, default=4000)
    ap.add_argument("--issues", type=int, default=200)
    ap.add_argument("--zipf", type=float, default=1.1)
    ap.add_argument("--seed", type=int, default=7)
    ap.add_argument("--level", type=int, default=9, help="gzip level; sentry-python uses 9")
    ap.add_argument(
        "--variable-messages",
        type=float,
        default=0.0,
        help="share of issues whose message differs event by event",
    )
    ap.add_argument(
        "--plain-javascript",
        action="store_true",
        help="send javascript events uncompressed, as browser SDKs do",
    )
    ap.add_argument("--samples", default="samples", help="folder for a few readable samples")
    a = ap.parse_args()
    g = Gen(a)
    recs, stats, seen = [], {"python": [], "javascript": [], "java": []}, set()
    os.makedirs(a.samples, exist_ok=True)
    plats = {"python": 0, "javascript": 1, "java": 2}
    for n in range(a.templates):
        iss, plat, prefix, suffix, plen = g.template(n)
        seen.add(iss["idx"])
        holes = []
        for s, t in HOLES:
            p = prefix.find(s.encode())
            while p >= 0:
                holes.append((p, t))
                p = prefix.find(s.encode(), p + 1)
        plain = a.plain_javascript and plat == "javascript"
        if plain:
            blob = suffix
        else:
            c = zlib.compressobj(a.level, zlib.DEFLATED, -15)
            blob = c.compress(suffix) + c.flush()
        gz = len(blob) + len(prefix) + 23 if not plain else len(blob) + len(prefix)
        stats[plat].append(
            (
                plen,
                gz,
                len(json.loads(b"{" + suffix)["exception"]["values"][-1]["stacktrace"]["frames"]),
            )
        )
        recs.append(
            struct.pack(
                "<IIIIIBBH",
                len(prefix),
                len(suffix),
                len(blob),
                zlib.crc32(suffix),
                iss["idx"],
                plats[plat],
                int(plain),
                len(holes),
            )
            + b"".join(struct.pack("<II", *h) for h in holes)
            + prefix
            + blob
        )
        if n < 30:
            with open("%s/%02d-%s.envelope" % (a.samples, n, plat), "wb") as f:
                f.write(prefix.replace(HOLE_ID.encode(), b"%032x" % (n + 1)) + suffix)
    with open(a.out, "wb") as f:
        f.write(MAGIC + struct.pack("<I", len(recs)))
        for x in recs:
            f.write(x)
    tot = [s for v in stats.values() for s in v]

    def q(xs, p):
        return sorted(xs)[min(len(xs) - 1, int(len(xs) * p))]

    print(
        "templates %d, distinct issues drawn %d of %d, file %.1f MB"
        % (len(tot), len(seen), a.issues, os.path.getsize(a.out) / 1e6)
    )
    for k, v in [*list(stats.items()), ("all", tot)]:
        if v:
            print(
                "%-10s n=%5d  json bytes p5/p50/p95/mean %6d %6d %6d %6d   sent bytes p50/mean %5d %5d   frames p5/p50/p95 %d %d %d"
                % (
                    k,
                    len(v),
                    q([x[0] for x in v], 0.05),
                    q([x[0] for x in v], 0.5),
                    q([x[0] for x in v], 0.95),
                    sum(x[0] for x in v) / len(v),
                    q([x[1] for x in v], 0.5),
                    sum(x[1] for x in v) / len(v),
                    q([x[2] for x in v], 0.05),
                    q([x[2] for x in v], 0.5),
                    q([x[2] for x in v], 0.95),
                )
            )


if __name__ == "__main__":
    main()
