// Who receives a campaign: only the fields that the choice asks for, and a search where there is much to choose from.

import { folded } from './shared.js';

const form = document.getElementById('campaign-form');
// Fewer than this are seen at a glance.
const MANY = 12;

function show() {
  for (const part of form.querySelectorAll('[data-when]')) {
    const [name, value] = part.dataset.when.split('=');
    part.hidden = form.elements[name].value !== value;
  }
}

for (const picker of form.querySelectorAll('[data-filtered]')) {
  const choices = [...picker.querySelectorAll('.choice')];
  if (choices.length < MANY) continue;
  const label = document.getElementById('picker-search').content.firstElementChild.cloneNode(true);
  const input = label.querySelector('input');
  picker.before(label);
  input.addEventListener('input', (event) => {
    // Nothing has been chosen by it.
    event.stopPropagation();
    const wanted = folded(input.value);
    for (const choice of choices) choice.hidden = !folded(choice.textContent).includes(wanted) && !choice.querySelector(':checked');
  });
}

form.addEventListener('input', show);
show();
