"""A shop that takes orders: into the database where it has one, else into its memory, as careless programs do."""

import base64
import hashlib
import json
import os
import signal
import smtplib
import socket
import ssl
import struct
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

VERSION = "1"
MEMORY = []
KEPT = Path("/var/lib/shop/kept")
WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455


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


def letter(to):
    url = urlsplit(os.environ["SMTP_URL"])
    me = url.username.replace("%40", "@")
    with smtplib.SMTP(url.hostname, url.port, timeout=20) as door:
        door.starttls(context=ssl.create_default_context(cafile="/etc/lab/ca.crt"))
        door.login(me, url.password)
        door.sendmail(me, [to], f"From: {me}\nTo: {to}\nSubject: your order\n\nThanks.\n")


def echo(environ):
    """A WebSocket: each short text comes back with the node's name; ends with the client."""
    door = environ["gunicorn.socket"]
    key = environ["HTTP_SEC_WEBSOCKET_KEY"] + WEBSOCKET
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    door.sendall(f"{upgrade}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())
    door.settimeout(None)
    while len(head := door.recv(2, socket.MSG_WAITALL)) == 2 and head[0] & 15 == 1:
        mask = door.recv(4, socket.MSG_WAITALL)
        sent = door.recv(head[1] & 127, socket.MSG_WAITALL)
        text = bytes(one ^ mask[at % 4] for at, one in enumerate(sent)) + b" by " + socket.gethostname().encode()
        door.sendall(struct.pack("!BB", 0x81, len(text)) + text)
    door.close()
    return []


def facts():
    """What a program sees of where it runs."""
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "node": socket.gethostname(),
        "version": VERSION,
        "note": os.environ.get("NOTE"),
        "user": os.getuid(),
        "folder": os.getcwd(),
        "home": os.environ.get("HOME"),
        "run": sorted(os.listdir("/run")),
        "devices": sorted(os.listdir("/dev")),
        "bounds": status["CapBnd"],
        "privileges": status["NoNewPrivs"],
    }


def page(method, path, body):
    if path == "/healthz":
        return "200 OK", "ok"
    if path == "/orders":
        new = parse_qs(body)["id"][0] if method == "POST" else None
        return ("201 Created", "") if orders(new) and new else ("200 OK", json.dumps(orders()))
    if path == "/broken":
        print("the shop can't say how it is", flush=True)
        return "500 Internal Server Error", "broken"
    if path == "/end":
        os.kill(os.getppid(), signal.SIGTERM)
        return "202 Accepted", ""
    if path == "/letters":
        letter(parse_qs(body)["to"][0])
        return "201 Created", ""
    if path == "/kept":
        if method == "POST":
            KEPT.write_text(body)
        return "200 OK", KEPT.read_text() if KEPT.exists() else ""
    return "200 OK", json.dumps(facts())


def application(environ, start):
    if environ["PATH_INFO"] == "/echo":
        return echo(environ)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode()
    status, text = page(environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(text)))])
    return [text.encode()]
