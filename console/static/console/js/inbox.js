// The inbox around htmx: which conversation is open, moving through the list by keys, what is announced and read.

import { isTyping, keysAreOn } from './shared.js';

const narrow = window.matchMedia('(max-width: 767px)');

// The list: one tab stop, arrows or J and K to move, the open one marked.
function links() {
  return [...document.querySelectorAll('#rows a.row')];
}

function mark() {
  const all = links();
  const open = all.find((link) => link.pathname === window.location.pathname);
  for (const link of all) {
    if (link === open) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
  const stop = all.find((link) => link === document.activeElement) || open || all[0];
  for (const link of all) link.tabIndex = link === stop ? 0 : -1;
}

function move(from, step) {
  const all = links();
  const next = all[Math.max(0, Math.min(all.length - 1, all.indexOf(from) + step))];
  if (!next) return;
  next.focus();
  mark();
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector('dialog[open], :popover-open')) return;
  const isLetter = event.key?.length === 1;
  const inList = event.target.closest('#rows');
  const step = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[isLetter ? event.key.toLowerCase() : event.key];
  if (!step || (isLetter ? !keysAreOn() || isTyping(event.target) : !inList)) return;
  event.preventDefault();
  move(inList ? event.target.closest('a.row') : document.querySelector('#rows [aria-current]'), step);
});

// A conversation has been opened. Focus moves once it has settled: on a phone the list has gone by then, with the row.
document.addEventListener('htmx:pushedIntoHistory', mark);
document.addEventListener('htmx:afterSettle', ({ detail }) => {
  if (detail.target.id !== 'conversation') return;
  document.getElementById(narrow.matches ? 'thread-title' : 'text')?.focus();
  opened();
});

function opened() {
  mark();
  read();
}

// Back in the list, on a phone a page of its own: where it was left.
document.addEventListener('click', (event) => {
  const back = event.target.closest('[data-back]');
  if (back) keepLeft((storage) => storage.setItem('left', back.closest('[data-conversation]').dataset.conversation));
});

function keepLeft(use) {
  try {
    return use(sessionStorage);
  } catch {
    // Full or forbidden: then the list begins at its top.
    return null;
  }
}

function comeBack() {
  const left = keepLeft((storage) => storage.getItem('left'));
  if (!left || document.getElementById('messages')) return;
  keepLeft((storage) => storage.removeItem('left'));
  document.querySelector(`#row-${CSS.escape(left)} a.row`)?.focus();
}

// How many conversations became unread by what came in, aloud; but of the open one the message itself is said.
let unread = new Set();

function unreadRows() {
  return new Set(links().filter((link) => link.matches('.unread')).map((link) => link.pathname));
}

function announceUnread({ triggeringEvent } = {}) {
  const now = unreadRows();
  const fresh = [...now].filter((path) => !unread.has(path) && path !== window.location.pathname).length;
  unread = now;
  if (!fresh || !triggeringEvent?.type.startsWith('live:')) return;
  const { one, many } = document.getElementById('rows').dataset;
  document.getElementById('announcer').textContent = fresh === 1 ? one : many.replace('%s', fresh);
}
document.addEventListener('htmx:afterSwap', ({ detail }) => {
  if (detail.target.id === 'rows' || detail.target.id === 'inbox-list') announceUnread(detail.requestConfig);
});

// Before somebody's eyes is read.
function read() {
  const messages = document.getElementById('messages');
  if (!messages || !('unread' in messages.dataset) || document.visibilityState !== 'visible') return;
  delete messages.dataset.unread;
  window.htmx.ajax('POST', messages.dataset.readUrl, { source: messages, swap: 'none' });
}
document.addEventListener('visibilitychange', read);

// New messages: said aloud when they came in, and a pill when the reader is elsewhere in the thread.
document.addEventListener('keyed:merged', ({ target, detail }) => {
  if (target.id === 'rows') mark();
  if (target.id !== 'messages') return;
  if (target.querySelector('[id^="message-"]')) document.getElementById('messages-empty')?.remove();
  const fresh = detail.added.filter((node) => node.matches('.in') && isNews(node, detail.added));
  if (!fresh.length) return;
  for (const node of fresh) node.classList.add('fresh');
  document.getElementById('announcer').textContent = fresh[fresh.length - 1].dataset.say;
  target.dataset.unread = '';
  read();
  pill(fresh.length);
});

// Nothing that was there already follows it: an older page is no news.
function isNews(node, added) {
  for (let next = node.nextElementSibling; next; next = next.nextElementSibling) {
    if (next.id.startsWith('message-') && !added.includes(next)) return false;
  }
  return true;
}

function pill(count) {
  const scroll = document.getElementById('scroll');
  const button = document.getElementById('new-pill');
  if (Math.abs(scroll.scrollTop) < 80) return;
  const words = button.querySelector('span');
  const total = Number(button.dataset.count || 0) + count;
  button.dataset.count = total;
  words.textContent = total === 1 ? words.dataset.one : words.dataset.many.replace('%s', total);
  button.hidden = false;
}

function hidePill(button) {
  button.hidden = true;
  button.dataset.count = 0;
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('#new-pill');
  if (!button) return;
  document.getElementById('scroll').scrollTop = 0;
  hidePill(button);
});
document.addEventListener(
  'scroll',
  ({ target }) => {
    const button = document.getElementById('new-pill');
    if (target.id === 'scroll' && Math.abs(target.scrollTop) < 8 && button) hidePill(button);
  },
  true,
);

// A quote leads to what it quotes: older pages are loaded until it is there, as many as a reader would wait for.
const PAGES_BACK = 25;

document.addEventListener('click', async (event) => {
  const quote = event.target.closest('a.quote');
  if (!quote || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  const find = () => document.getElementById(quote.hash.slice(1));
  quote.setAttribute('aria-busy', 'true');
  for (let page = 0; page < PAGES_BACK && !find(); page += 1) {
    const more = document.querySelector('#messages-older button');
    if (!more) break;
    await window.htmx.ajax('GET', more.getAttribute('hx-get'), { source: more, target: '#messages', swap: 'keyed' });
  }
  quote.removeAttribute('aria-busy');
  const found = find();
  if (!found) return;
  found.tabIndex = -1;
  found.focus({ preventScroll: true });
  found.scrollIntoView({ block: 'center' });
  found.classList.add('found');
  found.addEventListener('animationend', () => found.classList.remove('found'), { once: true });
});

// A message that changed is asked for again together with those that quote it: one may have been deleted. On the window,
// so after live.js has said which it is.
window.addEventListener('htmx:configRequest', ({ detail }) => {
  const ids = detail.elt.id === 'messages' && detail.parameters.get('ids');
  if (!ids) return;
  const all = new Set(ids.split(','));
  for (const id of ids.split(',')) {
    const quotes = document.querySelectorAll(`#messages a.quote[href="#message-${id}"]`);
    for (const quote of quotes) all.add(quote.closest('li').id.slice('message-'.length));
  }
  detail.parameters.set('ids', [...all].join(','));
});

// The contact's panel follows what changes, but not while it is out of sight or somebody is at it.
function isTaken(panel) {
  const typed = panel.querySelector('#panel-tag')?.value;
  return Boolean(typed) || panel.querySelector('.panel-form') !== null || panel.contains(document.activeElement);
}
document.addEventListener('htmx:beforeRequest', (event) => {
  const panel = event.detail.elt;
  if (panel.id !== 'contact-body' || (panel.checkVisibility() && !isTaken(panel))) return;
  event.preventDefault();
  panel.dataset.stale = '';
});
document.addEventListener('focusout', ({ target, relatedTarget }) => {
  const panel = target.closest?.('#contact-body[data-stale]');
  if (!panel || panel.contains(relatedTarget)) return;
  delete panel.dataset.stale;
  window.htmx.trigger(panel, 'stale');
});

// Typing in the search must not leave the page.
document.addEventListener('submit', (event) => event.target.id === 'list-filter' && event.preventDefault());
// A dialog that has done what it was for.
document.addEventListener('close-dialog', () => document.querySelector('dialog[open]')?.close());
document.addEventListener('htmx:afterSettle', ({ detail }) => detail.target.id === 'inbox-list' && mark());

opened();
comeBack();
unread = unreadRows();
