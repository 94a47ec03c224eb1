// The composer: Enter sends, what is typed survives a reload. What is sent is the outbox's (outbox.js).

import { csrf } from './shared.js';

// Colleagues who look at the conversation are told that somebody is answering, not at each letter.
const ANSWERING_MS = 4000;
let answeredAt = 0;

const composer = () => document.getElementById('composer');

// The draft: one for each person and conversation, with what it quotes and whether it is a note. What the browser does not
// take, because it is full or may not, lives as long as the page.
const here = new Map();

function draftKey(form) {
  return `draft:${form.dataset.person}:${form.dataset.conversation}`;
}

function keep(form) {
  const draft = { text: form.elements.text.value, note: isNote(form), quote: quoted(form) };
  const isKept = write(draftKey(form), draft.text || draft.quote ? draft : null);
  const hint = document.getElementById('composer-hint');
  hint.dataset.usual ??= hint.textContent;
  hint.textContent = draft.text && isKept ? hint.dataset.saved : hint.dataset.usual;
}

function restore() {
  const form = composer();
  if (!form) return;
  const draft = read(draftKey(form));
  if (draft && !form.elements.text.value) {
    form.elements.text.value = draft.text;
    setNote(form, draft.note);
    setQuote(form, draft.quote);
    keep(form);
  }
  form.dispatchEvent(new CustomEvent('composer:restored'));
}

function read(key) {
  try {
    return here.get(key) || JSON.parse(localStorage.getItem(key));
  } catch {
    return null;
  }
}

// Whether it outlives the page. An older draft goes first: it must not come back in the place of this one.
function write(key, draft) {
  here.delete(key);
  try {
    localStorage.removeItem(key);
    if (draft) localStorage.setItem(key, JSON.stringify(draft));
    return true;
  } catch {
    if (draft) here.set(key, draft);
    return false;
  }
}
window.addEventListener('beforeunload', (event) => here.size && event.preventDefault());

// It is about to be part of another conversation, which this page goes to: what is half written goes along.
document.addEventListener('conversation:became', ({ detail: { was, is } }) => {
  const form = composer();
  const draft = form?.dataset.conversation === was && read(draftKey(form));
  if (!draft) return;
  const key = `draft:${form.dataset.person}:${is}`;
  const text = [read(key)?.text, draft.text].filter(Boolean).join('\n');
  write(key, { ...draft, text });
  write(draftKey(form), null);
});

// Quote and note

function quoted(form) {
  const id = form.elements.reply_to.value;
  if (!id) return null;
  const box = form.querySelector('#quoting');
  return { id, who: box.querySelector('b').textContent, words: box.querySelector('.quoted').textContent };
}

function setQuote(form, quote) {
  const box = form.querySelector('#quoting');
  box.hidden = !quote;
  form.elements.reply_to.value = quote?.id || '';
  box.querySelector('b').textContent = quote?.who || '';
  box.querySelector('.quoted').textContent = quote?.words || '';
}

function isNote(form) {
  return form.classList.contains('is-note');
}

function setNote(form, on) {
  form.classList.toggle('is-note', Boolean(on));
  form.querySelector('#note-mode').setAttribute('aria-pressed', String(Boolean(on)));
  label(form);
}

// What the empty field asks for.
function label(form) {
  const text = form.elements.text;
  text.dataset.usual ??= text.placeholder;
  const captions = !form.querySelector('#files').hidden;
  text.placeholder = isNote(form) ? text.dataset.note : captions ? text.dataset.caption : text.dataset.usual;
}

function complain(form, sentence) {
  const error = form.querySelector('#composer-error');
  error.hidden = !sentence;
  error.querySelector('span').textContent = sentence;
  if (sentence) form.elements.text.setAttribute('aria-invalid', 'true');
  else form.elements.text.removeAttribute('aria-invalid');
}
// What the server refused is in the field again, with the reason below.
document.addEventListener('outbox:refused', ({ detail: { entry, sentence } }) => {
  const form = composer();
  if (form?.dataset.conversation !== entry.conversation) {
    const key = `draft:${entry.person}:${entry.conversation}`;
    const draft = read(key) || { note: entry.note };
    write(key, { ...draft, text: [entry.text, draft.text].filter(Boolean).join('\n') });
    return;
  }
  const text = form.elements.text;
  text.value = [entry.text, text.value].filter(Boolean).join('\n');
  if (entry.note) setNote(form, true);
  keep(form);
  complain(form, sentence);
});

// Sending

function put(form, entry) {
  form.dispatchEvent(new CustomEvent('outbox:put', { bubbles: true, detail: { entry } }));
}

function send(form) {
  const text = form.elements.text.value.trim();
  const note = isNote(form);
  const files = [];
  if (!note) form.dispatchEvent(new CustomEvent('composer:files', { detail: { files } }));
  if (!text && !files.length) return;
  let words = text;
  let replyTo = note ? '' : form.elements.reply_to.value;
  // The first file takes the words along, unless it cannot: a sound, or too many of them.
  const captions = files[0]?.takesCaption && text.length <= Number(form.dataset.longestCaption);
  if (text && !captions) {
    put(form, { text, replyTo, note });
    words = replyTo = '';
  }
  for (const file of files) {
    put(form, { text: words, replyTo, file, name: file.name });
    words = replyTo = '';
  }
  complain(form, '');
  form.elements.text.value = '';
  // A note stays a note: the next one must not go to the customer by mistake.
  setQuote(form, null);
  keep(form);
  form.elements.text.focus();
  document.getElementById('scroll').scrollTop = 0;
}

document.addEventListener('submit', (event) => {
  if (event.target.id !== 'composer') return;
  event.preventDefault();
  send(event.target);
});

// Another module has a voice message, something to quote, or to write about.
document.addEventListener('composer:voice', ({ target, detail }) => {
  put(target, { text: '', file: detail.file, name: detail.file.name, voice: true });
});
document.addEventListener('composer:quote', ({ target, detail }) => {
  if (!detail.note) setQuote(target, detail.quote);
  setNote(target, detail.note);
  if (detail.note && !target.elements.text.value) target.elements.text.value = `“${detail.quote.words}” `;
  keep(target);
  target.elements.text.focus();
});
document.addEventListener('composer:insert', ({ target, detail }) => {
  const text = target.elements.text;
  text.setRangeText(detail.text, detail.from ?? text.selectionStart, text.selectionEnd, 'end');
  text.focus();
  text.dispatchEvent(new Event('input', { bubbles: true }));
});
document.addEventListener('composer:complain', ({ target, detail }) => complain(target, detail.sentence));
document.addEventListener('composer:label', ({ target }) => label(target));

document.addEventListener('click', ({ target }) => {
  const form = target.closest('#composer');
  if (!form) return;
  if (target.closest('#note-mode')) {
    setNote(form, !isNote(form));
    keep(form);
    form.elements.text.focus();
  } else if (target.closest('[data-unquote]')) {
    setQuote(form, null);
    keep(form);
    form.elements.text.focus();
  }
});

document.addEventListener('keydown', (event) => {
  if (event.target.id !== 'text' || event.isComposing || event.defaultPrevented) return;
  const form = event.target.form;
  if (event.key === 'Escape' && (isNote(form) || quoted(form))) {
    // The innermost first.
    event.preventDefault();
    if (quoted(form)) setQuote(form, null);
    else setNote(form, false);
    keep(form);
    return;
  }
  if (event.key !== 'Enter' || event.shiftKey) return;
  // On a phone Enter is the only key for a new line.
  if (window.matchMedia('(pointer: coarse)').matches && !event.ctrlKey) return;
  event.preventDefault();
  form.requestSubmit();
});

document.addEventListener('input', ({ target }) => {
  if (target.id !== 'text') return;
  complain(target.form, '');
  keep(target.form);
  answering(target.form);
});

function answering(form) {
  if (isNote(form) || !form.elements.text.value || Date.now() - answeredAt < ANSWERING_MS || !navigator.onLine) return;
  answeredAt = Date.now();
  fetch(form.dataset.answering, { method: 'POST', headers: { 'HX-Request': 'true', 'X-CSRFToken': csrf() } }).catch(() => {});
}

// What was asked for in a dialog happens at WhatsApp first.
document.addEventListener('message-asked', () => {
  const said = document.getElementById('composer-said');
  said.textContent = said.dataset.asked;
});

document.addEventListener('htmx:afterSwap', ({ detail }) => detail.target.id === 'conversation' && restore());
restore();
