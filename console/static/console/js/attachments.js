// Files to send: chosen, pasted or dropped, seen before they go, and told when they are too large. They are uploaded at
// once, so that "send" finds them there; until they are sent, tray.js keeps them.

import { csrf, parsed } from './shared.js';
import { dropFile, followTabs, keepFile, keptFiles } from './tray.js';

const tray = new Map();
// Keys of all that were ever in it: what is on its way may still be kept, and is not to be sent again.
const known = new Set();

const KINDS = {
  image: ['image/jpeg', 'image/png', 'image/webp', 'image/gif'],
  video: ['video/mp4', 'video/3gpp'],
  audio: ['audio/ogg', 'audio/mpeg', 'audio/mp4', 'audio/x-m4a', 'audio/aac', 'audio/amr'],
};

const composer = () => document.getElementById('composer');
const ownerOf = (form, conversation) => `${form.dataset.person}:${conversation}`;
const mine = (form) => tray.get(form.dataset.conversation) || [];
const cannotGo = (upload) => upload.isOver || upload.isEmpty || upload.refusal;

// What the server will take it for; it looks at the bytes, which decide.
function kindOf(file) {
  return Object.keys(KINDS).find((kind) => KINDS[kind].includes(file.type)) || 'document';
}

function limitOf(form, kind) {
  const found = form.dataset.limits.split(' ').find((each) => each.startsWith(`${kind}:`));
  return Number(found.split(':')[1]);
}

function sizeInWords(bytes) {
  const [value, unit] = bytes < 1024 * 1024 ? [bytes / 1024, 'kilobyte'] : [bytes / 1024 / 1024, 'megabyte'];
  const digits = { style: 'unit', unit, maximumFractionDigits: value < 10 ? 1 : 0 };
  return new Intl.NumberFormat(document.documentElement.lang, digits).format(value);
}

class Refused extends Error {
  constructor(sentence) {
    super(sentence);
    this.sentence = sentence;
  }
}

// A file on its way to the server. `uploaded()` is the id it has there, asked as often as one likes.
class Upload {
  constructor(form, file, { kind = '', name = file.name, key = '' } = {}) {
    this.name = name || 'file';
    this.size = file.size;
    this.kind = kind || kindOf(file);
    this.takesCaption = this.kind !== 'audio';
    this.blob = file;
    this.url = form.dataset.uploads;
    this.asKind = kind;
    // Uploaded again after an answer that was lost, it is the same file.
    this.key = key || `${Date.now()}-${crypto.getRandomValues(new Uint32Array(4)).join('-')}`;
    this.watchers = new Set();
    this.percent = 0;
  }

  uploaded(watch) {
    if (watch) {
      this.watchers.add(watch);
      watch(this.percent);
    }
    this.promise ??= this.start();
    // What failed may be tried again.
    this.promise.catch(() => (this.promise = null));
    return this.promise;
  }

  abort() {
    this.request?.abort();
    dropFile(this.key);
  }

  async keep(form, conversation = form.dataset.conversation) {
    this.isKept = await keepFile(ownerOf(form, conversation), this);
  }

  start() {
    const body = new FormData();
    body.set('file', this.blob, this.name);
    if (this.asKind) body.set('kind', this.asKind);
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      this.request = request;
      request.open('POST', this.url);
      request.setRequestHeader('X-CSRFToken', csrf());
      request.setRequestHeader('Idempotency-Key', this.key);
      request.upload.onprogress = ({ loaded, total }) => this.tell(Math.floor((loaded / total) * 99));
      request.onerror = request.onabort = request.ontimeout = () => fail(new Error('upload'));
      request.onload = () => {
        const answer = parsed(request.responseText);
        if (request.status < 300 && answer) {
          this.isUploaded = true;
          if (this.isSent) dropFile(this.key);
          this.tell(100);
          done(answer.id);
        } else if (request.status < 500) {
          fail(new Refused(answer?.errors?.[0]?.detail || composer()?.dataset.refused || ''));
        } else {
          fail(new Error('upload'));
        }
      };
      request.send(body);
    });
  }

  tell(percent) {
    this.percent = percent;
    for (const watch of this.watchers) watch(percent);
  }
}

function add(form, files) {
  if (form.classList.contains('is-note')) return;
  for (const file of files) {
    const upload = put(form, new Upload(form, file));
    if (!cannotGo(upload)) upload.keep(form);
  }
  render(form);
  form.elements.text.focus();
}

function put(form, upload) {
  known.add(upload.key);
  upload.isOver = upload.size > limitOf(form, upload.kind);
  upload.isEmpty = upload.size === 0;
  if (upload.kind === 'image' && !upload.isOver) upload.picture = URL.createObjectURL(upload.blob);
  tray.set(form.dataset.conversation, [...mine(form), upload]);
  return upload;
}

function drop(form, upload) {
  upload.abort();
  forget(upload);
  tray.set(form.dataset.conversation, mine(form).filter((each) => each !== upload));
  render(form);
  form.elements.text.focus();
}

function forget(upload) {
  if (upload.picture) URL.revokeObjectURL(upload.picture);
}

function render(form) {
  const list = form.querySelector('#files');
  const all = mine(form);
  list.replaceChildren(...all.map((upload) => row(form, upload)));
  list.hidden = !all.length;
  form.dispatchEvent(new CustomEvent('composer:label', { bubbles: true }));
}

function row(form, upload) {
  const node = form.querySelector('#file-row').content.firstElementChild.cloneNode(true);
  const state = node.querySelector('[data-state]');
  const bar = node.querySelector('progress');
  const picture = node.querySelector('img');
  node.querySelector('b').textContent = upload.name;
  node.querySelector('b').title = upload.name;
  picture.hidden = !upload.picture;
  node.querySelector('.file-icon').hidden = Boolean(upload.picture);
  if (upload.picture) picture.src = upload.picture;
  node.querySelector('[data-remove]').addEventListener('click', () => drop(form, upload));
  const size = sizeInWords(upload.size);
  if (upload.isOver || upload.isEmpty) {
    const limit = sizeInWords(limitOf(form, upload.kind));
    state.textContent = upload.isEmpty ? state.dataset.empty : state.dataset.over.replace('{size}', size).replace('{limit}', limit);
    node.classList.add('is-refused');
    bar.hidden = true;
    return node;
  }
  const again = node.querySelector('[data-repeat]');
  const go = () => {
    node.classList.remove('is-refused');
    again.hidden = true;
    bar.hidden = false;
    upload
      .uploaded((percent) => {
        bar.value = percent;
        state.textContent = percent < 100 ? `${size} · ${percent} %` : `${size} · ${state.dataset.ready}`;
        bar.hidden = percent === 100;
      })
      .catch((error) => {
        upload.refusal = error.sentence;
        state.textContent = error.sentence || state.dataset.failed;
        node.classList.add('is-refused');
        bar.hidden = true;
        again.hidden = Boolean(error.sentence);
      });
  };
  again.addEventListener('click', go);
  go();
  return node;
}

// The composer asks for what is to be sent. What cannot go stays in the tray.
document.addEventListener(
  'composer:files',
  ({ target: form, detail }) => {
    for (const upload of mine(form).filter((each) => !cannotGo(each))) {
      forget(upload);
      detail.files.push(upload);
      upload.isSent = true;
      if (upload.isUploaded) dropFile(upload.key);
    }
    tray.set(form.dataset.conversation, mine(form).filter(cannotGo));
    render(form);
  },
  true,
);
document.addEventListener('composer:record', ({ target: form, detail }) => {
  const file = new Upload(form, detail.blob, { kind: 'audio', name: detail.name });
  form.dispatchEvent(new CustomEvent('composer:voice', { bubbles: true, detail: { file } }));
});

// With what an earlier page has left.
async function restore(form) {
  if (mine(form).length) render(form);
  const files = await keptFiles(ownerOf(form, form.dataset.conversation));
  const fresh = files.filter(({ key }) => !known.has(key));
  for (const { blob, name, key } of fresh) put(form, new Upload(form, blob, { name, key })).isKept = true;
  if (fresh.length) render(form);
}
document.addEventListener('composer:restored', ({ target }) => restore(target), true);
// Sent, or taken out, in another tab.
followTabs((key) => {
  for (const [conversation, files] of tray) tray.set(conversation, files.filter((upload) => upload.key !== key));
  if (composer()) render(composer());
});
// It is about to be part of another conversation, which this page goes to.
document.addEventListener('conversation:became', ({ detail: { was, is } }) => {
  const form = composer();
  if (form?.dataset.conversation === was) for (const upload of mine(form)) upload.keep(form, is);
});
window.addEventListener('beforeunload', (event) => {
  const lost = [...tray.values()].flat().some((upload) => !upload.isKept && !cannotGo(upload));
  if (lost) event.preventDefault();
});

document.addEventListener('change', ({ target }) => {
  if (target.id !== 'file') return;
  add(target.form, [...target.files]);
  target.value = '';
});
document.addEventListener('paste', (event) => {
  const form = event.target.closest?.('#composer');
  if (!form || !event.clipboardData.files.length) return;
  event.preventDefault();
  add(form, [...event.clipboardData.files]);
});

// Dropped anywhere on the thread.
const overThread = (event) => event.dataTransfer?.types.includes('Files') && event.target.closest?.('.thread');
document.addEventListener('dragover', (event) => {
  const thread = overThread(event);
  for (const other of document.querySelectorAll('.thread.is-target')) if (other !== thread) other.classList.remove('is-target');
  if (!thread) return;
  event.preventDefault();
  thread.classList.add('is-target');
});
document.addEventListener('dragleave', (event) => {
  if (!event.relatedTarget) document.querySelector('.thread.is-target')?.classList.remove('is-target');
});
document.addEventListener('drop', (event) => {
  const thread = overThread(event);
  if (!thread) return;
  event.preventDefault();
  thread.classList.remove('is-target');
  if (composer()) add(composer(), [...event.dataTransfer.files]);
});
