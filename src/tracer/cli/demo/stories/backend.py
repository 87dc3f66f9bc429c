"""Failures of the shop's backend: Python and Django."""

from __future__ import annotations

from tracer.cli.demo.stories.backend_service import (
    SERVICE,
    django,
    frame,
    library,
    query,
    request,
)
from tracer.cli.demo.world import Fields, Scene, Story, exception


def _order(at: Scene) -> int:
    return at.random.randint(40_000, 99_999)


def _gateway_timeout(at: Scene) -> Fields:
    order, total = _order(at), f"{at.random.randint(900, 48_000) / 100:.2f}"
    post = "https://payments.internal:8443/charges"
    return {
        "transaction": "/checkout/confirm",
        "exception": {"values": _gateway_chain(at, order, total)},
        "request": request(
            at, "POST", "/checkout/confirm", query_string=f"step=3&order={order}",
            data={
                "name": at.person.name,
                "country": at.person.country,
                "card_number": "4111 1111 1111 1111",
                "csrfmiddlewaretoken": at.hex(32),
                "terms": "on",
            },
        ),
        "breadcrumbs": [
            at.crumb(9.2, "auth", f"signed in as {at.person.email}", level="info"),
            query(at, 4.9, "SELECT * FROM cart WHERE customer_id = %s"),
            query(at, 4.7, "SELECT * FROM cart_line WHERE cart_id = %s"),
            at.crumb(4.4, "shop.checkout", f"total is {total} EUR", level="info"),
            at.crumb(
                0.2, "httplib", kind="http",
                data={"url": post, "method": "POST", "reason": "timed out"}, level="warning",
            ),
            at.crumb(0.1, "shop.payments", "giving up after 1 try", level="error"),
        ],
    }  # fmt: skip


def _gateway_chain(at: Scene, order: int, total: str) -> list[Fields]:
    card = f"<Card token='tok_{at.hex(12)}' last4='{at.random.randint(1000, 9999)}'>"
    amount, cart = f"Decimal('{total}')", f"<Cart {order}: 3 lines>"
    connect = frame(
        "shop/payments/client.py", "answer = self.http.post(", "charge",
        card=card, amount=amount, reference=order,
        body={"amount": total, "reference": order, "card": f"tok_{at.hex(12)}"},
        headers={"Authorization": f"Bearer sk_live_{at.hex(24)}"},
    )  # fmt: skip
    give_up = frame(
        "shop/payments/client.py", 'raise GatewayUnavailable("payments', "charge",
        card=card, amount=amount, reference=order,
    )  # fmt: skip
    call = frame(
        "shop/checkout/views.py", "receipt = gateway.charge(", "confirm",
        card=card, total=amount, cart=cart,
    )  # fmt: skip
    view = frame(
        "shop/checkout/views.py", 'raise CheckoutError(f"order', "confirm",
        request=f"<WSGIRequest: POST '/checkout/confirm?step=3&order={order}'>",
        cart=cart, total=amount, card=card,
        form="<PaymentForm bound=True, valid=True, fields=(card;name;country;terms)>",
    )  # fmt: skip
    pool = "HTTPSConnectionPool(host='payments.internal', port=8443)"
    requests = [
        library("requests/sessions.py", "post", 637),
        library("requests/adapters.py", "send", 665),
    ]
    return [
        _link(
            "requests.exceptions", "ConnectTimeout",
            f"{pool}: Max retries exceeded with url: /charges (connect timeout=4)",
            [connect, *requests], 2,
        ),
        _link(
            "shop.payments.client", "GatewayUnavailable", "payments did not answer",
            [call, give_up], 1,
        ),
        exception(
            "CheckoutError", f"order {order} could not be paid", [*django(), view],
            {"type": "django", "handled": False, "exception_id": 0},
            module="shop.checkout.errors",
        ),
    ]  # fmt: skip


def _link(module: str, type_: str, value: str, frames: list[Fields], place: int) -> Fields:
    """A cause in a chain of exceptions, `place` steps below the one that was thrown."""
    mechanism = {
        "type": "chained",
        "handled": False,
        "source": "__cause__",
        "exception_id": place,
        "parent_id": place - 1,
    }
    return exception(type_, value, frames, mechanism, module=module)


def _no_zone(at: Scene) -> Fields:
    country = at.random.choice(("IS", "MT", "LI", "CY"))
    shipping = frame(
        "shop/checkout/pricing.py", 'zone = rates[country]["shipping_zone"]', "shipping",
        country=country, goods="Decimal('31.80')",
        rates={country: {"base": "4.90", "per_kilo": "1.10"}, "DE": {"shipping_zone": "EU-1"}},
    )  # fmt: skip
    return {
        "transaction": "/checkout/confirm",
        "exception": {
            "values": [
                exception(
                    "KeyError", "'shipping_zone'",
                    [
                        *django(),
                        frame("shop/checkout/views.py", "total = pricing.total(", "confirm"),
                        frame("shop/checkout/pricing.py", "return goods + shipping(", "total"),
                        shipping,
                    ],
                    {"type": "django", "handled": False},
                )
            ]
        },
        "request": request(at, "POST", "/checkout/confirm", data={"country": country}),
        "tags": {"country": country},
        "breadcrumbs": [query(at, 0.4, "SELECT * FROM shipping_zone WHERE warehouse = %s")],
    }  # fmt: skip


def _coupon(at: Scene) -> Fields:
    code = at.random.choice(("SUMMER10", "WELCOME", "VIP-2025", "summer 10", "xmas"))
    apply = frame(
        "shop/checkout/views.py", "cart.discount = coupon.amount_for", "apply_coupon",
        coupon=None, cart=f"<Cart {_order(at)}: 2 lines>",
    )  # fmt: skip
    return {
        "transaction": "/cart/coupon",
        "exception": {
            "values": [
                exception(
                    "AttributeError", "'NoneType' object has no attribute 'amount_for'",
                    [*django(), apply], {"type": "django", "handled": False},
                )
            ]
        },
        "request": request(at, "POST", "/cart/coupon", data={"code": code}),
        "breadcrumbs": [query(at, 0.1, "SELECT * FROM coupon WHERE code = %s LIMIT 1")],
    }  # fmt: skip


def _no_offer(at: Scene) -> Fields:
    text = at.random.choice(("lamp", "desk l", "chair", "ru", "shel"))
    rank = frame(
        "shop/catalog/search.py", "return (not stock.has(product), offer.price", "rank",
        product=f"<Product {at.random.randint(100, 900)}: Floor lamp>", offer=None,
    )  # fmt: skip
    return {
        "transaction": "/search/suggest",
        "exception": {
            "values": [
                exception(
                    "AttributeError", "'NoneType' object has no attribute 'price'",
                    [
                        *django(),
                        frame(
                            "shop/catalog/search.py", "ranked = sorted(found", "suggest",
                            text=text, limit=8,
                        ),
                        rank,
                    ],
                    {"type": "django", "handled": False},
                )
            ]
        },
        "request": request(at, "GET", "/search/suggest", query_string=[["q", text]]),
    }  # fmt: skip


def _duplicate_order(at: Scene) -> Fields:
    order = _order(at)
    value = (
        'duplicate key value violates unique constraint "orders_order_number_key"\n'
        f"DETAIL:  Key (number)=({order}) already exists.\n"
    )
    create = frame(
        "shop/orders/models.py", "order = self.create(", "create_from",
        number=order, receipt={"id": f"rc_{at.hex(10)}", "api_key": at.hex(24)},
        dsn="postgresql://shop:hunter2@db.internal:5432/shop",
    )  # fmt: skip
    return {
        "transaction": "/checkout/confirm",
        "exception": {
            "values": [
                exception(
                    "UniqueViolation", value,
                    [library("django/db/backends/utils.py", "_execute", 105)],
                    {"type": "chained", "handled": False}, module="psycopg.errors",
                ),
                exception(
                    "IntegrityError", value,
                    [
                        *django(),
                        frame(
                            "shop/checkout/views.py", "order = Order.objects.create_from",
                            "confirm",
                        ),
                        create,
                        library("django/db/models/query.py", "create", 679),
                        library("django/db/utils.py", "__exit__", 91),
                    ],
                    {"type": "django", "handled": False}, module="django.db.utils",
                ),
            ]
        },
        "request": request(at, "POST", "/checkout/confirm"),
    }  # fmt: skip


def _too_many_attempts(at: Scene) -> Fields:
    sign_in = frame(
        "shop/accounts/auth.py", "raise PermissionDenied(", "sign_in",
        email=at.person.email, password=at.hex(12), request="<WSGIRequest: POST '/login'>",
    )  # fmt: skip
    return {
        "level": "warning",
        "transaction": "/login",
        "exception": {
            "values": [
                exception(
                    "PermissionDenied", f"too many attempts for {at.person.email}",
                    [*django(), sign_in], {"type": "generic", "handled": True},
                )
            ]
        },
        "request": request(
            at, "POST", "/login", data={"email": at.person.email, "password": at.hex(10)}
        ),
    }  # fmt: skip


def _low_stock(at: Scene) -> Fields:
    sku = at.random.choice(("LAMP-0042", "DESK-0110", "CHAIR-0007", "RUG-2201"))
    return {
        "level": "warning",
        "logger": "shop.inventory",
        "transaction": "shop.orders.tasks.notify_warehouse",
        "logentry": {
            "message": "Stock of %s fell below %d",
            "params": [sku, 5],
            "formatted": f"Stock of {sku} fell below 5",
        },
        "tags": {"sku": sku},
        "extra": {
            "celery-job": {
                "task_name": "shop.orders.tasks.notify_warehouse",
                "args": [_order(at)],
                "retries": 0,
            }
        },
    }


def _deep_category(at: Scene) -> Fields:
    again = frame(
        "shop/catalog/search.py", "return breadcrumb(category.parent", "breadcrumb",
        category="<Category: Outlet>", path="('Outlet', 'Sale', 'Outlet', 'Sale', …)",
    )  # fmt: skip
    value = "maximum recursion depth exceeded"
    return {
        "transaction": "/category/{slug}",
        "exception": {
            "values": [
                exception(
                    "RecursionError", value, [*django(), *[again] * 60],
                    {"type": "django", "handled": False},
                )
            ]
        },
        "request": request(at, "GET", "/category/outlet"),
    }  # fmt: skip


def _bad_address(at: Scene) -> Fields:
    where = frame(
        "shop/reports/export.py", 'writer.writerow([order.number', "nightly",
        address={"street": "Main Street 1", "city": "Leeds"}, order=f"<Order {_order(at)}>",
        orders="<QuerySet [" + ", ".join(f"<Order {40_000 + n}>" for n in range(180)) + "]>",
    )  # fmt: skip
    return {
        "transaction": "shop.reports.tasks.nightly",
        "user": {},
        "exception": {
            "values": [
                exception(
                    "KeyError", "'postcode'",
                    [library("celery/app/trace.py", "trace_task", 453), where],
                    {"type": "celery", "handled": False},
                )
            ]
        },
        "tags": {"sql": "SELECT " + ", ".join(f"o.column_{n}" for n in range(60))},
        "extra": {"rows": {"written": at.random.randint(40, 900)}, "log": "row written\n" * 200},
    }  # fmt: skip


STORIES = (
    Story(
        "gateway timeout", SERVICE, 9, _gateway_timeout, burst=True,
        said=(
            "I pressed Pay twice and now I do not know whether I was charged.",
            "Payment just spins. Third time today!",
        ),
    ),
    Story("no shipping zone", SERVICE, 5, _no_zone, until_days=6.5, fixed_in="shop-backend@4.11.0"),
    Story("unknown coupon", SERVICE, 12, _coupon),
    Story("product without offer", SERVICE, 6, _no_offer, since_days=7.4),
    Story("duplicate order", SERVICE, 1.6, _duplicate_order, since_days=3.9),
    Story("too many attempts", SERVICE, 3, _too_many_attempts),
    Story("low stock", SERVICE, 5, _low_stock, staging=0.0),
    Story("category loop", SERVICE, 0.5, _deep_category, since_days=9, until_days=5, staging=0.5),
    Story("address without postcode", SERVICE, 0.45, _bad_address),
)  # fmt: skip
