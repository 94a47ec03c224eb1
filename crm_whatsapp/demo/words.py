"""What is said and kept in the demo shop. The people are invented; no number of theirs is given to anybody."""

from dataclasses import dataclass
from typing import Final

from messaging.models import MessageStatus as S
from units.roles import Role

# E-mail (before the @), first and last name, role. All of them log in with the demo's password.
TEAM: Final = [
    ("julia", "Júlia", "Prado", Role.MANAGER),
    ("rafael", "Rafael", "Lima", Role.AGENT),
    ("celia", "Célia", "Esteves", Role.AGENT),
]
LABELS: Final = {
    "Convênio": "#5b62b5",
    "Garantia": "#5f8f3f",
    "Orçamento": "#b5791c",
    "Reclamação": "#b0261e",
    "Retirada": "#2a7f8f",
}
CANNED_REPLIES: Final = {
    "endereco": "Estamos na Av. dos Eucaliptos, 210, em Moema, a duas quadras do metrô. Tem estacionamento na porta.",
    "horario": "Abrimos de segunda a sexta das 9h às 19h, e aos sábados das 9h às 14h.",
    "orcamento": "Oi, {{ primeiro_nome }}! Me manda uma foto da receita? Com ela faço o orçamento na hora.",
    "pagamento": "Aceitamos Pix com 5% de desconto, débito e crédito em até 10 vezes sem juros.",
    "retirada": "{{ primeiro_nome }}, seus óculos estão prontos! É só vir com um documento.",
}
# Kept as a file that somebody imported: name, phone, tags, city, last purchase. Two rows cannot be taken.
IMPORT: Final = """\
Nome;Telefone;Etiquetas;Cidade;Última compra
Adriana Fontes;11900000601;Multifocal;São Paulo;2025-02-11
Alexandre Kimura;11900000602;Solar;São Paulo;2025-09-30
Beatriz Salgado;11900000603;Multifocal;São Paulo;2024-11-08
Bruno Teixeira;11900000604;;Osasco;2026-01-19
Carla Menezes;11900000605;Convênio;São Paulo;2025-07-02
Caio Barreto;11900000606;Solar;Guarulhos;
Cláudia Ramires;11900000607;Multifocal, Convênio;São Paulo;2023-12-05
Daniel Okada;11900000608;;São Paulo;2026-03-27
Débora Lins;11900000609;Lentes de contato;Diadema;2026-05-14
Eduardo Paiva;11900000610;Multifocal;São Paulo;2025-10-21
Elaine Castanho;11900000611;Convênio;São Bernardo do Campo;2024-04-18
Fábio Queiroz;11900000612;Solar;São Paulo;2025-01-09
Fernanda Vilela;11900000613;Lentes de contato;São Paulo;2026-06-03
Gabriela Antunes;11900000614;Multifocal;São Paulo;2025-05-29
Heitor Campos;11900000615;;Cotia;
Ivone Sardinha;11900000616;Multifocal, Convênio;São Paulo;2024-08-23
Jaqueline Brito;11900000617;Solar;São Paulo;2025-12-12
João Pedro Mattos;11900000618;;São Paulo;2026-02-07
Joana Figueira;11900000619;Lentes de contato;São Paulo;2026-04-16
Karina Bastos;11900000620;Convênio;Santo André;2025-03-31
Leandro Guedes;11900000621;Multifocal;São Paulo;2024-10-10
Lívia Carneiro;11900000622;Solar;São Paulo;2026-01-26
Luciana Prates;11900000623;Multifocal;São Caetano do Sul;2025-08-05
Marcelo Fujita;11900000624;;São Paulo;2025-11-17
Márcia Telles;11900000625;Convênio;São Paulo;2024-06-12
Mauro Sena;1190;Multifocal;São Paulo;
Natália Couto;11900000626;Lentes de contato;São Paulo;2026-07-22
Otávio Brandão;11900000627;Multifocal;São Paulo;2025-04-03
Patrícia Holanda;11900000628;Solar;Barueri;2025-06-20
Renato Siqueira;11900000629;;São Paulo;2026-08-11
Roberta Dantas;11900000630;Multifocal, Convênio;São Paulo;2024-09-14
Rosa Evangelista;sem telefone;;São Paulo;
Sérgio Pacheco;13900000631;Solar;Santos;2025-02-28
Simone Aguiar;11900000632;Convênio;São Paulo;2025-10-02
Sônia Vasques;11900000633;Multifocal;São Paulo;2024-12-19
Tatiana Reis;11900000634;Lentes de contato;São Paulo;2026-05-08
Valéria Sampaio;11900000635;Multifocal;São Paulo;2025-07-25
Vinícius Toledo;19900000636;Solar;Campinas;2026-03-13
"""
# How such a day's chats go: what the customer says, what the shop answers, in turn.
SMALL_TALK: Final = [
    ("Bom dia! Vocês fazem exame de vista aí?", "Bom dia! Fazemos sim, com hora marcada. Quer que eu veja um horário?"),
    ("Qual o horário de vocês no sábado?", "Aos sábados das 9h às 14h 😊", "Obrigada!", "Até lá!"),
    ("Meus óculos já chegaram?", "Chegaram hoje! Pode retirar até as 19h.", "Oba, passo aí à tarde", "Combinado!"),
    ("Quebrou a haste dos meus óculos, tem conserto?", "Tem sim! Traz que a gente troca a haste na hora."),
    ("Quanto fica a lente com filtro azul?", "A partir de R$ 290 o par. Me manda a receita que faço o orçamento."),
    ("Vocês parcelam?", "Em até 10 vezes sem juros no cartão.", "Perfeito", "Qualquer coisa, estou por aqui!"),
    ("Oi, preciso remarcar meu exame de amanhã", "Claro! Quinta às 10h ou às 16h?", "16h", "Marcado: quinta, 16h."),
    ("Aceitam o convênio dos professores?", "Aceitamos! São 15% nas lentes e na armação."),
    ("A lente de contato chegou?", "Chegou, está separada no seu nome.", "Valeu!", "De nada! 😊"),
    ("Tem armação infantil?", "Temos, a partir de R$ 180. Quer ver algumas por foto?", "Quero sim", "Já te mando!"),
    ("Consigo ajustar a armação aí?", "Consegue, é de graça e leva uns 10 minutos."),
    ("Boa tarde, qual o endereço?", "Av. dos Eucaliptos, 210, em Moema. Tem estacionamento na porta."),
]
# To a campaign.
ANSWERS: Final = [
    ("Quero sim! Tem horário sábado?", "Tem às 10h30 e às 12h. Qual fica melhor?"),
    ("Vale para lente de contato também?", "Também! O desconto é em todas as lentes."),
    ("Até quando vai?", "Até o fim do mês 😊"),
    ("Pode marcar pra mim", "Claro! Amanhã às 15h?"),
    ("SIM", "Que bom! Qual o melhor dia para você?"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What was said so many `minutes` ago. `by`: who of the team said it (e-mail); "": the contact.

    `file`: one of `crm_whatsapp.demo.files`. `to`: the place of the line that it quotes, or hangs on as a reaction.
    """

    minutes: float
    text: str = ""
    by: str = ""
    kind: str = "text"
    status: S = S.READ
    error_code: str = ""
    file: str = ""
    to: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation of these days. `status`: of the conversation; `note`: minutes ago, by whom, text."""

    name: str
    phone: str
    lines: tuple[Line, ...]
    labels: tuple[str, ...] = ()
    assignee: str = ""
    status: str = "open"
    note: tuple[float, str, str] | None = None


CHATS: Final = [
    Chat(
        name="Marina Alves de Albuquerque",
        phone="5511900000208",
        assignee="ana",
        labels=("Orçamento",),
        note=(70, "rafael", "Moldura 52 em estoque. Pode fechar com 10% se for à vista."),
        lines=(
            Line(minutes=1_540, by="ana", text="Oi, Marina! Sua receita venceu este mês. Quer marcar um exame?"),
            Line(minutes=95, kind="image", file="glasses", text="Essa armação aguenta lente multifocal?"),
            Line(minutes=94, kind="audio", file="voice"),
            Line(minutes=80, by="ana", text="Aguenta sim! Fiz o orçamento com ela:", to=1),
            Line(minutes=79, by="ana", kind="document", file="quote"),
            Line(minutes=78, kind="reaction", text="❤️", to=4),
            Line(minutes=12, text="Pode ser quinta às 15h então 😊"),
        ),
    ),
    Chat(
        name="Seu Osvaldo Tavares",
        phone="5511900000118",
        labels=("Retirada",),
        lines=(
            Line(minutes=60, text="Boa tarde"),
            Line(minutes=51, kind="audio", file="voice"),
            Line(minutes=42, text="Meus óculos já estão prontos para retirada?"),
        ),
    ),
    Chat(
        name="Camila Nogueira",
        phone="5511900000177",
        labels=("Convênio",),
        lines=(Line(minutes=18, text="Vocês aceitam convênio da prefeitura?"),),
    ),
    Chat(
        name="Maria das Graças Ferreira do Nascimento",
        phone="5511900000291",
        assignee="rafael",
        labels=("Orçamento", "Convênio"),
        lines=(
            Line(minutes=130, text="Segue a receita da Dra. Helena, já com o grau novo"),
            Line(minutes=129, kind="document", file="prescription"),
            Line(minutes=104, by="rafael", text="Recebi, dona Graças! Até o fim do dia mando o orçamento."),
            Line(minutes=103, kind="reaction", text="🙏", to=2),
        ),
    ),
    Chat(
        name="Helena Duarte",
        phone="5511900000391",
        assignee="julia",
        labels=("Retirada",),
        lines=(
            Line(minutes=190, text="Bom dia, tudo bem?"),
            Line(minutes=185, by="julia", text="Bom dia, Helena! Seus óculos estão prontos para retirada."),
        ),
    ),
    Chat(
        name="Paulo Rezende",
        phone="5511900000402",
        assignee="julia",
        labels=("Orçamento",),
        lines=(
            Line(minutes=230, text="Consegue me mandar o orçamento das lentes?"),
            Line(
                minutes=214,
                by="julia",
                text="Segue o orçamento: R$ 1.290 com a armação, em até 10 vezes.",
                status=S.FAILED,
                error_code="not_on_whatsapp",
            ),
        ),
    ),
    Chat(
        name="Letícia Moura",
        phone="5511900000519",
        assignee="celia",
        lines=(
            Line(minutes=260, text="Oi! Sou a Letícia, do casamento do Bruno. Que óculos de sol combinam com isso?"),
            Line(minutes=259, kind="image", file="sunglasses"),
            Line(
                minutes=245,
                by="celia",
                text="Que lindo! Separei três modelos. Passa aqui sábado?",
                status=S.UNCERTAIN,
                error_code="undecided",
            ),
        ),
    ),
    Chat(
        name="Tiago Moreira",
        phone="5511900000533",
        assignee="rafael",
        status="pending",
        lines=(
            Line(minutes=1_500, text="Tem a armação preta quadrada?"),
            Line(minutes=1_470, by="rafael", text="Pedi para a loja do Itaim, chega amanhã. Te aviso!"),
            Line(minutes=1_465, text="Perfeito, deixo separado então"),
            Line(minutes=1_460, by="rafael", text="Separado no seu nome 👍", status=S.DELIVERED),
        ),
    ),
    Chat(
        name="Regina Coutinho",
        phone="5511900000544",
        assignee="celia",
        status="snoozed",
        labels=("Garantia",),
        lines=(
            Line(minutes=2_900, text="A lente riscou em duas semanas, isso é normal?"),
            Line(minutes=2_880, by="celia", text="Não é não, Regina. Abri a garantia com o laboratório, até sexta."),
            Line(minutes=2_870, text="Ok, fico no aguardo"),
            Line(minutes=2_866, by="celia", text="Te escrevo assim que responderem!"),
        ),
    ),
    Chat(
        name="Gustavo Amaral",
        phone="5519900000025",
        assignee="rafael",
        status="resolved",
        labels=("Reclamação",),
        lines=(
            Line(minutes=4_400, text="Esperei 40 minutos na loja ontem e ninguém me atendeu"),
            Line(minutes=4_385, by="rafael", text="Gustavo, peço desculpas. Hoje a Célia te espera, sem fila."),
            Line(minutes=4_320, text="Agora sim. Atendimento nota 10 da Célia"),
            Line(minutes=4_318, by="rafael", kind="reaction", text="🙏", to=2),
            Line(minutes=4_315, by="rafael", text="Que bom! Obrigado por voltar."),
        ),
    ),
    Chat(
        name="",
        phone="5511900000555",
        lines=(Line(minutes=75, text="Oi, boa tarde"),),
    ),
]
# Number → tags and attributes.
KNOWN: Final = {
    "5511900000208": (["Multifocal"], {"cidade": "São Paulo", "ultima_compra": "2025-08-14"}),
    "5511900000118": (["Multifocal"], {"cidade": "São Paulo", "ultima_compra": "2024-03-02"}),
    "5511900000177": (["Convênio"], {"cidade": "Santo André"}),
    "5511900000402": (["Multifocal"], {"ultima_compra": "2023-11-20"}),
    "5519900000025": (["Multifocal", "Convênio"], {"cidade": "Campinas", "ultima_compra": "2024-06-30"}),
}
SEGMENTS: Final = {
    "Multifocal, sem comprar há 1 ano": [
        {"field": "tag", "op": "is", "value": "Multifocal"},
        {"field": "attribute.ultima_compra", "op": "before", "value": "2025-11-01"},
    ],
    "Escreveram nos últimos 30 dias": [{"field": "last_inbound", "op": "within_days", "value": 30}],
    "De fora da capital": [{"field": "attribute.cidade", "op": "is_not", "value": "São Paulo"}],
}
