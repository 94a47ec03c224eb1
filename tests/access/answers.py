"""An answer as one text, and whether two answers tell the same."""

import re
from typing import Any

_UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENTS = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)?|\b\d\d:\d\d\b")
_CSRF = re.compile(r"[0-9A-Za-z]{64}")
_SECRETS = re.compile(r"whsec_[0-9A-Za-z+/]+=*")
# What is new in each answer.
_HEADERS = re.compile(
    r"\n(Date|Expires|Last-Modified|X-Request-ID|ETag|Vary|csrftoken|sessionid|messages): [^\n]*", re.I
)


def told(answer: Any) -> str:
    """Status, headers, cookies and body; nothing may break."""
    assert answer.status_code != 500
    headers = "\n".join(f"{name}: {value}" for name, value in [*answer.headers.items(), *answer.cookies.items()])
    return f"{answer.status_code}\n{headers}\n{answer.getvalue().decode('utf-8', 'replace')}"


def alike(text: str) -> str:
    """`text` without what differs from one answer to the next by right: ids that were asked for or made, and times."""
    text = _SECRETS.sub("SECRET", text)
    return _CSRF.sub("TOKEN", _MOMENTS.sub("TIME", _UUIDS.sub("ID", _HEADERS.sub("", text))))
