"""A shop that takes orders: into the database where it has one, else into its memory, as careless programs do."""

import json
import os
import socket
from urllib.parse import parse_qs, urlsplit

VERSION = "1"
MEMORY = []


def database():
    import pymysql

    url = urlsplit(os.environ["DATABASE_URL"])
    given = {"user": url.username, "password": url.password, "database": url.path[1:], "autocommit": True}
    return pymysql.connect(
        host=url.hostname, port=url.port, ssl={"ca": os.environ["DATABASE_CA"]}, connect_timeout=3, **given
    )


def orders(new=None):
    if "DATABASE_URL" not in os.environ:
        MEMORY.extend([new] if new else [])
        return list(MEMORY)
    with database() as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS orders (id VARCHAR(80) PRIMARY KEY)")
        if new:
            cursor.execute("INSERT INTO orders VALUES (%s)", (new,))
        cursor.execute("SELECT id FROM orders")
        return [row[0] for row in cursor.fetchall()]


def page(method, path, body):
    if path == "/healthz":
        return "200 OK", "ok"
    if path == "/orders":
        new = parse_qs(body)["id"][0] if method == "POST" else None
        return ("201 Created", "") if orders(new) and new else ("200 OK", json.dumps(orders()))
    if path == "/broken":
        print("the shop can't say how it is", flush=True)
        return "500 Internal Server Error", "broken"
    known = {"node": socket.gethostname(), "version": VERSION, "note": os.environ.get("NOTE"), "user": os.getuid()}
    return "200 OK", json.dumps(known)


def application(environ, start):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    status, text = page(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text.encode()]
