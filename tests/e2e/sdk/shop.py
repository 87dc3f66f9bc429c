"""A shop that fails, with sentry-sdk. What to do comes as JSON; ids of the events go out."""

from __future__ import annotations

import json
import sys
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d4944415478da63fccf"
    "c0f01f0005050102a2d3a5b50000000049454e44ae426082"
)


class OutOfStock(Exception):
    pass


class CheckoutFailed(Exception):
    pass


def reserve(article: str, wanted: int) -> None:
    shelf = {"tea": 2, "cups": 0}
    if shelf[article] < wanted:
        raise OutOfStock(f"only {shelf[article]} of {article} left")


def checkout(article: str, password: str) -> None:
    customer = {"name": "Ada", "password": password}
    try:
        reserve(article, wanted=3)
    except OutOfStock as cause:
        raise CheckoutFailed(f"order of {customer['name']} failed") from cause


def chained(password: str) -> list[str | None]:
    """Everything that an SDK can say about one error."""
    sentry_sdk.set_user({"id": "42", "email": "ada@example.com", "username": "ada"})
    sentry_sdk.set_tag("customer_tier", "gold")
    sentry_sdk.set_context("cart", {"articles": 3, "currency": "EUR"})
    scope = sentry_sdk.get_current_scope()
    scope.add_attachment(bytes=b"a,b\n1,2\n", filename="order.csv", content_type="text/csv")
    scope.add_attachment(bytes=PNG, filename="screen.png", content_type="image/png")
    sentry_sdk.add_breadcrumb(category="cart", message="added tea to the cart", level="info")
    sentry_sdk.add_breadcrumb(category="query", message="SELECT * FROM shelf", type="query")
    try:
        checkout("tea", password)
    except CheckoutFailed:
        return [sentry_sdk.capture_exception()]
    return []


def repeated(times: int) -> list[str | None]:
    """One bug, each time with another number in its message."""
    ids = []
    for order in range(times):
        try:
            reserve("cups", wanted=order + 100)
        except OutOfStock:
            ids.append(sentry_sdk.capture_exception())
    return ids


def other() -> list[str | None]:
    try:
        return [str(1 // 0)]
    except ZeroDivisionError:
        return [sentry_sdk.capture_exception()]


def message() -> list[str | None]:
    return [sentry_sdk.capture_message("the stock is low", level="warning")]


def feedback(event_id: str) -> list[str | None]:
    """Both shapes of what a user writes: the current one and the older user report."""
    about = {
        "message": "I wanted three teas",
        "contact_email": "ada@example.com",
        "name": "Ada",
        "associated_event_id": event_id,
    }
    new = {"type": "feedback", "level": "info", "contexts": {"feedback": about}}
    old = {"event_id": event_id, "name": "Bob", "email": "bob@example.com", "comments": "Me too"}
    for kind, body in (("feedback", new), ("user_report", old)):
        envelope = Envelope()
        envelope.add_item(Item(payload=PayloadRef(json=body), type=kind))
        sentry_sdk.get_client().transport.capture_envelope(envelope)
    return []


def not_kept() -> list[str | None]:
    """What is recognised and not stored: a transaction with a span."""
    with sentry_sdk.start_transaction(name="pay", op="task"), sentry_sdk.start_span(op="db"):
        pass
    return []


def limited() -> list[str | None]:
    """Three errors, each on its way before the next, then a transaction."""
    for number in range(3):
        sentry_sdk.capture_message(f"number {number}")
        sentry_sdk.flush(10)
    return not_kept()


SCENARIOS = {
    function.__name__: function
    for function in (chained, repeated, other, message, feedback, not_kept, limited)
}


def main(request: dict[str, Any]) -> None:
    sentry_sdk.init(
        request["dsn"],
        release="shop@1.4.0",
        environment="testing",
        server_name="till-7",
        traces_sample_rate=1.0,
        in_app_include=["__main__"],
        **request["options"],
    )
    ids = SCENARIOS[request["scenario"]](**request["arguments"])
    sentry_sdk.flush(10)
    print(json.dumps(ids))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
