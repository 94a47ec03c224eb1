"""The whole product as a server runs it, with a canary of each sort sent through every process, and what it said."""

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.stack import Stack, wait_for

PROCESSES = ("web", "live", "worker", "beat", "pump")

# Each is found as it stands, wherever it turns up.
EVOLUTION_KEY = "canary-evolution-key-7d1f"
HEADER_SECRET = "canary-header-secret-0b9e-0123456789ab"
GLOBAL_SECRET = "canary-global-secret-55aa"
PASSWORD = "canary-password-4c1d"
WRONG_PASSWORD = "canary-wrong-password-93be"
WRONG_TOKEN = "crm_canary-wrong-token-e07a"
WRONG_SECRET = "canary-guessed-secret-61c4"
LINK_TOKEN = "canary-link-token-aa31"
STAFF = "staff@example.com"

TEXT = "canary-text-20f6"
NAME = "Canária 20f6"
# As WhatsApp has it, as people write it, and within any of these.
PHONE, PHONE_WRITTEN = "5511955550142", "95555-0142"
# A number that is not on WhatsApp: the gateway says so with the number in it.
NOBODY = "5511955550143"
# Rows with this in them are refused by the database, which quotes them.
POISON = f"veneno {TEXT}"


@dataclass
class Heard:
    """What came out. `secrets` nobody may see anywhere, `contents` only the unit's own people and staff."""

    secrets: dict[str, str] = field(default_factory=dict)
    contents: dict[str, str] = field(
        default_factory=lambda: {
            "text": TEXT,
            "name": NAME,
            "phone": PHONE,
            "written phone": PHONE_WRITTEN,
            "no phone": NOBODY,
        }
    )
    logs: dict[str, str] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    admin: dict[str, str] = field(default_factory=dict)
    strangers: dict[str, str] = field(default_factory=dict)
    # What clients that send a body byte by byte were answered, by whose secret they had.
    drips: dict[str, list[str]] = field(default_factory=dict)


def production(directory: Path) -> Stack:
    """A stack with DEBUG off; to be entered."""
    stack = Stack(
        directory,
        DEBUG="false",
        HTTPS="false",
        LOG_JSON="true",
        STATIC_ROOT=str(directory / "static"),
        EVOLUTION_API_KEY=EVOLUTION_KEY,
        SANDBOX_API_KEY=EVOLUTION_KEY,
        EVOLUTION_WEBHOOK_HEADER_SECRETS=HEADER_SECRET,
        EVOLUTION_GLOBAL_WEBHOOK_SECRET=GLOBAL_SECRET,
        EVOLUTION_SEND_TIMEOUT="2",
        EVOLUTION_CONNECT_TIMEOUT="1",
        SEND_GRACE_SECONDS="1",
        DJANGO_SUPERUSER_EMAIL=STAFF,
        DJANGO_SUPERUSER_PASSWORD=PASSWORD,
    )
    stack.sandbox.api_key = EVOLUTION_KEY
    stack.manage("collectstatic", "--noinput", "-v0")
    return stack


def everything(stack: Stack) -> Heard:
    """Do all that people, programs, the gateway and strangers do; first as it should be, then with things broken."""
    heard = Heard()
    stack.manage("createsuperuser", "--noinput")
    person, staff = _client(stack.url), _client(stack.url)
    _set_up(stack, heard)
    _log_in(person, "/app/login", stack.email, stack.password)
    _log_in(staff, "/admin/login/?next=/admin/", STAFF, PASSWORD)
    for name, client in (("person", person), ("staff", staff)):
        heard.secrets |= {f"{name}'s {cookie}": value for cookie, value in client.cookies.items() if len(value) > 20}
    _talk(stack)
    _look_around(stack, person, heard)
    _walk_the_admin(staff, heard)
    _strangers(stack, heard)
    _drip(stack, heard)
    _refused_rows(stack, heard)
    _missing_tables(stack, person, staff, heard)
    _no_signs_of_life(stack)
    return heard


def _client(url: str, **headers: str) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=30, follow_redirects=True, headers=headers)


def _log_in(client: httpx.Client, path: str, email: str, password: str) -> None:
    """With a wrong password first."""
    for tried in (WRONG_PASSWORD, password):
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get(path).text)
        assert found
        form = {"csrfmiddlewaretoken": found[1], "username": email, "password": tried, "next": "/admin/"}
        client.post(path, data=form, headers={"Referer": str(client.base_url)})
    assert "sessionid" in client.cookies


def _set_up(stack: Stack, heard: Heard) -> None:
    stack.connect()
    gateway = stack.sandbox
    hook = gateway.evolution("GET", f"/webhook/find/{stack.instance}").json()["url"]
    (instance,) = gateway.evolution("GET", "/instance/fetchInstances").json()
    heard.secrets |= {
        "webhook secret": hook.rpartition("/")[2],
        "header secret": HEADER_SECRET,
        "global webhook secret": GLOBAL_SECRET,
        "guessed webhook secret": WRONG_SECRET,
        "Evolution key": EVOLUTION_KEY,
        "instance apikey": instance["token"],
        "token": stack.token,
        "wrong token": WRONG_TOKEN,
        "password": PASSWORD,
        "person's password": stack.password,
        "wrong password": WRONG_PASSWORD,
        "password link": LINK_TOKEN,
        "SECRET_KEY": stack.environment["SECRET_KEY"],
        "ENCRYPTION_KEYS": stack.environment["ENCRYPTION_KEYS"],
    }


def _talk(stack: Stack) -> None:
    gateway, instance = stack.sandbox, stack.instance
    gateway.inbound(instance, PHONE, TEXT, NAME)
    wait_for(lambda: stack.sql("SELECT 1 FROM messages WHERE body = %s", TEXT), what="the message")
    reply = stack.post("/whatsapp/messages", {"phone": f"+{PHONE}", "text": f"{TEXT} resposta"})
    wait_for(lambda: stack.message(reply["id"])["status"] == "sent", what="the reply")
    gateway.fail(instance, "not_on_whatsapp")
    refused = stack.post("/whatsapp/messages", {"phone": f"+{NOBODY}", "text": f"{TEXT} a ninguém"})
    wait_for(lambda: stack.message(refused["id"])["status"] == "failed", what="the refusal")
    stack.campaign([f"+{PHONE}"], content=f"{TEXT} campanha")


def _look_around(stack: Stack, person: httpx.Client, heard: Heard) -> None:
    unit = stack.unit
    for path in ("", "/contacts", "/campaigns", "/number", f"/contacts?q={PHONE}", f"/?q={TEXT}"):
        heard.pages[path] = person.get(f"/app/u/{unit}{path}").text
    person.get(f"/app/password/Mg/{LINK_TOKEN}")
    person.post("/app/password", data={"email": STAFF})
    wrong = _client(stack.url, Authorization=f"Bearer {WRONG_TOKEN}")
    heard.errors["401"] = wrong.get(f"/units/{unit}/contacts").text
    heard.errors["404 page"] = person.get(f"/app/u/{unit}/nothing?q={TEXT}").text
    heard.errors["404 of the API"] = stack.api("GET", f"/nothing?secret={WRONG_SECRET}").text
    heard.errors["400"] = stack.api("POST", "/whatsapp/messages", {"phone": "12", "text": TEXT}).text
    secret = heard.secrets["webhook secret"]
    with _client(stack.url) as gateway:
        hook, right = "/webhooks/whatsapp/evolution/", {"X-Webhook-Secret": HEADER_SECRET}
        body = {"event": "messages.upsert", "apikey": heard.secrets["instance apikey"], "text": TEXT}
        heard.errors["wrong secret"] = gateway.post(hook + WRONG_SECRET, json=body, headers=right).text
        heard.errors["without the header"] = gateway.post(hook + secret, json=body).text
        assert gateway.post(hook + secret, json=body, headers=right).status_code == 200
        broken = f'{{"apikey": "{heard.secrets["instance apikey"]}", "text": "{TEXT}'
        assert gateway.post(f"{hook}{secret}/messages-upsert", content=broken, headers=right).status_code == 200
        assert gateway.post(hook + GLOBAL_SECRET, json=body).status_code == 200
    with _listening(stack) as answer:
        stack.sandbox.inbound(stack.instance, PHONE, f"{TEXT} ao vivo", NAME)
        next(line for line in answer.iter_lines() if line.startswith("event: message"))


@contextmanager
def _listening(stack: Stack, token: str | None = None) -> Iterator[httpx.Response]:
    with (
        _client(stack.live_url, Authorization=f"Bearer {token or stack.token}") as program,
        program.stream("GET", f"/units/{stack.unit}/events") as answer,
    ):
        yield answer


def _walk_the_admin(staff: httpx.Client, heard: Heard) -> None:
    """Each list, and the first of each."""
    index = staff.get("/admin/").text
    for path in sorted(set(re.findall(r'href="(/admin/[a-z]+/[a-z]+/)"', index))):
        heard.admin[path] = staff.get(path).text
        if first := re.search(rf'href="({path}[^/"]+/change/)', heard.admin[path]):
            heard.admin[first[1]] = staff.get(first[1]).text
    assert len(heard.admin) > 20


def _strangers(stack: Stack, heard: Heard) -> None:
    """Somebody with a unit of his own asks for everything of ours, and of his."""
    made = stack.manage(
        "shell",
        "-c",
        "from units.models import ApiToken, User; from units.services import create_unit;"
        "user = User.objects.create_user('saulo@example.com');"
        "unit = create_unit('Outra', owner=user); print('MADE', unit.id, ApiToken.mint(user, 'x')[1])",
    )
    found = re.search(r"MADE (\S+) (\S+)", made)
    assert found
    unit, token = found.groups()
    heard.secrets["stranger's token"] = token
    stranger = _client(stack.url, Authorization=f"Bearer {token}")
    for path in ("", "/contacts", "/conversations", "/campaigns", "/changes?after=0", "/whatsapp/status"):
        for whose in (stack.unit, unit):
            heard.strangers[f"{whose}{path}"] = stranger.get(f"/units/{whose}{path}").text
    with _listening(stack, token) as answer:
        heard.strangers["live"] = answer.read().decode()


def _drip(stack: Stack, heard: Heard) -> None:
    """More clients than the web process has threads begin a body and never end it."""
    address = httpx.URL(stack.url)
    for whose, secret, count in (("a stranger", WRONG_SECRET, 20), ("the gateway", heard.secrets["webhook secret"], 3)):
        clients = [socket.create_connection((address.host, address.port), timeout=10) for _ in range(count)]
        for client in clients:
            head = f"POST /webhooks/whatsapp/evolution/{secret} HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n"
            head += f"X-Webhook-Secret: {HEADER_SECRET}\r\nContent-Length: 60\r\n\r\n"
            client.sendall(head.encode() + b"{")
        if whose == "a stranger":
            heard.drips[whose] = [client.recv(100).decode().partition("\r\n")[0] for client in clients]
        else:
            heard.drips[whose] = [str(httpx.get(f"{stack.url}/healthz", trust_env=False).status_code)]
        for client in clients:
            client.close()


def _refused_rows(stack: Stack, heard: Heard) -> None:
    """The database refuses a message and quotes it: to the worker, to the pump, and to the web process."""
    stack.sql("ALTER TABLE messages ADD CONSTRAINT poison CHECK (body NOT LIKE 'veneno%%') NOT VALID")
    try:
        stack.sandbox.inbound(stack.instance, PHONE, POISON, NAME, id="POISON1")
        _wait_for_failure(stack, "POISON1")
        heard.errors["500 of the API"] = stack.api(
            "POST", "/whatsapp/messages", {"phone": f"+{PHONE}", "text": POISON}
        ).text
        with _frozen(stack, "worker"):
            stack.sandbox.inbound(stack.instance, PHONE, POISON, NAME, id="POISON2")
            _wait_for_failure(stack, "POISON2")
    finally:
        stack.sql("ALTER TABLE messages DROP CONSTRAINT poison")


def _wait_for_failure(stack: Stack, message: str) -> None:
    failed = "SELECT 1 FROM webhook_events WHERE failures > 0 AND body LIKE %s"
    wait_for(lambda: stack.sql(failed, f"%{message}%"), seconds=60, what=f"the failure of {message}")


@contextmanager
def _frozen(stack: Stack, process: str) -> Iterator[None]:
    """Stopped, with no transaction open: others can do its work."""
    pid = stack.supervisor.pid(process)
    assert pid
    while True:
        os.kill(pid, signal.SIGSTOP)
        open_ones = (
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        if not stack.sql(open_ones):
            break
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.05)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _missing_tables(stack: Stack, person: httpx.Client, staff: httpx.Client, heard: Heard) -> None:
    unit = stack.unit
    with _without(stack, "contacts"):
        heard.errors["500 page"] = person.get(f"/app/u/{unit}/contacts?q={PHONE}").text
        heard.errors["500 of a list"] = stack.api("GET", f"/contacts?search={PHONE}").text
        heard.errors["500 of the admin"] = staff.get(f"/admin/messaging/contact/?q={PHONE}").text
    with _without(stack, "webhook_events"), _client(stack.url) as gateway:
        answer = gateway.post(
            f"/webhooks/whatsapp/evolution/{heard.secrets['webhook secret']}",
            json={"text": TEXT, "apikey": heard.secrets["instance apikey"]},
            headers={"X-Webhook-Secret": HEADER_SECRET},
        )
        assert answer.status_code == 503
        _wait_for_exceptions(stack, "worker", "pump")
    with _without(stack, "users"):
        _fails_to_log_in(_client(stack.url), heard)
        heard.errors["500 of live events"] = (
            _client(stack.live_url, Authorization=f"Bearer {stack.token}").get(f"/units/{unit}/events").text
        )


def _fails_to_log_in(client: httpx.Client, heard: Heard) -> None:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', client.get("/app/login").text)
    assert found
    form = {"csrfmiddlewaretoken": found[1], "username": STAFF, "password": PASSWORD}
    heard.errors["500 of the login"] = client.post(
        "/app/login", data=form, headers={"Referer": str(client.base_url)}
    ).text


@contextmanager
def _without(stack: Stack, table: str) -> Iterator[None]:
    stack.sql(f"ALTER TABLE {table} RENAME TO elsewhere")
    try:
        yield
    finally:
        stack.sql(f"ALTER TABLE elsewhere RENAME TO {table}")


def _no_signs_of_life(stack: Stack) -> None:
    """Beat has nothing to do with tables: the directory for its sign of life is a file."""
    directory = Path(stack.environment["HEARTBEAT_DIR"])
    aside = directory.with_name("aside")
    directory.rename(aside)
    directory.touch()
    try:
        _wait_for_exceptions(stack, "beat")
    finally:
        directory.unlink()
        aside.rename(directory)


def _wait_for_exceptions(stack: Stack, *processes: str) -> None:
    for process in processes:
        wait_for(lambda name=process: "Traceback" in stack.supervisor.log(name), seconds=30, what=process)  # type: ignore[misc]
