// Canned replies: "/" in an empty composer opens the list, typing filters it, arrows choose, Enter puts the text in. The
// server fills in the contact's name.

const WAIT_MS = 120;

let asked = null;
let timer = null;
// Opened by its button, the list stands beside whatever has been typed.
let byButton = false;

const box = () => document.getElementById('canned');
const options = () => [...document.querySelectorAll('#canned-list [role=option]')];
const chosen = () => document.querySelector('#canned-list [aria-selected=true]');
const isOpen = () => box() && !box().hidden;

function choose(option) {
  const text = document.getElementById('text');
  for (const each of options()) each.setAttribute('aria-selected', String(each === option));
  if (option) text.setAttribute('aria-activedescendant', option.id);
  else text.removeAttribute('aria-activedescendant');
  option?.scrollIntoView({ block: 'nearest' });
}

function close() {
  if (!box()) return;
  clearTimeout(timer);
  asked?.abort();
  byButton = false;
  box().hidden = true;
  choose(null);
}

async function open(query) {
  asked?.abort();
  asked = new AbortController();
  const list = document.getElementById('canned-list');
  try {
    const headers = { 'HX-Request': 'true' };
    const answer = await fetch(`${box().dataset.url}?q=${encodeURIComponent(query)}`, { signal: asked.signal, headers });
    if (!answer.ok) return;
    // Our own server's template, which escapes what people wrote.
    const html = await answer.text();
    if (!list.isConnected) return;
    list.innerHTML = html;
  } catch {
    return;
  }
  box().hidden = false;
  choose(options()[0]);
}

function insert(option) {
  const form = document.getElementById('composer');
  // What was typed to find it gives way.
  const from = byButton ? undefined : 0;
  close();
  form.dispatchEvent(new CustomEvent('composer:insert', { bubbles: true, detail: { text: option.dataset.text, from } }));
}

document.addEventListener('input', ({ target }) => {
  if (target.id !== 'text') return;
  const query = /^\/(\S*)$/.exec(target.value);
  clearTimeout(timer);
  if (!query) {
    if (isOpen()) close();
    return;
  }
  byButton = false;
  timer = setTimeout(() => open(query[1]), isOpen() ? WAIT_MS : 0);
});

// Before the composer takes Enter for "send".
document.addEventListener(
  'keydown',
  (event) => {
    if (!isOpen() || event.target.id !== 'text' || event.isComposing) return;
    const all = options();
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && all.length) {
      choose(all[(all.indexOf(chosen()) + step + all.length) % all.length]);
    } else if ((event.key === 'Enter' || event.key === 'Tab') && chosen()) {
      insert(chosen());
    } else if (event.key === 'Escape') {
      close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  },
  true,
);

document.addEventListener('click', ({ target }) => {
  const option = target.closest('#canned-list [role=option]');
  if (option) {
    insert(option);
  } else if (target.closest('#canned-button')) {
    const was = isOpen();
    close();
    document.getElementById('text').focus();
    if (was) return;
    byButton = true;
    open('');
  } else if (isOpen() && !target.closest('#canned, #text')) {
    close();
  }
});
document.addEventListener('focusout', ({ target, relatedTarget }) => {
  if (target.id !== 'text' || !isOpen() || relatedTarget?.closest('#canned, #canned-button')) return;
  // A click into the list takes the focus for a moment.
  setTimeout(() => document.activeElement?.id !== 'text' && close(), 150);
});
