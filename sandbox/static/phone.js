// The page asks /phone/api/view what to show and waits there for the next change. Everything is built with textContent.
"use strict";

const api = "api/";
const $ = (id) => document.getElementById(id);
const shown = { instance: new URLSearchParams(location.search).get("instance") || "", chat: "", customer: null, quoted: "", members: {} };
const drawn = {};
let waiting = null;

const FAULTS = [
  ["not_on_whatsapp", "Número não está no WhatsApp", "recusa com 400"],
  ["error_500", "Erro 500", "nada é enviado"],
  ["timeout_after_send", "Sem resposta", "a mensagem sai, a resposta nunca vem"],
  ["reset_before_send", "Conexão cai antes", "nada é enviado"],
  ["reset_after_send", "Conexão cai depois", "a mensagem sai"],
  ["error_500_after_send", "Erro 500 depois", "a mensagem sai"],
  ["license_required", "Sem licença", "503, nada é enviado"],
  ["slow", "Resposta lenta", "10 segundos"],
  ["nacked", "WhatsApp recusa depois", "201, e o recibo diz erro"],
];
const SERVER = { up: ["Evolution no ar", "ok"], down: ["Evolution fora do ar", "bad"], license_required: ["Evolution sem licença", "bad"] };
const TICKS = { sent: ["✓", "enviada"], delivered: ["✓✓", "entregue"], read: ["✓✓", "lida"], failed: ["!", "recusada"] };

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Draws a part only when what it shows has changed, so that focus and scroll stay.
function draw(name, data, paint) {
  const key = JSON.stringify(data);
  if (drawn[name] === key) return;
  drawn[name] = key;
  paint(data);
}

async function post(path, body = {}) {
  const response = await fetch(api + path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  }).catch(() => null);
  if (response && response.ok) return response.json();
  const answer = response ? await response.json().catch(() => ({})) : {};
  say(answer.error || "O sandbox não respondeu.");
  return null;
}

const ofShown = (action) => `instances/${encodeURIComponent(shown.instance)}/${action}`;

function say(text) {
  $("toast").textContent = text;
  $("toast").hidden = false;
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { $("toast").hidden = true; }, 4000);
}

function phoneNumber(digits) {
  const match = /^55(\d\d)(\d{4,5})(\d{4})$/.exec(digits || "");
  return match ? `+55 ${match[1]} ${match[2]}-${match[3]}` : /^\d+$/.test(digits || "") ? `+${digits}` : digits || "";
}

function clock(seconds, withSeconds) {
  const options = { hour: "2-digit", minute: "2-digit", ...(withSeconds ? { second: "2-digit" } : {}) };
  return new Date(seconds * 1000).toLocaleTimeString("pt-BR", options);
}

function stateOf(instance) {
  if (instance.offline) return ["Sem WhatsApp", "bad"];
  if (instance.state === "open") return ["Conectado", "ok"];
  if (instance.qr) return ["Esperando o QR", "warn"];
  if (instance.state === "connecting") return ["Conectando", "warn"];
  return [instance.state === null ? "Apagando" : "Desconectado", ""];
}

const titleOf = (instance) => instance.profile_name || instance.name.replace(/^unit_.*(.{4})$/, "Unidade …$1");

function chip(element, [text, kind]) {
  element.textContent = text;
  element.className = `chip ${kind}`;
  return element;
}

function show(instance, chat = "") {
  shown.instance = instance;
  shown.chat = chat;
  history.replaceState(null, "", `?instance=${encodeURIComponent(instance)}`);
  look();
}

function openTab(name) {
  document.querySelector("main").dataset.tab = name;
  for (const button of document.querySelectorAll(".tabs button")) {
    button.setAttribute("aria-pressed", String(button.dataset.tab === name));
  }
}

function paintPhones(instances) {
  $("no-phones").hidden = instances.length > 0;
  $("phones").replaceChildren(...instances.map((instance) => {
    const number = instance.number ? phoneNumber(instance.number) : instance.name;
    const row = make("button", { type: "button", className: "row", title: instance.name },
      make("span", { className: "grow" }, make("b", { textContent: titleOf(instance) }), make("small", { textContent: number })),
      make("span", { className: "actions" }, chip(make("span"), stateOf(instance)),
        instance.unread ? make("span", { className: "badge", textContent: instance.unread, title: "não lidas pelos clientes" }) : null));
    row.setAttribute("aria-current", String(instance.name === shown.instance));
    row.addEventListener("click", () => { show(instance.name); openTab("phone"); });
    return make("li", {}, row);
  }));
}

function paintShown({ instance, qr, paired }) {
  $("phone-title").textContent = titleOf(instance);
  $("phone-sub").textContent = instance.number ? phoneNumber(instance.number) : "ainda sem número";
  chip($("phone-state"), stateOf(instance));
  $("offline").hidden = instance.offline || (instance.state !== "open" && !instance.qr);
  $("online").hidden = !instance.offline;
  $("logout").hidden = !instance.paired;
  $("trap").hidden = !(instance.inbound_dead && instance.paired);
  $("offline-note").hidden = !instance.offline;
  $("scan").hidden = !qr;
  if (qr) {
    if ($("scan").dataset.instance !== instance.name) {
      $("scan").dataset.instance = instance.name;
      $("scan").elements.number.value = `55 11 90000-${1001 + paired}`;
      $("scan").elements.profile_name.value = paired ? `Loja Teste ${paired + 1}` : "Loja Teste";
    }
    $("qr").src = qr.base64;
    $("pairing").hidden = !qr.pairing_code;
    $("pairing").textContent = qr.pairing_code ? `Código de pareamento: ${qr.pairing_code.slice(0, 4)}-${qr.pairing_code.slice(4)}` : "";
  }
  $("talk").hidden = !instance.paired;
  $("idle").hidden = instance.paired || Boolean(qr);
}

function paintChats(chats) {
  $("no-chats").hidden = chats.length > 0;
  $("chats").replaceChildren(...chats.map((chat) => {
    const name = chat.name || phoneNumber(chat.number);
    const row = make("button", { type: "button", className: "row" },
      make("span", { className: "avatar", textContent: name.replace(/^\+/, "").slice(0, 1).toUpperCase(), ariaHidden: "true" }),
      make("span", { className: "grow" }, make("b", { textContent: name }), make("small", { textContent: chat.last || phoneNumber(chat.number) })),
      make("span", { className: "end-col" }, make("time", { textContent: clock(chat.at) }),
        chat.unread ? make("span", { className: "badge", textContent: chat.unread }) : null));
    row.setAttribute("aria-current", String(chat.jid === shown.chat));
    row.addEventListener("click", () => { shown.chat = chat.jid; look(); });
    return make("li", {}, row);
  }));
}

function paintThread({ chat, bubbles }) {
  $("talk").classList.toggle("open", Boolean(chat));
  $("thread").hidden = !chat;
  $("no-thread").hidden = Boolean(chat);
  if (!chat) return;
  shown.customer = chat.name;
  $("chat-title").textContent = chat.name || phoneNumber(chat.number);
  $("chat-sub").textContent = chat.typing ? "digitando…" : `${phoneNumber(chat.number)} · celular do cliente`;
  $("who-customer").textContent = chat.name || "Cliente";
  $("read").disabled = !bubbles.some((bubble) => !bubble.mine && (bubble.status === "sent" || bubble.status === "delivered"));
  const list = $("bubbles");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60 || list.dataset.chat !== chat.jid;
  list.dataset.chat = chat.jid;
  list.replaceChildren(...bubbles.map((bubble) => {
    const [ticks, word] = TICKS[bubble.status];
    const state = bubble.mine ? null : make("span", { className: bubble.status, textContent: ` ${ticks} ${word}` });
    return make("li", { className: bubble.mine ? "mine" : "" }, bubble.text, fileOf(bubble),
      make("small", {}, clock(bubble.at), state, actionsOf(bubble)));
  }));
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function fileOf(bubble) {
  if (!bubble.file) return null;
  const href = `${api}${ofShown("media")}?id=${encodeURIComponent(bubble.id)}`;
  if (bubble.file.startsWith("image/")) return make("img", { src: href, alt: "", className: "picture" });
  return make("a", { href, target: "_blank", rel: "noopener", textContent: " abrir" });
}

// What the customer does with a message: it is his phone that is shown.
function actionsOf(bubble) {
  const button = (text, label, act) => {
    const element = make("button", { type: "button", className: "act", textContent: text, ariaLabel: label, title: label });
    element.addEventListener("click", act);
    return element;
  };
  const react = (emoji) => () => post(ofShown("inbound"), { ...author(), reaction: { id: bubble.id, emoji } });
  return make("span", { className: "acts" },
    button("❤️", "Reagir com ❤️", react("❤️")), button("👍", "Reagir com 👍", react("👍")), button("🚫", "Tirar a reação", react("")),
    button("↩", "Responder", () => quote(bubble)),
    bubble.mine ? button("✎", "Editar", () => edit(bubble)) : null,
    bubble.mine ? button("🗑", "Apagar para todos", () => post(ofShown("delete"), { id: bubble.id })) : null);
}

// Who writes in the chat that is open: the customer, or in a group the member that wrote last.
function author() {
  const member = shown.members[shown.chat];
  return member ? { ...member, group: shown.chat } : { from: shown.chat, name: shown.customer };
}

function quote(bubble) {
  shown.quoted = bubble ? bubble.id : "";
  $("quoting").hidden = !bubble;
  $("quoting").firstElementChild.textContent = bubble ? `Em resposta a: ${bubble.text}` : "";
  if (bubble) $("compose").elements.text.focus();
}

function edit(bubble) {
  const text = window.prompt("Novo texto", bubble.text.replace(/ \(editada\)$/, ""));
  if (text) post(ofShown("edit"), { id: bubble.id, text });
}

const PLACE = { latitude: -23.5505, longitude: -46.6333 };
const CONTENTS = {
  text: (text) => ({ text }),
  ephemeral: (text) => ({ text, ephemeral: true }),
  forwarded: (text) => ({ text, forwarded: true }),
  ad: (text) => ({ text, ad: { title: "Lentes com 30%", body: "Até sábado" } }),
  location: (text) => ({ location: { ...PLACE, name: text } }),
  live: () => ({ location: { ...PLACE, live: true } }),
  contact: (text) => ({ contacts: [{ name: text, number: "+55 11 90000-0455" }] }),
  poll: (text) => ({ poll: { name: text.split("\n")[0], options: text.split("\n").slice(1) } }),
};

function paintFaults({ faults, enabled }) {
  $("faults").replaceChildren(...FAULTS.map(([kind, title, detail]) => {
    const count = (faults && faults[kind]) || 0;
    const button = (text, label, body, disabled) => {
      const element = make("button", { type: "button", textContent: text, disabled: disabled || !enabled, ariaLabel: `${label}: ${title}` });
      element.addEventListener("click", () => post(ofShown("faults"), body));
      return element;
    };
    return make("li", { className: count ? "set" : "" },
      make("span", {}, make("b", { textContent: title }), make("span", { className: "support", textContent: detail })),
      make("span", { className: "count", textContent: count ? `${count}×` : "0" }),
      make("span", { className: "stepper" },
        button("−", "Tirar", { kind, count: 0 }, count === 0), button("+", "Mais um envio", { kind, count: 1 })));
  }));
}

function paintDeliveries(deliveries) {
  $("no-deliveries").hidden = deliveries.length > 0;
  $("deliveries").replaceChildren(...deliveries.map((entry) => {
    const good = entry.status >= 200 && entry.status < 300;
    const outcome = entry.status ? String(entry.status) : entry.error;
    return make("li", {}, make("time", { textContent: clock(entry.at, true) }),
      make("span", { className: "grow", textContent: entry.event + (entry.attempt > 1 ? ` (tentativa ${entry.attempt})` : "") }),
      make("span", { className: good ? "good" : "bad", textContent: outcome }));
  }));
}

function paint(view) {
  if (!shown.instance && view.instances.length) {
    shown.instance = view.instances[view.instances.length - 1].name;
    return false;
  }
  draw("server", view.server_mode, (mode) => {
    chip($("server"), SERVER[mode]);
    for (const button of document.querySelectorAll("[data-mode]")) button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  });
  draw("phones", [view.instances, shown.instance], ([instances]) => paintPhones(instances));
  $("more-phones").hidden = view.instance_count <= view.instances.length;
  $("more-phones").textContent = `e mais ${view.instance_count - view.instances.length}`;
  $("nothing-shown").hidden = Boolean(view.shown);
  $("shown").hidden = !view.shown;
  if (view.shown) {
    draw("shown", { instance: view.shown, qr: view.qr, paired: view.paired_count }, paintShown);
    draw("chats", [view.chats, shown.chat], ([chats]) => paintChats(chats));
    draw("thread", { chat: view.chats.find((chat) => chat.jid === shown.chat), bubbles: view.bubbles }, paintThread);
  }
  draw("faults", { faults: view.shown && view.shown.faults, enabled: Boolean(view.shown) }, paintFaults);
  draw("deliveries", view.deliveries, paintDeliveries);
  return true;
}

// One request is always waiting; choosing something else replaces it by one that answers at once.
async function look() {
  if (waiting) waiting.abort();
  const mine = waiting = new AbortController();
  let version = "";
  while (waiting === mine) {
    try {
      const query = new URLSearchParams({ instance: shown.instance, chat: shown.chat, version });
      const response = await fetch(`${api}view?${query}`, { signal: mine.signal });
      if (response.status === 200) {
        const view = await response.json();
        if (waiting !== mine) return;
        version = paint(view) ? view.version : "";
      }
    } catch (error) {
      if (error.name === "AbortError") return;
      chip($("server"), ["Sandbox parado", "bad"]);
      drawn.server = null;
      await new Promise((resume) => setTimeout(resume, 1500));
    }
  }
}

$("scan").addEventListener("submit", (event) => {
  event.preventDefault();
  post(ofShown("scan"), Object.fromEntries(new FormData(event.target)));
});
// What goes along with the text: one of the samples, or a file of this machine; undefined for nothing.
async function attached({ attach, file }) {
  let kind = attach.selectedOptions[0].dataset.kind;
  let content = file.files[0];
  if (attach.value === "") return undefined;
  if (attach.value !== "file") content = await (await fetch(`static/samples/${attach.value}`)).blob();
  else if (!content) return undefined;
  else kind = ["image", "video", "audio"].find((each) => content.type.startsWith(`${each}/`)) || "document";
  const bytes = new Uint8Array(await content.arrayBuffer());
  let binary = "";
  for (let at = 0; at < bytes.length; at += 32768) binary += String.fromCharCode(...bytes.subarray(at, at + 32768));
  const fileName = kind === "document" ? content.name || attach.value : undefined;
  return { mediatype: kind, base64: btoa(binary), mimetype: content.type || undefined, fileName };
}

$("compose").elements.attach.addEventListener("change", ({ target }) => {
  $("compose").elements.text.required = target.value === "";
  $("compose").elements.file.hidden = target.value !== "file";
});
$("compose").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target.elements;
  const { who, kind, text } = Object.fromEntries(new FormData(event.target));
  const calls = kind === "call" || kind === "video";
  const message = calls ? {} : { ...CONTENTS[kind](text), media: await attached(form), reply_to: shown.quoted || undefined };
  let sent;
  if (calls) sent = post(ofShown("call"), { from: shown.chat, status: "timeout", video: kind === "video" });
  else if (who === "customer") sent = post(ofShown("inbound"), { ...author(), ...message });
  else sent = post(ofShown("own"), { to: shown.chat, ...message });
  if (!await sent) return;
  quote(null);
  form.text.value = form.attach.value = form.file.value = "";
  form.attach.dispatchEvent(new Event("change"));
});
$("compose").elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("compose").requestSubmit();
  }
});
$("customer-form").addEventListener("submit", async (event) => {
  const { group, ...body } = Object.fromEntries(new FormData(event.target));
  const answer = await post(ofShown("inbound"), group ? { ...body, group } : body);
  if (!answer) return;
  shown.chat = answer.chat;
  if (group) shown.members[answer.chat] = { from: body.from, name: body.name };
  look();
});
$("compose").elements.kind.addEventListener("change", ({ target }) => {
  // A call says nothing, and a live location has no name.
  $("compose").elements.text.required = !["call", "video", "live"].includes(target.value);
});
$("unquote").addEventListener("click", () => quote(null));
$("new-chat").addEventListener("click", () => $("customer").showModal());
$("customer-cancel").addEventListener("click", () => $("customer").close());
$("read").addEventListener("click", () => post(ofShown("read"), { from: shown.chat }));
$("back").addEventListener("click", () => { shown.chat = ""; look(); });
for (const action of ["offline", "online", "logout"]) $(action).addEventListener("click", () => post(ofShown(action)));
for (const button of document.querySelectorAll("[data-mode]")) button.addEventListener("click", () => post("server", { mode: button.dataset.mode }));
for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => openTab(button.dataset.tab));
look();
