// Writing a campaign: variables and choices are marked in the text, mistakes underlined where the server found them,
// buttons insert what people need not learn, and a file is shown before it is sent.

const form = document.getElementById('campaign-form');
const characters = document.getElementById('characters');
const number = new Intl.NumberFormat(document.documentElement.lang);
const VARIABLE = /\{\{[^{}|\\]*(?:\|(?:\\.|[^{}\\])*)?\}\}/gs;

// The text in which something is inserted: the one that was written in last.
let writing = form.elements.content;

// Marks

// What each character is part of: bits, so that a variable within a choice is both.
const IN_VARIABLE = 1;
const IN_CHOICE = 2;
const WRONG = 4;

function marksOf(text, wrong) {
  const bits = new Uint8Array(text.length);
  const set = (from, to, bit) => {
    for (let at = from; at < Math.min(to, text.length); at += 1) bits[at] |= bit;
  };
  for (const found of text.matchAll(VARIABLE)) set(found.index, found.index + found[0].length, IN_VARIABLE);
  const opened = [];
  for (let at = 0; at < text.length; at += 1) {
    if (bits[at] & IN_VARIABLE) continue;
    if (text[at] === '\\') at += 1;
    else if (text[at] === '{') opened.push(at);
    else if (text[at] === '}' && opened.length) {
      const begin = opened.pop();
      if (!opened.length) set(begin, at + 1, IN_CHOICE);
    }
  }
  for (const { from, to } of wrong) set(from, to, WRONG);
  return bits;
}

// The server counts whole characters, the browser halves of some.
function unitsBefore(text, count) {
  return [...text].slice(0, count).join('').length;
}

function wrongIn(area) {
  const lead = area.value.length - area.value.trimStart().length;
  return [...document.querySelectorAll(`#${CSS.escape(area.id)}_error [data-at]`)].map(({ dataset }) => {
    const text = area.value.trimStart();
    const at = Number(dataset.at);
    return {
      from: lead + unitsBefore(text, at),
      to: lead + unitsBefore(text, at + Number(dataset.length)),
    };
  });
}

function mark(area) {
  const text = area.value;
  const bits = marksOf(text, wrongIn(area));
  const parts = document.createDocumentFragment();
  for (let from = 0; from < text.length; ) {
    let to = from + 1;
    while (to < text.length && bits[to] === bits[from]) to += 1;
    const words = text.slice(from, to);
    if (bits[from]) {
      const part = document.createElement('mark');
      part.classList.toggle('is-variable', Boolean(bits[from] & IN_VARIABLE));
      part.classList.toggle('is-choice', Boolean(bits[from] & IN_CHOICE));
      part.classList.toggle('is-wrong', Boolean(bits[from] & WRONG));
      part.textContent = words;
      parts.append(part);
    } else parts.append(words);
    from = to;
  }
  // A last line that is empty takes its place as well.
  parts.append('\n');
  area.previousElementSibling.replaceChildren(parts);
}

function markAll() {
  for (const area of form.querySelectorAll('.marked textarea')) {
    const problems = document.getElementById(`${area.id}_error`);
    const isWrong = Boolean(problems?.children.length);
    if (isWrong) {
      area.setAttribute('aria-invalid', 'true');
      area.setAttribute('aria-describedby', problems.id);
    } else area.removeAttribute('aria-invalid');
    mark(area);
  }
}

// Inserting

function insert(text, from = writing.selectionStart, to = writing.selectionEnd) {
  writing.focus();
  writing.setRangeText(text, from, to, 'end');
  writing.dispatchEvent(new Event('input', { bubbles: true }));
}

function insertChoice(example) {
  const chosen = writing.value.slice(writing.selectionStart, writing.selectionEnd);
  const begin = writing.selectionStart;
  insert(chosen ? `{${chosen}|}` : example);
  // Where the other words go, or the example, to be written over.
  if (chosen) writing.setSelectionRange(begin + chosen.length + 2, begin + chosen.length + 2);
  else writing.setSelectionRange(begin + 1, begin + example.length - 1);
}

// {{ nome }} becomes {{ nome | … }} wherever it has nothing to stand for it; the first is ready to be written over.
function addFallback(name) {
  const bare = new RegExp(`\\{\\{\\s*${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}\\s*\\}\\}`, 'g');
  const area = [...form.querySelectorAll('.marked textarea')].find((one) => one.value.search(bare) >= 0);
  if (!area) return;
  writing = area;
  const begin = area.value.search(bare);
  const opening = `{{ ${name} | `;
  area.value = area.value.replaceAll(bare, () => `${opening}… }}`);
  area.focus();
  area.setSelectionRange(begin + opening.length, begin + opening.length + 1);
  area.dispatchEvent(new Event('input', { bubbles: true }));
}

form.addEventListener('focusin', ({ target }) => {
  if (target.matches('.marked textarea')) writing = target;
});
form.addEventListener('click', ({ target }) => {
  const button = target.closest('[data-variable], [data-choice], [data-fallback]');
  if (!button) return;
  const { variable, choice, fallback } = button.dataset;
  if (variable) insert(`{{ ${variable} }}`);
  else if (choice) insertChoice(choice);
  else addFallback(fallback);
});

// The file

let shown = null;

function kindOf(file) {
  if (file.type.startsWith('image/')) return 'img';
  return file.type.startsWith('video/') ? 'video' : '';
}

function drawFile() {
  const [file] = form.elements.file.files;
  if (!file) {
    const kept = document.querySelector('#kept-file template');
    return kept && !form.elements.no_file.checked ? kept.content.cloneNode(true) : null;
  }
  const kind = kindOf(file);
  const element = document.createElement(kind || 'p');
  element.className = kind ? 'file-shown' : 'file-line support';
  if (kind) element.src = URL.createObjectURL(file);
  else element.textContent = file.name;
  if (kind === 'img') element.alt = file.name;
  if (kind === 'video') element.controls = true;
  return element;
}

function noteFile() {
  if (shown?.src?.startsWith('blob:')) URL.revokeObjectURL(shown.src);
  shown = drawFile();
  if (shown instanceof DocumentFragment) shown = shown.firstElementChild;
  document.getElementById('with-file').value = shown ? '1' : '';
  placeFile();
}

function placeFile() {
  document.getElementById('preview-file')?.replaceChildren(...(shown ? [shown] : []));
}

// Before the preview is asked for: whether there is a file decides how long the text may be.
form.addEventListener('change', noteFile, { capture: true });

// Another text

const total = form.elements['texts-TOTAL_FORMS'];
const add = document.getElementById('add-text');
add.hidden = false;
add.addEventListener('click', () => {
  const another = document.getElementById('another-text').innerHTML.replaceAll('__prefix__', total.value);
  document.getElementById('texts').insertAdjacentHTML('beforeend', another);
  total.value = Number(total.value) + 1;
  form.elements[`texts-${total.value - 1}-content`].focus();
});

// Keeping up

function count() {
  characters.textContent = characters.dataset.text.replace('%s', number.format(form.elements.content.value.length));
}

// Whether something would be lost with the page; what is typed into a search would not.
let isWritten = false;
form.addEventListener('input', ({ target }) => {
  if (target.matches('.marked textarea')) mark(target);
  if (target.type !== 'search') isWritten = true;
  count();
});
form.addEventListener('submit', () => {
  isWritten = false;
});
window.addEventListener('beforeunload', (event) => {
  if (isWritten) event.preventDefault();
});
document.addEventListener('htmx:afterSettle', ({ detail }) => {
  if (detail.target.id !== 'check') return;
  markAll();
  placeFile();
});
noteFile();
markAll();
count();
