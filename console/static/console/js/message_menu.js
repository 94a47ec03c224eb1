// The menu of a message: by its button, a long touch, or M on the focused message; its letters hold while it is open.
// And the thread by keys: arrows go from message to message.

import { keysAreOn } from './shared.js';

const LONG_TOUCH_MS = 500;

// The message it is open for. By id: the row may be drawn anew meanwhile.
let openFor = null;

const menu = () => document.getElementById('message-menu');
const items = () => [...menu().querySelectorAll('[role^=menuitem]')].filter((item) => item.checkVisibility());
const rowOf = (id) => document.getElementById(id);
const isOpen = () => menu()?.matches(':popover-open');

function messages() {
  return [...document.querySelectorAll('#messages > li[id^="message-"]')];
}

function anchor() {
  for (const other of document.querySelectorAll('.menu-anchor')) other.classList.remove('menu-anchor');
  rowOf(openFor)?.querySelector('.bubble').classList.add('menu-anchor');
}

function open(row) {
  // The clipboard is there on secure pages alone.
  const offered = row.dataset.may.split(' ').filter((what) => what !== 'copy' || navigator.clipboard);
  for (const part of menu().querySelectorAll('[data-needs]')) part.hidden = !offered.includes(part.dataset.needs);
  const mine = row.querySelector('.reactions [data-mine] .emoji')?.textContent;
  for (const button of menu().querySelectorAll('[data-emoji]')) {
    button.setAttribute('aria-checked', String(button.dataset.emoji === mine));
  }
  openFor = row.id;
  menu().classList.toggle('at-end', row.matches('.out'));
  anchor();
  menu().showPopover();
  items()[0]?.focus();
}

function close({ focus = true } = {}) {
  const row = rowOf(openFor);
  if (isOpen()) menu().hidePopover();
  if (focus) row?.focus({ preventScroll: true });
}

function address(row, what) {
  return `${menu().dataset.messages}${row.id.slice('message-'.length)}/${what}`;
}

function quoteOf(row) {
  const bubble = row.querySelector('.bubble');
  const shown = bubble.querySelector('.body')?.textContent || bubble.querySelector('img[alt]')?.alt;
  const words = shown || bubble.querySelector('b')?.textContent || '';
  const who = row.matches('.out') ? menu().dataset.you : row.dataset.say?.split(': ')[0] || menu().dataset.name;
  return { id: row.id.slice('message-'.length), who, words: words.replace(/\s+/g, ' ').trim().slice(0, 160) };
}

function toComposer(row, note) {
  close({ focus: false });
  const form = document.getElementById('composer');
  form.dispatchEvent(new CustomEvent('composer:quote', { bubbles: true, detail: { quote: quoteOf(row), note } }));
}

function react(row, emoji) {
  const mine = row.querySelector('.reactions [data-mine] .emoji')?.textContent;
  // What hangs there already is taken back.
  const values = { emoji: emoji === mine ? '' : emoji };
  window.htmx.ajax('POST', address(row, 'reaction'), { source: row, target: '#messages', swap: 'keyed', values });
}

// A reaction that was refused: the reason is said below the composer, as of a message.
document.addEventListener('htmx:responseError', ({ detail }) => {
  if (detail.xhr.status !== 422 || !detail.pathInfo.requestPath.endsWith('/reaction')) return;
  const sentence = detail.xhr.responseText;
  document.getElementById('composer')?.dispatchEvent(new CustomEvent('composer:complain', { bubbles: true, detail: { sentence } }));
});

async function copy(row) {
  const said = document.getElementById('composer-said');
  await navigator.clipboard.writeText(row.querySelector('.bubble .body')?.innerText || '');
  if (said) said.textContent = said.dataset.copied;
}

function dialog(row, what) {
  window.htmx.ajax('GET', address(row, what), { source: row, target: '#dialog-slot' });
}

function act(item) {
  const row = rowOf(openFor);
  if (!row) {
    close();
    return;
  }
  const { emoji } = item.dataset;
  const what = item.dataset.do;
  if (what === 'quote' || what === 'note') {
    toComposer(row, what === 'note');
    return;
  }
  close();
  if (emoji) react(row, emoji);
  else if (what === 'copy') copy(row);
  else if (what === 'react') {
    const detail = { use: (found) => rowOf(row.id) && react(rowOf(row.id), found) };
    row.querySelector('.bubble').dispatchEvent(new CustomEvent('emoji:choose', { bubbles: true, detail }));
  } else dialog(row, what);
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-message-menu]');
  if (button) {
    const row = button.closest('li');
    if (isOpen() && openFor === row.id) close();
    else open(row);
    return;
  }
  const item = event.target.closest('#message-menu [role^=menuitem]');
  if (item) act(item);
  const more = event.target.closest('[data-read-all]');
  if (more) readAll(more.closest('li'));
});

// In the menu: arrows and letters, which are nobody else's meanwhile.
document.addEventListener(
  'keydown',
  (event) => {
    if (!isOpen() || event.ctrlKey || event.metaKey || event.altKey) return;
    const all = items();
    const place = all.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
    if (step) all[(place + step + all.length) % all.length]?.focus();
    else if (event.key === 'Home') all[0]?.focus();
    else if (event.key === 'End') all.at(-1)?.focus();
    else if (event.key === 'Escape' || event.key === 'Tab') close();
    else if (event.key.length === 1 && event.key !== ' ') {
      const item = all.find((each) => each.dataset.key === event.key.toLowerCase());
      if (item) act(item);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

// In the thread: one tab stop, from which arrows lead to the newest message and on.
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !event.target.closest?.('#scroll')) return;
  const row = event.target.closest('#messages > li');
  // Within a message the keys are its own: a film's, a link's.
  if (row && row !== event.target) return;
  const all = messages();
  const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
  if (step && all.length) {
    event.preventDefault();
    const next = row ? all[all.indexOf(row) + step] : all.at(-1);
    next?.focus();
    next?.scrollIntoView({ block: 'nearest' });
  } else if (event.key.toLowerCase() === 'm' && keysAreOn()) {
    event.preventDefault();
    const wanted = row || all.at(-1);
    if (wanted) open(wanted);
  }
});

// A long touch, where there is no pointer to hover with.
let touch = null;
const letGo = () => clearTimeout(touch);
document.addEventListener('touchstart', ({ target }) => {
  const row = target.closest?.('#messages > li[id^="message-"]');
  if (!row || target.closest('a, button, audio, video, input')) return;
  touch = setTimeout(() => open(row), LONG_TOUCH_MS);
}, { passive: true });
for (const end of ['touchend', 'touchmove', 'touchcancel']) document.addEventListener(end, letGo, { passive: true });

// Texts of more than 24 lines: once opened they stay open, also when their row is drawn anew.
const opened = new Set();
function readAll(row) {
  opened.add(row.id);
  row.querySelector('.bubble').classList.remove('long');
  row.querySelector('[data-read-all]').hidden = true;
  row.focus({ preventScroll: true });
}
document.addEventListener('keyed:merged', ({ target }) => {
  if (target.id !== 'messages') return;
  for (const id of opened) if (rowOf(id)?.querySelector('.bubble.long')) readAll(rowOf(id));
  if (isOpen()) anchor();
});
