// The search of the header: "/" leads to it, arrows go through what was found below it, Esc leads back out.

import { isPlain, isTyping, keysAreOn } from './shared.js';

const field = () => document.getElementById('search-everything');
const found = () => [...document.querySelectorAll('#search-found a')];

function leave() {
  document.getElementById('search-found')?.replaceChildren();
  document.activeElement.blur();
}

document.addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (key === '/' && keysAreOn() && !event.defaultPrevented) {
    if (isTyping(target) || !isPlain(event)) return;
    if (document.querySelector('dialog[open], :popover-open') || !field()) return;
    event.preventDefault();
    // On a narrow screen the field is on a page of its own.
    if (field().checkVisibility()) field().focus();
    else document.getElementById('search-page')?.click();
    return;
  }
  if (!target.closest?.('.head-search')) return;
  if (key === 'Escape') leave();
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return;
  const stops = [field(), ...found()];
  const next = stops[stops.indexOf(target) + (key === 'ArrowDown' ? 1 : -1)];
  event.preventDefault();
  next?.focus();
});
