// What every page needs: dialogs that arrive by htmx, focus that returns, the title's unread count, and a word when what
// somebody just did failed to reach us.

import { csrf } from './shared.js';

let opener = null;
let wasState = '';

document.addEventListener('htmx:afterSwap', ({ detail }) => {
  if (detail.target.id !== 'dialog-slot') return;
  const dialog = detail.target.querySelector('dialog');
  if (!dialog) return;
  const source = detail.requestConfig?.elt;
  if (source && !source.closest('dialog')) opener = source.id ? `#${source.id}` : source;
  dialog.showModal();
  dialog.querySelector('[aria-invalid="true"], input:not([type=hidden]), button[type=submit]')?.focus();
});

document.addEventListener('click', (event) => {
  if (event.target.closest('dialog [data-close]')) event.target.closest('dialog').close();
});

document.addEventListener(
  'close',
  ({ target }) => {
    if (!(target instanceof HTMLDialogElement)) return;
    target.remove();
    const element = typeof opener === 'string' ? document.querySelector(opener) : opener;
    element?.focus();
    opener = null;
  },
  true,
);

// What this page sends carries the token of now, and whose page it is (console/pages.py).
document.addEventListener('htmx:configRequest', ({ detail }) => {
  detail.headers['X-CSRFToken'] = csrf();
  if (detail.parameters.csrfmiddlewaretoken) detail.parameters.csrfmiddlewaretoken = csrf();
});
document.addEventListener(
  'submit',
  ({ target }) => {
    const field = target.querySelector('[name=csrfmiddlewaretoken]');
    if (field) field.value = csrf();
  },
  true,
);

// Failures of what a person did. What the page asks for by itself is asked again.
function fail({ detail }) {
  const event = detail.requestConfig?.triggeringEvent;
  if (!event || event.type.startsWith('live:') || !event.isTrusted) return;
  // What it asks about is gone.
  if (detail.xhr?.status === 404) document.querySelector('dialog[open]')?.close();
  const box = document.getElementById('failure');
  const words = box.querySelector('.words');
  box.hidden = false;
  // Set after it shows, so that it is said aloud. What a role does not allow, cannot be or is gone, the server says in a sentence.
  const refused = [403, 404, 422].includes(detail.xhr?.status) && detail.xhr.getResponseHeader('Content-Type')?.startsWith('text/plain');
  words.textContent = refused ? detail.xhr.responseText : words.dataset.text;
}
document.addEventListener('htmx:responseError', fail);
document.addEventListener('htmx:sendError', fail);
document.addEventListener('click', (event) => {
  if (event.target.closest('#failure [data-close]')) document.getElementById('failure').hidden = true;
});

// Where the list of settings is a strip, the page that is open is in sight.
document.querySelector('.settings-tabs [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' });

// The number of unread conversations, before the title.
function showUnread() {
  const unread = Number(document.getElementById('unread-badge')?.dataset.unread || 0);
  const title = document.title.replace(/^\(\d+\) /, '');
  document.title = unread ? `(${unread}) ${title}` : title;
}
document.addEventListener('htmx:oobAfterSwap', showUnread);
document.addEventListener('htmx:afterSettle', showUnread);
showUnread();

// The number's state is told once it is another.
document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  if (detail.target.id === 'number-state') wasState = detail.target.querySelector('.words').textContent;
});
document.addEventListener('htmx:afterSettle', () => {
  const state = document.querySelector('#number-state .words')?.textContent;
  if (state && wasState && state !== wasState) document.getElementById('announcer').textContent = state;
  wasState = '';
});

// The file that was chosen is named beside its button.
document.addEventListener('change', ({ target }) => {
  const name = target.closest?.('.file-pick')?.querySelector('.file-name');
  if (name) name.textContent = target.files[0]?.name || name.dataset.none;
});

// What has to be put right is in sight, however long the page.
document.querySelector('main [aria-invalid="true"]')?.focus();

// What answers a form by its page and not by another address: made anew, it would make a second one.
const made = document.querySelector('[data-reload]');
if (made) history.replaceState(null, '', made.dataset.reload);

// A secret that is shown once is copied by its button, where the browser lets us.
document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    document.getElementById('announcer').textContent = button.dataset.copied;
    button.querySelector('.words').textContent = button.dataset.copied;
  } catch {
    // It stays selected, for the keyboard's own copy.
  }
});
