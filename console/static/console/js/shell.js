// What every page needs: dialogs that arrive by htmx, focus that returns, the title's unread count, and a word when what
// somebody just did failed to reach us.

let opener = null;

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

// Failures of what a person did. What the page asks for by itself is asked again.
function fail({ detail }) {
  const event = detail.requestConfig?.triggeringEvent;
  if (!event || event.type.startsWith('live:') || !event.isTrusted) return;
  const box = document.getElementById('failure');
  const words = box.querySelector('.words');
  box.hidden = false;
  // Set after it shows, so that it is said aloud. What a role does not allow, the server says in a sentence.
  const refused = detail.xhr?.status === 403 && detail.xhr.getResponseHeader('Content-Type')?.startsWith('text/plain');
  words.textContent = refused ? detail.xhr.responseText : words.dataset.text;
}
document.addEventListener('htmx:responseError', fail);
document.addEventListener('htmx:sendError', fail);
document.addEventListener('click', (event) => {
  if (event.target.closest('#failure [data-close]')) document.getElementById('failure').hidden = true;
});

// The number of unread conversations, before the title.
function showUnread() {
  const unread = Number(document.getElementById('unread-badge')?.dataset.unread || 0);
  const title = document.title.replace(/^\(\d+\) /, '');
  document.title = unread ? `(${unread}) ${title}` : title;
}
document.addEventListener('htmx:oobAfterSwap', showUnread);
document.addEventListener('htmx:afterSettle', showUnread);
showUnread();
