"""`make demo`: what the product is for, walked through every real process: a line for each point, and exit 0 or 1.

The web process, the worker, beat, the pump, PostgreSQL and Valkey are what `make run` starts; WhatsApp is the sandbox.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.stack import Stack, wait_for  # noqa: E402 - after the path is set

MARIA = "+5511977776666"
CAMPAIGN = ["+5511955550001", "+5511955550002", "+5511955550003"]


def qr_code_appears(stack: Stack) -> str:
    code = stack.post("/whatsapp/connect")["qr_code"]
    assert code.startswith("data:image/png;base64,"), "the answer has no QR code"
    assert stack.get("/whatsapp/status")["qr_code"], "the status has no QR code"
    return f"a PNG of {len(code) * 3 // 4:,} bytes"


def status_becomes_conectado(stack: Stack) -> str:
    stack.sandbox.scan(stack.instance, number="5511900000142", profile_name="Ótica Aurora")
    status = wait_for(
        lambda: found if (found := stack.get("/whatsapp/status"))["status"] == "connected" else None,
        what="the connection",
    )
    assert status["status_label"] == "Conectado", status["status_label"]
    return f"“{status['status_label']}”, {status['phone_number']}"


def inbound_message_appears(stack: Stack) -> str:
    stack.sandbox.inbound(stack.instance, MARIA, "Vocês abrem no sábado?", "Maria")
    rows = wait_for(
        lambda: [r for r in stack.get("/conversations")["results"] if r["contact"]["phone"] == MARIA],
        what="the conversation",
    )
    (message,) = stack.get(f"/conversations/{rows[0]['id']}/messages")["results"]
    return f"{rows[0]['contact']['name']}: “{message['body']}”"


def outbound_message_is_delivered(stack: Stack) -> str:
    text = "Abrimos sim, das 9h às 13h."
    queued = stack.post("/whatsapp/messages", {"phone": MARIA, "text": text})
    on_phone = wait_for(lambda: stack.sent(text), what="the message on the phone")
    stack.sandbox.receipt(stack.instance, on_phone[0]["id"], "DELIVERY_ACK")
    wait_for(lambda: stack.message(queued["id"])["status"] == "delivered", what="the receipt")
    assert len(stack.sent(text)) == 1, "it was sent twice"
    return stack.message(queued["id"])["status_label"]


def campaign_reaches_three(stack: Stack) -> str:
    campaign = stack.campaign(CAMPAIGN)
    wait_for(lambda: stack.get(f"/campaigns/{campaign}")["status"] == "completed", seconds=60, what="its end")
    sent = [message for message in stack.sent() if f"+{message['to'].partition('@')[0]}" in CAMPAIGN]
    assert len(sent) == len({message["to"] for message in sent}) == 3, f"{len(sent)} messages on the wire"
    gaps = [later["at"] - earlier["at"] for earlier, later in pairwise(sent)]
    assert min(gaps) >= 2.0, f"only {min(gaps):.3f} s apart"
    return "gaps of " + " and ".join(f"{gap:.2f} s" for gap in gaps)


def curl_commands_pass(stack: Stack) -> str:
    commands = readme_commands()
    environment = os.environ | {"CRM": stack.url, "TOKEN": stack.token, "UNIT": stack.unit}
    for command in commands:
        done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return f"{len(commands)} commands"


def readme_commands() -> list[str]:
    """The curl commands of README.md, continued lines joined."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line for line in lines if line.startswith("curl ")]
    assert commands, "README.md has no curl command"
    return commands


CHECKLIST: list[tuple[str, Callable[[Stack], str]]] = [
    ("QR code appears", qr_code_appears),
    ("Status becomes “Conectado” upon the scan", status_becomes_conectado),
    ("Inbound message appears in the chat", inbound_message_appears),
    ("Outbound message is delivered to the phone", outbound_message_is_delivered),
    ("Campaign sends to 3 recipients, at least 2 s apart", campaign_reaches_three),
    ("curl commands of the README pass", curl_commands_pass),
]


def main() -> int:
    """Walk the checklist; the exit status."""
    with tempfile.TemporaryDirectory(prefix="crm-demo-") as directory, Stack(Path(directory)) as stack:
        for point, check in CHECKLIST:
            started = time.monotonic()
            try:
                found = check(stack)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is the reason for the 1
                print(f"✗ {point}: {error}")
                if not isinstance(error, AssertionError):
                    traceback.print_exc()
                return 1
            print(f"✓ {point}: {found}  ({time.monotonic() - started:.1f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
