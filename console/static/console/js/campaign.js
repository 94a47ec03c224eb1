// A campaign's form: only the fields that the choices ask for, what is inserted, and how long the text is.

const form = document.getElementById('campaign-form');
const characters = document.getElementById('characters');

function show() {
  for (const part of form.querySelectorAll('[data-when]')) {
    const [name, value] = part.dataset.when.split('=');
    part.hidden = form.elements[name].value !== value;
  }
  const text = form.elements.content.value;
  characters.textContent = characters.dataset.text.replace('%s', new Intl.NumberFormat(document.documentElement.lang).format(text.length));
}

form.addEventListener('click', (event) => {
  const button = event.target.closest('[data-insert]');
  if (!button) return;
  const text = form.elements.content;
  text.setRangeText(button.dataset.insert, text.selectionStart, text.selectionEnd, 'end');
  text.focus();
  text.dispatchEvent(new Event('input', { bubbles: true }));
});
form.addEventListener('input', show);
show();
