// Menus: arrows move through them, a choice closes them, and what changes live behind an open one waits until it has
// closed. A menu with [data-stays] is for several choices. A field with [data-narrows] hides what its text is not in.

function items(menu) {
  return [...menu.querySelectorAll('.menu-item')].filter((item) => item.matches('a, button') && item.checkVisibility());
}

function closed(menu) {
  const state = menu.closest('[data-stale]');
  if (!state || state.querySelector(':popover-open')) return;
  delete state.dataset.stale;
  window.htmx.trigger(state, 'stale');
}

document.addEventListener(
  'toggle',
  ({ target, newState }) => {
    if (!(target instanceof HTMLElement) || !target.matches('.menu')) return;
    if (newState === 'closed') {
      closed(target);
      return;
    }
    const first = target.querySelector('input:not([type=hidden])') || items(target)[0];
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
  const menu = event.target.closest?.('.menu:popover-open');
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || !step) return;
  event.preventDefault();
  const all = items(menu);
  const at = all.indexOf(document.activeElement);
  const next = at < 0 ? all[step > 0 ? 0 : all.length - 1] : all[(at + step + all.length) % all.length];
  next?.focus();
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
  if (target.id === 'thread-state' && requestConfig.elt === target) {
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
  const text = field.value.trim().toLocaleLowerCase();
  const words = [...document.querySelectorAll(`#${field.dataset.narrows} [data-word]`)];
  for (const line of words) line.hidden = !line.dataset.word.toLocaleLowerCase().includes(text);
  const make = field.form.querySelector('[data-make]');
  if (!make) return;
  const label = make.querySelector('[data-words]');
  make.hidden = !text || words.some((line) => line.dataset.word.toLocaleLowerCase() === text);
  label.textContent = label.dataset.words.replace('%s', field.value.trim());
}

document.addEventListener('input', ({ target }) => target.matches('[data-narrows]') && narrow(target));
document.addEventListener('htmx:afterSwap', ({ detail }) => {
  const field = document.querySelector(`[data-narrows="${detail.target.id}"]`);
  if (!field) return;
  if (field.form === detail.requestConfig.elt && !document.querySelector(`#${detail.target.id} [role=alert]`)) {
    field.value = '';
  }
  narrow(field);
});
