"""A unit with years of messages, made by the database itself."""

from typing import Any

from django.db import connection

from units.models import Unit, WhatsAppConnection

# Words by how often they are said: in every third message, in one of two thousand, in ten.
COMMON, SOMETIMES, RARE = "pedido", "astigmatismo", "paralelepipedo"

# Contacts differ in how much they write, as people do: the first has by far the most.
_STEPS = (
    """
    INSERT INTO contacts (unit_id, name)
    SELECT %(unit)s, (%(names)s::text[])[1 + n %% 12] || ' ' || (%(surnames)s::text[])[1 + n / 12 %% 10] || ' ' || n
    FROM generate_series(1, %(contacts)s) n
    """,
    """
    INSERT INTO contact_addresses (unit_id, contact_id, kind, value, jid)
    SELECT unit_id, id, 'phone', '+55119' || digits, '55119' || digits || '@s.whatsapp.net'
    FROM (SELECT *, lpad((row_number() OVER (ORDER BY id))::text, 8, '0') AS digits
          FROM contacts WHERE unit_id = %(unit)s) c
    """,
    """
    INSERT INTO conversations (unit_id, contact_id)
    SELECT unit_id, id FROM contacts WHERE unit_id = %(unit)s ORDER BY id LIMIT %(chats)s
    """,
    """
    CREATE TEMP TABLE bench_chats AS
    SELECT id, row_number() OVER (ORDER BY id)::int AS n FROM conversations WHERE unit_id = %(unit)s
    """,
    "CREATE UNIQUE INDEX ON bench_chats (n)",
    "ANALYZE bench_chats",
    """
    INSERT INTO messages (unit_id, connection_id, conversation_id, direction, origin, status, kind, external_id,
                          body, happened_at)
    SELECT %(unit)s, %(connection)s, chat.id,
           CASE WHEN m.n %% 3 = 0 THEN 'outbound' ELSE 'inbound' END,
           CASE WHEN m.n %% 3 = 0 THEN 'reply' ELSE 'contact' END,
           CASE WHEN m.n %% 3 = 0 THEN 'read' ELSE 'received' END,
           'text', 'B' || m.n,
           (%(openings)s::text[])[1 + abs(hashint4(m.n)) %% 8] || ' '
           || (%(objects)s::text[])[1 + abs(hashint4(-m.n)) %% 10]
           || CASE WHEN m.n %% 3 = 1 THEN ' do ' || %(common)s || ' ' || m.n ELSE ' número ' || m.n %% 5000 END
           || CASE WHEN m.n %% 2000 = 7 THEN ', tenho ' || %(sometimes)s ELSE '' END
           || CASE WHEN m.n %% (%(rows)s / 10) = 9 THEN ', cor de ' || %(rare)s ELSE '' END,
           now() - make_interval(secs => (%(rows)s - m.n) * 30)
    FROM generate_series(1, %(rows)s) AS m (n)
    JOIN bench_chats chat
      ON chat.n = CASE WHEN m.n %% 100 = 0 THEN 1 ELSE 1 + (m.n::bigint * 7919) %% %(chats)s END
    ORDER BY m.n
    """,
)
_SUMMARY = """
UPDATE conversations c SET last_message_at = last.happened_at, last_message_preview = left(last.body, 200),
       unread_count = CASE WHEN last.direction = 'inbound' THEN 1 ELSE 0 END
FROM (SELECT DISTINCT ON (conversation_id) conversation_id, happened_at, body, direction
      FROM messages WHERE unit_id = %(unit)s ORDER BY conversation_id, happened_at DESC) last
WHERE c.id = last.conversation_id
"""
_WORDS = {
    "names": ["Ana", "Marina", "José", "Osvaldo", "Lúcia", "Antônio", "Beatriz", "João", "Célia", "Rui", "Inês", "Ivo"],
    "surnames": ["Souza", "Alves", "Gonçalves", "Araújo", "Lima", "Conceição", "Rocha", "Simões", "Pires", "Brandão"],
    "openings": ["Oi, tudo bem? Queria saber", "Bom dia, e", "Boa tarde! Gostaria", "Olá,", "Vi no anúncio", "Ok, e",
                 "Pode me dizer", "Preciso confirmar"],
    "objects": ["o preço das lentes", "a armação azul", "a consulta de amanhã", "os óculos de sol", "a promoção",
                "o horário de sábado", "a receita", "a garantia", "o endereço", "a forma de pagamento"],
}  # fmt: skip


def load(unit: Unit, *, rows: int, contacts: int, chats: int | None = None) -> None:
    """Give `unit` so many messages, spread over so many contacts, or over the first `chats` of them.

    The indexes of words are built afterwards.
    """
    line = WhatsAppConnection.objects.get(unit=unit)
    values: dict[str, Any] = {"unit": unit.pk, "connection": line.pk, "rows": rows, "contacts": contacts, **_WORDS}
    values["chats"] = chats or contacts
    values |= {"common": COMMON, "sometimes": SOMETIMES, "rare": RARE}
    with connection.cursor() as cursor:
        # Built at the end it takes a tenth of the time.
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'messages_search'")
        (index,) = cursor.fetchone()
        cursor.execute("DROP INDEX messages_search")
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for step in _STEPS:
            cursor.execute(step, values)
        cursor.execute("DROP TABLE bench_chats")
        cursor.execute(_SUMMARY, values)
        cursor.execute(index)
        cursor.execute("VACUUM ANALYZE messages, conversations, contacts, contact_addresses")
        cursor.execute("RESET maintenance_work_mem")
