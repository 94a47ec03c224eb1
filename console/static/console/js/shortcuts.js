// Single keys of the inbox: each presses a button of the page, or leads to a field. J, K and the arrows are the list's,
// M is the thread's. Off while somebody types, behind an open menu or dialog, and when the profile says so.

const KEYS = {
  '/': '#list-search',
  r: '#text',
  n: '#note-mode',
  a: '#assign-to-me',
  s: '#snooze-button',
  l: '#labels-button',
  e: '#resolve-button',
  u: '#mark-unread',
};

function isTyping(target) {
  return target.matches?.('input, textarea, select, [contenteditable]');
}

function press(element) {
  if (element.matches('input, textarea')) element.focus();
  else element.click();
}

document.addEventListener('keydown', (event) => {
  if (document.body.dataset.shortcuts === 'off' || event.defaultPrevented) return;
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
  if (document.querySelector('dialog[open], :popover-open')) return;
  if (event.key === '?') {
    event.preventDefault();
    const { keys } = document.querySelector('.inbox').dataset;
    window.htmx.ajax('GET', keys, { source: document.body, target: '#dialog-slot' });
    return;
  }
  const element = document.querySelector(KEYS[event.key.toLowerCase()] || ':not(*)');
  if (!element) return;
  event.preventDefault();
  press(element);
});
