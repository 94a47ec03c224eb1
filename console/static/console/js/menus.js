// Menus: arrows, Home and End move through them, a choice closes them, and what changes live behind an open one waits
// until it has closed. A menu with [data-stays] is for several choices. A field with [data-narrows], the id of a list,
// leaves those of its lines ([data-word]) that have the words typed; Enter takes the first, where no form is sent.

import { folded } from './shared.js';

function items(menu) {
  return [...menu.querySelectorAll('.menu-item')].filter((item) => item.matches('a, button') && item.checkVisibility());
}

function closed(menu) {
  const state = menu.closest('[data-stale]');
  if (!state || state.querySelector(':popover-open')) return;
  delete state.dataset.stale;
  window.htmx.trigger('#state-live', 'stale');
}

document.addEventListener(
  'toggle',
  ({ target, newState }) => {
    if (!(target instanceof HTMLElement) || !target.matches('.menu')) return;
    if (newState === 'closed') {
      closed(target);
      return;
    }
    // The event comes after the first keys of somebody quick.
    if (target.contains(document.activeElement)) return;
    const first = target.querySelector('input:not([type=hidden]), a[aria-current="true"]') || items(target)[0];
    first?.focus();
  },
  true,
);

// A menu that leads to another makes room for it.
document.addEventListener('click', (event) => {
  const item = event.target.closest('.menu:popover-open [popovertarget]');
  if (!item) return;
  event.preventDefault();
  item.closest('.menu').hidePopover();
  document.getElementById(item.getAttribute('popovertarget')).showPopover();
});

document.addEventListener('keydown', (event) => {
  const menu = [...document.querySelectorAll('.menu:popover-open')].at(-1);
  if (!menu || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
  if (event.target.matches('input') && ['Home', 'End'].includes(event.key)) return;
  event.preventDefault();
  const all = items(menu);
  const here = all.indexOf(document.activeElement);
  const places = { ArrowDown: here + 1, ArrowUp: here < 0 ? all.length - 1 : here - 1, Home: 0, End: all.length - 1 };
  all[(places[event.key] + all.length) % all.length]?.focus();
});

// A choice: the answer brings the menu anew, so this one goes first, and focus is back at its button.
document.addEventListener('htmx:beforeRequest', ({ detail }) => {
  const menu = detail.elt.closest('.menu:popover-open');
  if (menu && !('stays' in menu.dataset)) menu.hidePopover();
});

document.addEventListener('htmx:beforeSwap', (event) => {
  const { target, requestConfig } = event.detail;
  const open = target.querySelector('.menu:popover-open');
  if (!open) return;
  if (target.id === 'thread-state' && requestConfig.elt.id === 'state-live') {
    event.detail.shouldSwap = false;
    target.dataset.stale = '';
  } else if ('stays' in open.dataset) {
    // Open again afterwards, where it was.
    const { id } = open;
    const focused = document.activeElement.id;
    const again = () => {
      document.getElementById(id)?.showPopover({ source: document.querySelector(`[popovertarget="${id}"]`) });
      document.getElementById(focused)?.focus();
    };
    target.parentElement.addEventListener('htmx:afterSettle', again, { once: true });
  }
});

// What is typed narrows a menu, and may become a new line of it.
function narrow(field) {
  const lines = [...document.querySelectorAll(`#${field.dataset.narrows} [data-word]`)];
  const words = folded(field.value).split(/\s+/).filter(Boolean);
  for (const line of lines) line.hidden = !words.every((word) => folded(line.dataset.word).includes(word));
  const nothing = field.closest('.menu').querySelector('[data-nothing]');
  if (nothing) nothing.hidden = lines.some((line) => !line.hidden);
  const make = field.form?.querySelector('[data-make]');
  if (!make) return;
  const text = field.value.trim();
  const label = make.querySelector('[data-words]');
  make.hidden = !text || lines.some((line) => line.dataset.word.toLocaleLowerCase() === text.toLocaleLowerCase());
  label.textContent = label.dataset.words.replace('%s', text);
}

document.addEventListener('input', ({ target }) => target.matches('[data-narrows]') && narrow(target));
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !event.target.matches?.('[data-narrows]') || event.target.form) return;
  event.preventDefault();
  items(event.target.closest('.menu'))[0]?.click();
});
document.addEventListener('htmx:afterSwap', ({ detail }) => {
  const field = document.querySelector(`[data-narrows="${detail.target.id}"]`);
  if (!field) return;
  if (field.form === detail.requestConfig.elt && !document.querySelector(`#${detail.target.id} [role=alert]`)) {
    field.value = '';
  }
  narrow(field);
});
