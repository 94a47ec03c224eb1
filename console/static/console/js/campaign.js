// The new campaign's form: only the fields that the choices ask for, a preview, and how long the text is.

const form = document.getElementById('campaign-form');
const preview = document.getElementById('preview');
const characters = document.getElementById('characters');

function show() {
  for (const part of form.querySelectorAll('[data-when]')) {
    const [name, value] = part.dataset.when.split('=');
    part.hidden = form.elements[name].value !== value;
  }
  const text = form.elements.content.value;
  preview.textContent = text || preview.dataset.empty;
  characters.textContent = characters.dataset.text.replace('%s', new Intl.NumberFormat(document.documentElement.lang).format(text.length));
}

form.addEventListener('input', show);
show();
