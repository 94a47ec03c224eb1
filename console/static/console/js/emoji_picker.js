// The emoji: for the text, or as a reaction. The list is loaded when it is opened first.

import { folded } from './shared.js';

const COLUMNS = 8;

let list = null;
// What is done with the emoji that is chosen.
let chosen = null;

const panel = () => document.getElementById('emoji-panel');
const buttons = () => [...document.querySelectorAll('#emoji-grid button')];

async function show(opener, use) {
  chosen = use;
  document.querySelector('.emoji-anchor')?.classList.remove('emoji-anchor');
  opener.classList.add('emoji-anchor');
  list ??= (await import(panel().dataset.list)).default;
  const search = document.getElementById('emoji-search');
  search.value = '';
  fill('');
  panel().showPopover();
  search.focus();
}

function fill(query) {
  const words = folded(query).split(' ').filter(Boolean);
  const language = document.documentElement.lang.startsWith('pt') ? 1 : 2;
  const found = list.filter((row) => words.every((word) => folded(`${row[1]} ${row[2]}`).includes(word)));
  const fresh = found.map((row, place) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = row[0];
    button.title = row[language].split(',')[0];
    button.setAttribute('aria-label', button.title);
    button.tabIndex = place ? -1 : 0;
    return button;
  });
  document.getElementById('emoji-grid').replaceChildren(...fresh);
  document.getElementById('emoji-none').hidden = fresh.length > 0;
}

function pick(emoji) {
  const use = chosen;
  panel().hidePopover();
  use?.(emoji);
}

document.addEventListener('click', ({ target }) => {
  const opener = target.closest('#emoji-button');
  if (opener) {
    if (panel().matches(':popover-open')) panel().hidePopover();
    else show(opener, (text) => opener.form.dispatchEvent(new CustomEvent('composer:insert', { bubbles: true, detail: { text } })));
  }
  const button = target.closest('#emoji-grid button');
  if (button) pick(button.textContent);
});
document.addEventListener('emoji:choose', ({ target, detail }) => show(target, detail.use));
document.addEventListener('input', ({ target }) => target.id === 'emoji-search' && fill(target.value));

document.addEventListener('keydown', (event) => {
  if (!event.target.closest?.('#emoji-panel')) return;
  const all = buttons();
  const place = all.indexOf(event.target);
  if (event.key === 'Enter' && event.target.id === 'emoji-search') {
    event.preventDefault();
    if (all[0]) pick(all[0].textContent);
    return;
  }
  const step = { ArrowDown: COLUMNS, ArrowUp: -COLUMNS, ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || (place < 0 && event.key !== 'ArrowDown')) return;
  event.preventDefault();
  event.stopPropagation();
  const next = place < 0 ? 0 : place + step;
  if (next < 0) document.getElementById('emoji-search').focus();
  else all[Math.min(next, all.length - 1)]?.focus();
});
