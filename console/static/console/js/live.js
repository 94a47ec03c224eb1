// Turns the unit's live feed into events on <body>, on which htmx refetches the parts concerned:
//
//   live:connection · live:conversations · live:attention · live:campaigns · live:campaign-<id> · live:thread-<conversation id>
//
// The last one carries the ids of the messages that changed. Events of one name are coalesced. Without the stream the
// feed is asked every 5 s, and the page says so. Every start of the stream asks once for what came since the page was
// rendered, so nothing falls between the two.

const COALESCE_MS = 250;
const POLL_MS = 5000;
const RETRY_MS = 15000;
// More than these would not fit into an address: then the newest page is asked for.
const MAX_IDS = 100;
// A reconnect is quicker than this, and not worth a word.
const PATIENCE_MS = 4000;

const { liveUrl, changesUrl } = document.body.dataset;
const note = document.getElementById('live-note');
let seq = Number(document.body.dataset.liveSeq);
let source = null;
let polling = null;
let patience = null;

// Coalescing: the first event of a name waits a moment for others of its name.
const waiting = new Map();

function announce(name, id) {
  const ids = waiting.get(name);
  if (ids) {
    if (id) ids.add(id);
    return;
  }
  waiting.set(name, new Set(id ? [id] : []));
  setTimeout(() => {
    const all = [...waiting.get(name)];
    waiting.delete(name);
    document.body.dispatchEvent(new CustomEvent(name, { detail: { ids: all.length > MAX_IDS ? '' : all.join(',') } }));
  }, COALESCE_MS);
}

function receive(kind, data) {
  if (kind === 'message') {
    announce(`live:thread-${data.conversation_id}`, data.id);
    announce('live:conversations');
  } else if (kind === 'conversation') {
    // It has become part of another, and this page shows what is no more.
    if (data.merged_into && window.location.pathname.includes(data.id)) {
      window.location.assign(window.location.pathname.replace(data.id, data.merged_into));
    }
    if (data.note_id) announce(`live:thread-${data.id}`, data.note_id);
    announce(`live:conversation-${data.id}`);
    announce('live:conversations');
  } else if (kind === 'answering') {
    announce(`live:answering-${data.id}`);
  } else if (kind === 'connection') {
    announce('live:connection');
  } else if (kind === 'campaign') {
    announce(`live:campaign-${data.id}`);
    announce('live:campaigns');
  } else if (kind === 'attention') {
    announce('live:attention');
  }
}

document.addEventListener('htmx:configRequest', ({ detail }) => {
  const ids = detail.triggeringEvent?.detail?.ids;
  if (ids && detail.triggeringEvent.type.startsWith('live:thread-')) detail.parameters.set('ids', ids);
});

async function catchUp() {
  const answer = await fetch(`${changesUrl}?after=${seq}`, { credentials: 'same-origin' });
  if (answer.status === 401 || answer.status === 403 || answer.status === 404) {
    // The session has ended, or the unit is ours no longer: the page itself says which.
    window.location.reload();
    return;
  }
  if (!answer.ok) throw new Error(`changes: ${answer.status}`);
  const { results, last_seq: last, reset } = await answer.json();
  if (reset) {
    window.location.reload();
    return;
  }
  for (const change of results) {
    if (change.seq <= seq) continue;
    receive(change.kind, { ...change.data, id: change.id });
    seq = change.seq;
  }
  seq = Math.max(seq, last);
  // There may be another page.
  if (results.length) await catchUp();
}

function say(state) {
  note.hidden = !state;
  note.classList.toggle('offline', state === 'offline');
  note.querySelector('.when-offline').toggleAttribute('hidden', state !== 'offline');
  note.querySelector('.when-polling').toggleAttribute('hidden', state !== 'polling');
  const words = state ? note.dataset[state] : '';
  const box = note.querySelector('.words');
  if (box.textContent === words) return;
  box.textContent = words;
  // The one polite region of the page.
  if (words) document.getElementById('announcer').textContent = words;
}

function startPolling() {
  patience = null;
  if (polling) return;
  say(navigator.onLine ? 'polling' : 'offline');
  const ask = () => catchUp().then(() => say('polling'), () => say(navigator.onLine ? 'polling' : 'offline'));
  polling = setInterval(ask, POLL_MS);
  ask();
}

function stopPolling() {
  clearTimeout(patience);
  clearInterval(polling);
  patience = polling = null;
  say('');
}

function listen() {
  source?.close();
  source = new EventSource(liveUrl, { withCredentials: true });
  source.addEventListener('ready', () => {
    stopPolling();
    catchUp().catch(() => {});
  });
  for (const kind of ['message', 'conversation', 'answering', 'connection', 'campaign', 'attention']) {
    source.addEventListener(kind, (event) => {
      const number = Number(event.lastEventId);
      if (number && number <= seq) return;
      if (number) seq = number;
      receive(kind, JSON.parse(event.data));
    });
  }
  // Gone: the stream has ended because we are no longer let in; the page itself says why. Reset: what we have missed
  // is not kept so long.
  for (const end of ['gone', 'reset']) source.addEventListener(end, () => window.location.reload());
  source.onerror = () => {
    patience ??= setTimeout(startPolling, PATIENCE_MS);
    // The browser tries again by itself, unless the answer was final.
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MS);
  };
}

window.addEventListener('offline', () => say('offline'));
window.addEventListener('online', () => {
  say(polling ? 'polling' : '');
  listen();
});
window.addEventListener('pagehide', () => source?.close());
window.addEventListener('pageshow', (event) => event.persisted && listen());

listen();
