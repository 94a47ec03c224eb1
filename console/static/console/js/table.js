// Rows that can be chosen: one, a run with Shift, the page, or all that the filter finds. A change of the list is a new
// choice. What is done to the chosen is up to the buttons of the form.

let last = null;

const boxes = (form) => [...form.querySelectorAll('tbody input[type="checkbox"]')];

function show(form, everybody = false) {
  const all = boxes(form);
  const chosen = all.filter((box) => box.checked);
  const bar = form.querySelector('[data-bulk]');
  if (!bar) return;
  form.querySelector('[data-everybody-field]').value = everybody ? '1' : '';
  form.classList.toggle('choosing', chosen.length > 0);
  bar.hidden = !chosen.length;
  for (const box of all) box.closest('tr').classList.toggle('chosen', box.checked);
  const page = form.querySelector('[data-choose-page]');
  page.checked = chosen.length === all.length && all.length > 0;
  page.indeterminate = chosen.length > 0 && !page.checked;
  const words = bar.querySelector('[data-words]');
  const { one, many, all: everyone } = words.dataset;
  const text = everybody ? everyone : chosen.length === 1 ? one : many.replace('{n}', chosen.length);
  if (words.textContent !== text) words.textContent = text;
  bar.querySelector('[data-everybody]')?.toggleAttribute('hidden', everybody);
}

document.addEventListener('change', ({ target }) => {
  const form = target.closest('[data-choosable]');
  if (!form) return;
  if (target.matches('[data-choose-page]')) for (const box of boxes(form)) box.checked = target.checked;
  show(form);
});

document.addEventListener('click', (event) => {
  const form = event.target.closest('[data-choosable]');
  if (!form) return;
  if (event.target.closest('[data-everybody]')) {
    for (const box of boxes(form)) box.checked = true;
    show(form, true);
    // The button has gone.
    form.querySelector('[data-choose-page]').focus();
  } else if (event.target.closest('[data-none]')) {
    for (const box of boxes(form)) box.checked = false;
    show(form);
    form.querySelector('[data-choose-page]').focus();
  } else if (event.target.matches('tbody input[type="checkbox"]')) {
    const all = boxes(form);
    const [from, to] = [all.indexOf(last), all.indexOf(event.target)].sort((one, other) => one - other);
    if (event.shiftKey && from >= 0) for (const box of all.slice(from, to + 1)) box.checked = event.target.checked;
    last = event.target;
    show(form);
  }
});

// The browser may have kept the boxes of a page that somebody comes back to.
const showAll = () => document.querySelectorAll('[data-choosable]').forEach((form) => show(form));
document.addEventListener('htmx:afterSettle', ({ target }) => target.querySelectorAll?.('[data-choosable]').forEach((form) => show(form)));
window.addEventListener('pageshow', showAll);
showAll();
