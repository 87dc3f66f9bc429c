"""Failures of the payment service: Java and Spring."""

from __future__ import annotations

from typing import Any

from tracer.cli.demo.frames import app_frame, system_frame
from tracer.cli.demo.world import Fields, Release, Scene, Service, Story, exception

_PACKAGE = "com.example.payments"


def _fields(at: Scene) -> Fields:
    pod = f"payments-7d9f{at.random.choice('bcdf')}-{at.random.choice(('x2v9q', 'lm4tz', 'p8rwk'))}"
    return {
        "server_name": pod,
        "logger": f"{_PACKAGE}.web.ErrorHandler",
        "tags": {"pod": pod, "scheme": at.random.choice(("visa", "mastercard", "sepa"))},
        "contexts": {
            "runtime": {"name": "OpenJDK Runtime Environment", "version": "21.0.7"},
            "os": {"name": "Linux", "version": "6.8.0-58-generic"},
            "trace": {"trace_id": at.hex(32), "span_id": at.hex(16), "op": "http.server"},
            "spring": {"active_profiles": [at.environment, "metrics"]},
        },
        "sdk": {
            "name": "sentry.java.spring-boot.jakarta",
            "version": "8.17.0",
            "packages": [{"name": "maven:io.sentry:sentry-spring-boot", "version": "8.17.0"}],
        },
        "modules": {"io.sentry:sentry": "8.17.0", "org.springframework.boot:spring-boot": "3.5.3"},
    }


SERVICE = Service(
    "payments",
    "java",
    (
        Release("payments@2.30.1", 30),
        Release("payments@2.31.0", 9.0),
        Release("payments@2.31.1", 4.4),
    ),
    _fields,
)


def _frame(file: str, needle: str, function: str, **fields: Any) -> Fields:
    module = file.removesuffix(".java").replace("/", ".")
    name = file.rpartition("/")[2]
    frame = app_frame(file, needle, function, module=module, **fields)
    return {**frame, "filename": name}


def _library(module: str, function: str, lineno: int) -> Fields:
    name = module.rpartition(".")[2].partition("$")[0] + ".java"
    return system_frame(name, function, lineno, module=module)


def _spring() -> list[Fields]:
    web = "org.springframework.web"
    return [
        _library("java.lang.Thread", "run", 1583),
        _library("org.apache.catalina.core.ApplicationFilterChain", "doFilter", 138),
        _library(f"{web}.servlet.FrameworkServlet", "service", 885),
        _library(f"{web}.method.support.InvocableHandlerMethod", "doInvoke", 258),
        _frame(
            "com/example/payments/web/ChargeController.java", "ReceiptView.of(charges", "create"
        ),
    ]


def _charge(needle: str) -> Fields:
    return _frame("com/example/payments/charge/ChargeService.java", needle, "charge")


def _request(at: Scene, reference: int) -> Fields:
    return {
        "url": "https://payments.internal:8443/charges",
        "method": "POST",
        "headers": {
            "Content-Type": "application/json",
            "User-Agent": "python-requests/2.32.4",
            "X-Api-Key": at.hex(32),
        },
        "data": {"reference": reference, "amount": "36.70", "currency": "EUR"},
    }


def _no_answer(at: Scene) -> Fields:
    reference = at.random.randint(40_000, 99_999)
    client = "com/example/payments/gateway/GatewayClient.java"
    host = "api.acquirer.example"
    chained = {"type": "chained", "handled": False}
    timeout = exception(
        "HttpConnectTimeoutException", "HTTP connect timed out",
        [
            _frame(client, "http.send(request", "authorize"),
            _library("jdk.internal.net.http.HttpClientFacade", "send", 133),
            _library("jdk.internal.net.http.MultiExchange", "toTimeoutException", 587),
        ],
        {**chained, "exception_id": 2, "parent_id": 1}, module="java.net.http",
    )  # fmt: skip
    gateway = exception(
        "GatewayException", f"no answer from {host}",
        [_charge("gateway.authorize("), _frame(client, "throw new GatewayException", "authorize")],
        {**chained, "exception_id": 1, "parent_id": 0}, module=f"{_PACKAGE}.gateway",
    )  # fmt: skip
    failed = exception(
        "ChargeFailedException", f"charge {reference} failed",
        [*_spring(), _charge("throw new ChargeFailedException")],
        {"type": "HandlerExceptionResolver", "handled": False, "exception_id": 0},
        module=f"{_PACKAGE}.charge", thread_id=41,
    )  # fmt: skip
    return {
        "transaction": "POST /charges",
        "exception": {"values": [timeout, gateway, failed]},
        "request": _request(at, reference),
        "breadcrumbs": [
            at.crumb(4.3, "http", kind="http", data={"url": f"https://{host}/v2/auth"}),
            at.crumb(0.1, f"{_PACKAGE}.gateway", "retry 1 of 1 used up", level="warning"),
        ],
    }


def _locked(at: Scene) -> Fields:
    ledger = "com/example/payments/ledger/Ledger.java"
    account = at.random.randint(100, 140)
    park = _library("jdk.internal.misc.Unsafe", "park", 0)
    waiting = [
        _library("java.lang.Thread", "run", 1583),
        _charge("ledger.book("),
        _frame(ledger, "lock.tryLock(", "book"),
        park,
    ]
    thrown = exception(
        "LedgerBusyException", f"account {account} is locked",
        [*_spring(), _charge("ledger.book("), _frame(ledger, "throw new LedgerBusy", "book")],
        {"type": "HandlerExceptionResolver", "handled": False},
        module=f"{_PACKAGE}.ledger", thread_id=41,
    )  # fmt: skip
    flush = [*waiting[:2], _frame(ledger, "entities.flush()", "book"), park]
    threads = [
        {"id": 41, "name": "http-nio-8443-exec-7", "crashed": True, "current": True},
        {"id": 38, "name": "http-nio-8443-exec-4", "stacktrace": {"frames": waiting}},
        {"id": 36, "name": "http-nio-8443-exec-2", "stacktrace": {"frames": flush}},
        {"id": 12, "name": "HikariPool-1 housekeeper", "stacktrace": {"frames": [park]}},
    ]
    return {
        "transaction": "POST /charges",
        "exception": {"values": [thrown]},
        "threads": {"values": threads},
        "request": _request(at, at.random.randint(40_000, 99_999)),
        "tags": {"account": str(account)},
    }


def _stale(at: Scene) -> Fields:
    ledger = "com/example/payments/ledger/Ledger.java"
    value = (
        "Row was updated or deleted by another transaction (or unsaved-value mapping was"
        f" incorrect): [{_PACKAGE}.ledger.Account#{at.random.randint(100, 140)}]"
    )
    return {
        "level": "warning",
        "transaction": "POST /charges",
        "exception": {
            "values": [
                exception(
                    "ObjectOptimisticLockingFailureException", value,
                    [*_spring(), _charge("ledger.book("), _frame(ledger, ".flush()", "book")],
                    {"type": "generic", "handled": True}, module="org.springframework.orm",
                )
            ]
        },
        "request": _request(at, at.random.randint(40_000, 99_999)),
    }  # fmt: skip


def _no_plan(at: Scene) -> Fields:
    value = (
        'Cannot invoke "com.example.payments.ledger.Plan.round(java.math.BigDecimal,'
        ' java.util.Currency)" because the return value of'
        ' "com.example.payments.ledger.Account.plan()" is null'
    )
    return {
        "level": "fatal",
        "transaction": "POST /charges",
        "exception": {
            "values": [
                exception(
                    "NullPointerException", value, [*_spring(), _charge("account.plan().round(")],
                    {"type": "HandlerExceptionResolver", "handled": False}, module="java.lang",
                )
            ]
        },
        "request": _request(at, at.random.randint(40_000, 99_999)),
    }  # fmt: skip


def _currency(at: Scene) -> Fields:
    file = "com/example/payments/charge/ChargeService.java"
    value = f"unsupported currency {at.random.choice(('ISK', 'BHD', 'XTS'))}"
    return {
        "transaction": "POST /charges",
        "exception": {
            "values": [
                exception(
                    "IllegalArgumentException", value,
                    [
                        *_spring(),
                        _charge("Currency currency = currencyOf"),
                        _frame(file, "throw new IllegalArgument", "currencyOf"),
                    ],
                    {"type": "HandlerExceptionResolver", "handled": False}, module="java.lang",
                )
            ]
        },
    }  # fmt: skip


STORIES = (
    Story("acquirer does not answer", SERVICE, 7, _no_answer),
    Story("ledger is locked", SERVICE, 2.4, _locked, since_days=4.4, staging=0.02),
    Story("stale account", SERVICE, 3.4, _stale),
    Story("account without plan", SERVICE, 0.7, _no_plan, since_days=1.8, staging=0.0),
    Story("unsupported currency", SERVICE, 1.1, _currency, staging=0.6),
)
