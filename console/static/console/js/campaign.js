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

// The preview is asked for without the file: whether there is one decides how long the text may be.
function noteFile() {
  const kept = form.elements.no_file && !form.elements.no_file.checked;
  document.getElementById('with-file').value = form.elements.file.files.length || kept ? '1' : '';
}

const total = form.elements['texts-TOTAL_FORMS'];
const add = document.getElementById('add-text');
add.hidden = false;
add.addEventListener('click', () => {
  const another = document.getElementById('another-text').innerHTML.replaceAll('__prefix__', total.value);
  document.getElementById('texts').insertAdjacentHTML('beforeend', another);
  total.value = Number(total.value) + 1;
  form.elements[`texts-${total.value - 1}-content`].focus();
});

form.addEventListener('change', noteFile, { capture: true });
form.addEventListener('click', (event) => {
  const button = event.target.closest('[data-insert]');
  if (!button) return;
  const text = form.elements.content;
  text.setRangeText(button.dataset.insert, text.selectionStart, text.selectionEnd, 'end');
  text.focus();
  text.dispatchEvent(new Event('input', { bubbles: true }));
});
form.addEventListener('input', show);
noteFile();
show();
