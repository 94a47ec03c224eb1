// The outbox: what the composer has sent waits here (localStorage) until the server has answered for it.
//
// Each carries a key that the server knows: sent again after an answer that was lost, it is the same message. So it is
// tried again by itself, in the order in which it was written, also after a reload. A note has no such key: after a lost
// answer a person decides.

import { csrf, parsed } from './shared.js';

const RETRY_MS = [2000, 5000, 10000, 30000];
const PATIENCE_MS = 30000;

const outbox = [];
const nodes = new Map();
const busy = new Set();
const failures = new Map();
let count = 0;

const composer = () => document.getElementById('composer');

// As crypto.randomUUID, which is there on secure pages alone.
function uuid() {
  const digit = (each) => (Number(each) ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (Number(each) / 4)))).toString(16);
  return '10000000-1000-4000-8000-100000000000'.replace(/[018]/g, digit);
}

function keys() {
  try {
    return Object.keys(localStorage);
  } catch {
    return [];
  }
}

// The bubble of what is on its way

function show(form, entry) {
  const node = form.querySelector('#pending-message').content.firstElementChild.cloneNode(true);
  count += 1;
  node.id = `pending-${count}`;
  // After every real one.
  node.dataset.order = `~${String(count).padStart(6, '0')}`;
  node.classList.toggle('is-note', Boolean(entry.note));
  node.querySelector('.body').textContent = entry.text;
  if (entry.name) {
    node.querySelector('.file-line').hidden = false;
    node.querySelector('.file-line span').textContent = entry.name;
  }
  const clock = { hour: '2-digit', minute: '2-digit', hour12: false };
  node.querySelector('time').textContent = new Intl.DateTimeFormat(document.documentElement.lang, clock).format(entry.at);
  node.addEventListener('click', ({ target }) => {
    if (target.closest('[data-again]')) again(entry);
    if (target.closest('[data-discard]')) discard(entry);
  });
  nodes.get(entry.key)?.remove();
  nodes.set(entry.key, node);
  document.getElementById('messages').append(node);
  document.getElementById('messages-empty')?.remove();
  if (entry.state) tell(entry, entry.state);
}

function tell(entry, state) {
  entry.state = state;
  const aside = nodes.get(entry.key)?.querySelector('.aside');
  if (!aside) return;
  aside.hidden = !state;
  aside.querySelector('span').textContent = state ? aside.dataset[state] : '';
}

function progress(entry, percent) {
  const bar = nodes.get(entry.key)?.querySelector('progress');
  if (!bar) return;
  bar.hidden = percent >= 100;
  bar.value = percent;
}

function storeKey(entry) {
  return `outbox:${entry.person}:${entry.key}`;
}

function store(entry) {
  // A file that has not been uploaded cannot outlive the page; nor what the browser does not take.
  entry.isHereOnly = true;
  if (entry.file) return;
  const { state, isHereOnly, ...kept } = entry;
  try {
    localStorage.setItem(storeKey(entry), JSON.stringify(kept));
    entry.isHereOnly = false;
  } catch {
    // It is sent all the same.
  }
}

function put(form, entry) {
  Object.assign(entry, {
    key: uuid(),
    person: form.dataset.person,
    conversation: form.dataset.conversation,
    url: entry.note ? form.dataset.notes : form.getAttribute('action'),
    at: Date.now(),
  });
  outbox.push(entry);
  store(entry);
  show(form, entry);
  deliver(entry.conversation);
}

function remove(entry) {
  if (outbox.includes(entry)) outbox.splice(outbox.indexOf(entry), 1);
  try {
    localStorage.removeItem(storeKey(entry));
  } catch {
    // Nothing is there.
  }
  nodes.get(entry.key)?.remove();
  nodes.delete(entry.key);
  failures.delete(entry.conversation);
}

function discard(entry) {
  entry.file?.abort();
  remove(entry);
  deliver(entry.conversation);
}

function again(entry) {
  tell(entry, '');
  deliver(entry.conversation);
}

// One at a time and in order: what was written first arrives first.
async function deliver(conversation) {
  if (busy.has(conversation)) return;
  busy.add(conversation);
  try {
    for (;;) {
      // A note that waits for a person keeps nothing else waiting.
      const entry = outbox.find((each) => each.conversation === conversation && each.state !== 'unknown');
      if (!entry || !(await attempt(entry))) break;
    }
  } finally {
    busy.delete(conversation);
  }
}

// Whether the next may go.
async function attempt(entry) {
  if (!navigator.onLine) {
    tell(entry, 'waiting');
    return false;
  }
  tell(entry, '');
  let answer;
  let body;
  let sentAt;
  try {
    if (entry.file) {
      entry.attachment = await entry.file.uploaded((percent) => progress(entry, percent));
      delete entry.file;
      store(entry);
    }
    if (!outbox.includes(entry)) return true;
    sentAt = performance.now();
    answer = await post(entry);
    body = await answer.text();
  } catch (refusal) {
    if (!outbox.includes(entry)) return true;
    if (refusal?.sentence) {
      refuse(entry, `${entry.name}: ${refusal.sentence}`);
      return true;
    }
    return later(entry);
  }
  const elsewhere = answer.headers.get('HX-Redirect');
  if (elsewhere) {
    // The session has ended, or is somebody else's: it waits in the outbox, and goes after the log-in.
    window.location.assign(elsewhere);
    return false;
  }
  if (answer.status >= 500) return later(entry);
  if (answer.ok) {
    remove(entry);
    merge(entry, body);
    document.dispatchEvent(new CustomEvent('live:answered', { detail: { sentAt } }));
    return true;
  }
  const plain = answer.headers.get('Content-Type')?.startsWith('text/plain');
  refuse(entry, plain ? body : composer()?.dataset.refused || '');
  return true;
}

function post(entry) {
  const body = new URLSearchParams({ text: entry.text, key: entry.key });
  if (entry.replyTo) body.set('reply_to', entry.replyTo);
  if (entry.attachment) body.set('attachment', entry.attachment);
  if (entry.voice) body.set('voice', 'on');
  return fetch(entry.url, {
    method: 'POST',
    headers: {
      'HX-Request': 'true',
      'HX-Current-URL': window.location.href,
      'X-CSRFToken': csrf(),
      'X-Person': entry.person,
    },
    body,
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
}

function later(entry) {
  if (entry.note) {
    tell(entry, 'unknown');
    return true;
  }
  tell(entry, navigator.onLine ? 'retrying' : 'waiting');
  const tries = failures.get(entry.conversation) || 0;
  failures.set(entry.conversation, tries + 1);
  setTimeout(() => deliver(entry.conversation), RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
  return false;
}

function merge(entry, html) {
  const list = document.getElementById('messages');
  if (!list || composer()?.dataset.conversation !== entry.conversation) return;
  const style = { swapStyle: 'keyed', swapDelay: 0, settleDelay: 0 };
  window.htmx.swap(list, html, style, { contextElement: list, eventInfo: { elt: list, target: list } });
}

// What the server refused goes back to where it was written.
function refuse(entry, sentence) {
  remove(entry);
  document.dispatchEvent(new CustomEvent('outbox:refused', { detail: { entry, sentence } }));
}

document.addEventListener('outbox:put', ({ target, detail }) => put(target, detail.entry));
// Another tab has got rid of it: it has been discarded there, or sent.
window.addEventListener('storage', ({ key, newValue }) => {
  const entry = newValue === null && outbox.find((each) => storeKey(each) === key);
  if (entry) remove(entry);
});

window.addEventListener('online', () => {
  failures.clear();
  start();
});
window.addEventListener('beforeunload', (event) => outbox.some((entry) => entry.isHereOnly) && event.preventDefault());

// What the last page did not get rid of. On the inbox without a conversation nobody's outbox is looked at.
function reopen() {
  const form = composer();
  if (!form) return;
  const mine = keys().filter((key) => key.startsWith(`outbox:${form.dataset.person}:`));
  const kept = mine.map((key) => parsed(localStorage.getItem(key)));
  const found = kept.filter((entry) => entry && !outbox.some(({ key }) => key === entry.key));
  // A note may have been saved before the page was left.
  for (const entry of found) if (entry.note) entry.state = 'unknown';
  outbox.push(...found.sort((one, other) => one.at - other.at));
}

function start() {
  reopen();
  const form = composer();
  if (form) for (const entry of outbox) if (entry.conversation === form.dataset.conversation) show(form, entry);
  for (const conversation of new Set(outbox.map((entry) => entry.conversation))) deliver(conversation);
}

document.addEventListener('htmx:afterSwap', ({ detail }) => detail.target.id === 'conversation' && start());
start();
