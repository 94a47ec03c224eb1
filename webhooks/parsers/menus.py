"""Messages made of parts: menus, polls, orders, cards, and the answers to them, put into words."""

import re
from dataclasses import dataclass, field

from webhooks.parsers.values import (
    NAME_MAX,
    JSONObject,
    clean,
    compact,
    first,
    identifier,
    integer,
    items,
    lines,
    loads,
    mapping,
    text,
)

# A parameter object of a button; the longest real ones (payment requests) are some 2 kB.
_JSON_MAX = 20_000
# Options, cards and votes of one message: WhatsApp allows some dozens; messages made to crash phones bring thousands.
PARTS_MAX = 256
# A SHA-256 in base64: what Baileys has for an option before it is matched with the poll's names.
_HASH = re.compile(r"[A-Za-z0-9+/]{43}=")
_WAID = re.compile(r"waid=(\d{5,20})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What a person would read, and the parts it was made of."""

    text: str | None
    details: dict[str, object] = field(default_factory=dict)


def _words(value: object) -> str | None:
    """A text, or the text in an object such as `{"text": "…"}` or `{"displayText": "…"}`."""
    if isinstance(value, dict):
        return text(first(value, ("text", "displayText", "display_text", "title", "name")))
    return text(value)


def _menu(*parts: str | None, options: list[dict[str, object]]) -> Wording:
    bullets = (f"• {option['title']}" for option in options if "title" in option)
    return Wording(text=lines(*parts, *bullets), details={"options": options} if options else {})


def _parameters(value: object) -> JSONObject:
    """An object that came as a JSON string."""
    if not isinstance(value, str) or len(value) > _JSON_MAX:
        return mapping(value)
    try:
        return mapping(loads(value))
    except (ValueError, RecursionError):
        return {}


def read_buttons(value: JSONObject) -> Wording:
    options = []
    for button in map(mapping, items(value.get("buttons"))[:PARTS_MAX]):
        shown = _words(first(button, ("buttonText", "displayText", "text", "title")))
        options.append(compact(id=identifier(first(button, ("buttonId", "buttonID", "id"))), title=shown))
    return _menu(
        _words(first(value, ("headerText", "text", "title"))),
        _words(first(value, ("contentText", "description"))),
        _words(value.get("footerText")),
        options=options,
    )


def read_list(value: JSONObject) -> Wording:
    options: list[dict[str, object]] = []
    for section in map(mapping, items(value.get("sections"))[:PARTS_MAX]):
        for row in map(mapping, items(section.get("rows"))[: PARTS_MAX - len(options)]):
            row_id = identifier(first(row, ("rowId", "rowID", "id")))
            options.append(compact(id=row_id, title=text(row.get("title")), description=text(row.get("description"))))
    return _menu(
        text(value.get("title")),
        text(value.get("description")),
        text(value.get("footerText")),
        options=options,
    )


def read_template(value: JSONObject) -> Wording:
    names = ("hydratedTemplate", "hydratedFourRowTemplate", "fourRowTemplate", "Format", "hydratedHsm")
    body = mapping(first(value, names)) or value
    body = mapping(first(body, names)) or body
    if flow := mapping(value.get("interactiveMessageTemplate")):
        return read_interactive(flow)
    options = []
    for button in map(mapping, items(first(body, ("hydratedButtons", "buttons")))[:PARTS_MAX]):
        inner = mapping(first(button, ("quickReplyButton", "urlButton", "callButton", "HydratedButton")))
        shown = _words(inner.get("displayText")) if inner else _words(button)
        options.append(compact(id=identifier(inner.get("id")), title=shown))
    return _menu(
        _words(first(body, ("hydratedTitleText", "title", "elementName"))),
        _words(first(body, ("hydratedContentText", "contentText", "content", "text"))),
        _words(first(body, ("hydratedFooterText", "footer"))),
        options=options,
    )


def read_interactive(value: JSONObject) -> Wording:
    header = mapping(value.get("header"))
    flow = mapping(value.get("nativeFlowMessage"))
    options = []
    for button in map(mapping, items(flow.get("buttons"))[:PARTS_MAX]):
        params = _parameters(button.get("buttonParamsJson"))
        chosen = compact(id=identifier(params.get("id")), title=_words(params.get("display_text")))
        options.append(chosen or compact(id=identifier(button.get("name"))))
    cards = items(mapping(value.get("carouselMessage")).get("cards"))[:PARTS_MAX]
    on_cards = (
        lines(text(mapping(card.get("header")).get("title")), _words(card.get("body"))) for card in map(mapping, cards)
    )
    return _menu(
        text(header.get("title")),
        text(header.get("subtitle")),
        _words(value.get("body")),
        *on_cards,
        _words(value.get("footer")),
        options=[option for option in options if option],
    )


def read_reply(value: JSONObject) -> Wording:
    """A chosen button or row: its label, or its id when that is all there is."""
    response = mapping(value.get("Response"))
    row = mapping(value.get("singleSelectReply"))
    label = text(first(value, ("selectedDisplayText", "selectedButtonText")))
    label = label or text(response.get("SelectedDisplayText"))
    label = label or text(response.get("selectedDisplayText")) or text(value.get("title"))
    names = (
        "selectedButtonId",
        "selectedButtonID",
        "selectedId",
        "selectedID",
        "selectedRowId",
        "selectedRowID",
    )
    option_id = identifier(first(value, names)) or identifier(first(row, names))
    description = text(value.get("description"))
    return Wording(
        text=label or description or option_id,
        details=compact(option_id=option_id, description=description),
    )


def read_interactive_reply(value: JSONObject) -> Wording:
    flow = mapping(first(value, ("nativeFlowResponseMessage", "InteractiveResponseMessage")))
    flow = mapping(flow.get("nativeFlowResponseMessage")) or flow
    params = _parameters(first(flow, ("paramsJson", "paramsJSON")))
    option_id = identifier(params.get("id"))
    label = _words(value.get("body")) or _words(params.get("display_text")) or text(params.get("title"))
    return Wording(text=label or option_id, details=compact(option_id=option_id, answers=_answers(params) or None))


def _answers(params: JSONObject) -> dict[str, object]:
    """What somebody filled into a form (a flow): its fields have names such as "screen_0_TextInput_1"."""
    told = {clean(name): text(value, limit=1_000) for name, value in params.items() if name.startswith("screen_")}
    return {name: value for name, value in told.items() if value is not None}


def read_poll(value: JSONObject) -> Wording:
    # pollCreationMessageV4 may hold the poll in a message of its own.
    inner = mapping(value.get("message"))
    value = next((mapping(inner[name]) for name in inner if name.startswith("pollCreation")), value)
    titles = (_words(mapping(option).get("optionName") or option) for option in items(value.get("options"))[:PARTS_MAX])
    options = [compact(title=title) for title in titles if title]
    wording = _menu(text(first(value, ("name", "title"))), options=options)
    selectable = integer(first(value, ("selectableOptionsCount", "selectableCount")))
    return Wording(text=wording.text, details=wording.details | compact(selectable=selectable))


def read_poll_result(value: JSONObject) -> Wording:
    """How a poll stands, as somebody shared it: each option with its votes."""
    told = [mapping(vote) for vote in items(value.get("pollVotes"))[:PARTS_MAX]]
    titles = [(_words(vote.get("optionName")), integer(vote.get("optionVoteCount"))) for vote in told]
    return _menu(
        text(value.get("name")),
        options=[compact(title=f"{title}: {votes or 0}", votes=votes or 0) for title, votes in titles if title],
    )


def read_votes(value: JSONObject, element: JSONObject) -> list[str]:
    """The names of the chosen options; none when the vote is still encrypted, or was taken back."""
    vote = mapping(value.get("vote"))
    chosen = (items(vote.get("selectedOptions")) or items(value.get("selectedOptions")))[:PARTS_MAX]
    names = [_words(mapping(option).get("optionName") or option) for option in chosen]
    if not any(names):
        updates = (items(element.get("pollUpdates")) or items(value.get("pollUpdates")))[:PARTS_MAX]
        names = [name for update in map(mapping, updates) for name in _votes_in(update)]
    return [name for name in names if name and not _HASH.fullmatch(name)]


def _votes_in(update: JSONObject) -> list[str | None]:
    """One of `pollUpdates`: an option with its voters, or a vote with its options."""
    if items(update.get("voters")):
        return [text(update.get("name"))]
    vote = update.get("vote")
    chosen = items(vote) or items(mapping(vote).get("selectedOptions"))
    return [_words(mapping(option).get("optionName") or option) for option in chosen[:PARTS_MAX]]


def read_order(value: JSONObject) -> Wording:
    details = compact(
        id=identifier(first(value, ("orderId", "orderID"))),
        items=integer(value.get("itemCount")),
        price_1000=integer(value.get("totalAmount1000")),
        currency=text(value.get("totalCurrencyCode")),
    )
    return Wording(text=lines(text(value.get("orderTitle")), text(value.get("message"))), details=details)


def read_product(value: JSONObject) -> Wording:
    product = mapping(value.get("product")) or value
    details = compact(
        id=identifier(first(product, ("productId", "productID", "retailerId"))),
        price_1000=integer(product.get("priceAmount1000")),
        currency=text(product.get("currencyCode")),
    )
    shown = lines(
        text(product.get("title")),
        text(product.get("description")),
        text(value.get("body")),
        text(value.get("footer")),
    )
    return Wording(text=shown, details=details)


def read_group_invite(value: JSONObject) -> Wording:
    details = compact(
        group=identifier(first(value, ("groupJid", "groupJID"))), code=identifier(value.get("inviteCode"))
    )
    return Wording(text=lines(text(value.get("groupName")), text(value.get("caption"))), details=details)


def read_contact(card: JSONObject) -> dict[str, object]:
    """{name, phones} of a vCard; a number WhatsApp knows (`waid`) as "+" and digits, any other as written."""
    phones: list[str] = []
    name = text(card.get("displayName"))
    # Line by line: a pattern over the whole card could be made to run for minutes.
    # The whole of it, since a photo may stand before the numbers.
    for line in (text(card.get("vcard"), limit=None) or "").splitlines():
        left, _, value = line.partition(":")
        # "item1.TEL;type=CELL;waid=5511999991234:+55 11 99999-1234"
        kind, _, parameters = left.partition(";")
        match kind.rpartition(".")[2].strip().upper(), value.strip():
            case ("FN", shown) if shown:
                name = name or shown[:NAME_MAX]
            case ("TEL", number) if len(phones) < PARTS_MAX:
                known = _WAID.search(parameters)
                phones.append(f"+{known[1]}" if known else number[:NAME_MAX])
    return compact(name=name, phones=[phone for phone in phones if phone] or None)
