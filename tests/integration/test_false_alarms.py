"""A shop and a customer file with rows in them: what a DBA wants to see, and what would make one laugh."""

from __future__ import annotations

import psycopg
import pytest

from vaccine.audit.finding import Priority
from vaccine.audit.run import Audit, AuditSettings, run_audit

SHOP = """
CREATE TABLE customers (id bigserial PRIMARY KEY, email text NOT NULL, name text, phone text, deleted_at timestamptz);
CREATE TABLE products (id bigserial PRIMARY KEY, sku text NOT NULL, name text NOT NULL, barcode text, category_id int);
CREATE TABLE orders (id bigserial PRIMARY KEY, order_number text NOT NULL, customer_id bigint REFERENCES customers,
                     status text NOT NULL, external_ref text, created_at timestamptz DEFAULT now());
CREATE TABLE order_items (id bigserial PRIMARY KEY, order_id bigint REFERENCES orders,
                          product_id bigint REFERENCES products, quantity int);
CREATE TABLE payments (id bigserial PRIMARY KEY, order_id bigint REFERENCES orders, idempotency_key text);
CREATE TABLE likes (id bigserial PRIMARY KEY, product_id bigint REFERENCES products,
                    customer_id bigint REFERENCES customers);
CREATE TABLE coupons (id bigserial PRIMARY KEY, code text NOT NULL, discount int, valid_to date NOT NULL);
CREATE TABLE subscribers (id bigserial PRIMARY KEY, email text, unsubscribed_at timestamptz);
CREATE TABLE companies (id bigserial PRIMARY KEY, vat_number text NOT NULL, domain text NOT NULL);
INSERT INTO customers (email, name, phone)
SELECT 'user' || n || '@x.com', 'User ' || n % 2900, CASE WHEN n % 7 = 0 THEN '' ELSE '+1555' || n END
  FROM generate_series(1, 3000) n;
INSERT INTO customers (email, name) SELECT 'USER' || n || '@x.com', 'Other ' || n FROM generate_series(1, 25) n;
INSERT INTO products (sku, name, barcode, category_id)
SELECT 'SKU-' || n, 'Product ' || n % 900, CASE WHEN n % 5 = 0 THEN 'N/A' ELSE (4000000 + n)::text END, n % 30
  FROM generate_series(1, 1000) n;
INSERT INTO orders (order_number, customer_id, status, external_ref)
SELECT 'ORD-' || n, n % 3000 + 1, (ARRAY['pending', 'paid', 'shipped', 'cancelled'])[n % 4 + 1], 'ext' || n
  FROM generate_series(1, 4000) n;
INSERT INTO orders (order_number, customer_id, status)
SELECT 'ORD-' || n, n % 3000 + 1, 'cancelled' FROM generate_series(1, 40) n;
INSERT INTO order_items (order_id, product_id) SELECT n % 4000 + 1, n % 1000 + 1 FROM generate_series(1, 9000) n;
INSERT INTO payments (order_id, idempotency_key) SELECT n % 3900 + 1, md5(n::text) FROM generate_series(1, 4000) n;
INSERT INTO payments (order_id, idempotency_key) SELECT n, md5(n::text) FROM generate_series(1, 3) n;
INSERT INTO likes (product_id, customer_id) SELECT n % 1000 + 1, n * 7 % 3000 + 1 FROM generate_series(1, 2990) n;
INSERT INTO likes (product_id, customer_id) SELECT n % 1000 + 1, n * 7 % 3000 + 1 FROM generate_series(1, 12) n;
INSERT INTO coupons (code, discount, valid_to) SELECT 'SAVE' || n, n, '2026-01-01' FROM generate_series(1, 150) n;
INSERT INTO coupons (code, discount, valid_to) SELECT 'SAVE' || n, n, '2026-01-01' FROM generate_series(1, 4) n;
INSERT INTO subscribers (email) SELECT 's' || n || '@b.com' FROM generate_series(1, 2000) n;
INSERT INTO subscribers (email, unsubscribed_at) SELECT 's' || n || '@b.com', now() FROM generate_series(1, 200) n;
INSERT INTO subscribers (email) SELECT 's' || n || '@b.com' FROM generate_series(1, 4) n;
INSERT INTO companies (vat_number, domain) SELECT CASE WHEN n % 4 = 0 THEN '' ELSE 'VAT' || n END, 'c' || n || '.com'
  FROM generate_series(1, 1200) n;
INSERT INTO companies (vat_number, domain) VALUES ('VAT1', 'd.com'), ('VAT2', 'e.com');
ANALYZE;
"""


@pytest.fixture
def shop(connection: psycopg.Connection) -> Audit:
    connection.execute(SHOP)
    connection.execute("SELECT pg_stat_force_next_flush()")
    return run_audit(connection, AuditSettings())


def _keys(audit: Audit, *priorities: Priority) -> set[str]:
    found = (finding for finding in audit.findings if finding.priority in priorities)
    return {f"{finding.table}.{','.join(finding.columns)}" for finding in found}


def test_damage_is_on_top_and_nothing_else_is(shop: Audit) -> None:
    assert _keys(shop, Priority.HIGH) == {
        "payments.idempotency_key",
        "likes.product_id,customer_id",
        "coupons.code",
        "subscribers.email",
        "companies.vat_number",
    }


def test_keys_without_damage_are_told_once(shop: Audit) -> None:
    assert _keys(shop, Priority.MEDIUM, Priority.LOW) == {
        "customers.email",
        "products.sku",
        "products.barcode",
        "orders.order_number",
        "orders.external_ref",
        "companies.domain",
    }


def test_the_reasons_say_what_is_odd(shop: Audit) -> None:
    by_key = {(finding.table, finding.columns[0]): finding for finding in shop.findings if finding.columns}
    email = by_key["customers", "email"]
    assert "50 values of email equal another but for case or blanks" in email.reasons
    barcode = by_key["products", "barcode"]
    assert "200 rows have barcode = 'N/A', which stands for no value: make it NULL first" in barcode.reasons
    number = by_key["orders", "order_number"]
    assert number.lifecycle is not None
    assert number.lifecycle.predicate == "status <> 'cancelled'"  # paid and shipped are live too
    assert number.reasons[0].endswith("no duplicate yet in 3,000 live rows")
    coupon = by_key["coupons", "code"]
    assert coupon.lifecycle is not None
    assert coupon.lifecycle.predicate is None  # valid_to is a plan here: every row has one
    vat = by_key["companies", "vat_number"]
    assert vat.reasons[0].startswith("2 live duplicate groups, 2 rows too many")
    assert vat.live_duplicate_groups == 3  # the rows with an empty string are a group to an index
