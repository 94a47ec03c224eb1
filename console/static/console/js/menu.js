// Menus of links by keyboard: arrows, Home and End move, and a field in a menu leaves those whose words have what was
// typed. A menu opens and closes by itself (popover).

const items = (menu) => [...menu.querySelectorAll('a.menu-item, button.menu-item')].filter((item) => !item.hidden);

document.addEventListener('keydown', (event) => {
  const menu = event.target.closest?.('.menu[popover]');
  if (!menu || !['ArrowDown', 'ArrowUp', 'Home', 'End'].includes(event.key)) return;
  const isTyping = event.target.matches('input');
  if (isTyping && ['Home', 'End'].includes(event.key)) return;
  const all = items(menu);
  const here = all.indexOf(document.activeElement);
  const places = { ArrowDown: here + 1, ArrowUp: here < 0 ? all.length - 1 : here - 1, Home: 0, End: all.length - 1 };
  event.preventDefault();
  all[(places[event.key] + all.length) % all.length]?.focus();
});

const folded = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

document.addEventListener('input', ({ target }) => {
  const menu = target.closest('.menu[popover]');
  if (!menu || !target.matches('[data-narrows]')) return;
  const words = folded(target.value).split(/\s+/).filter(Boolean);
  for (const item of menu.querySelectorAll('.menu-item[href]')) {
    const text = folded(item.textContent);
    item.hidden = !words.every((word) => text.includes(word));
  }
  menu.querySelector('[data-nothing]').hidden = items(menu).length > 0;
});

document.addEventListener(
  'toggle',
  ({ target, newState }) => {
    if (!(target instanceof HTMLElement) || !target.matches('.menu[popover]') || newState !== 'open') return;
    (target.querySelector('[data-narrows], [aria-current="true"]') || items(target)[0])?.focus();
  },
  true,
);

// Enter in the field takes the first that is left.
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !event.target.matches?.('[data-narrows]')) return;
  event.preventDefault();
  items(event.target.closest('.menu[popover]'))[0]?.click();
});
