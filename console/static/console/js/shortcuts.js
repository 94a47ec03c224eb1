// Single keys of the inbox: each presses a button of the page, or leads to a field. J, K and the arrows are the list's,
// M is the thread's. Off while somebody types, behind an open menu or dialog, and when the profile says so.

import { isPlain, isTyping, keysAreOn } from './shared.js';

// Each tells whether there was anything to do.
const KEYS = {
  '/': search,
  '?': () => {
    const { keys } = document.querySelector('.inbox').dataset;
    window.htmx.ajax('GET', keys, { source: document.body, target: '#dialog-slot' });
    return true;
  },
  r: () => write(false),
  n: () => write(true),
  a: () => press('#assign-to-me'),
  s: () => press('#snooze-button'),
  l: () => press('#labels-button'),
  e: () => press('#resolve-button'),
  u: () => press('#mark-unread'),
};

function press(selector) {
  const button = document.querySelector(selector);
  button?.click();
  return Boolean(button);
}

function search() {
  const field = document.getElementById('list-search');
  // On a phone the list is a page of its own.
  if (!field?.checkVisibility()) return false;
  field.focus();
  return true;
}

// An answer or a note, whatever the composer was at: what is private must not go to the customer by a key too many.
function write(isNote) {
  const mode = document.getElementById('note-mode');
  if (!mode) return false;
  if ((mode.getAttribute('aria-pressed') === 'true') !== isNote) mode.click();
  document.getElementById('text').focus();
  return true;
}

document.addEventListener('keydown', (event) => {
  if (!keysAreOn() || event.defaultPrevented || event.repeat || !isPlain(event) || isTyping(event.target)) return;
  if (document.querySelector('dialog[open], :popover-open')) return;
  const key = event.key?.toLowerCase();
  if (Object.hasOwn(KEYS, key) && KEYS[key]()) event.preventDefault();
});
