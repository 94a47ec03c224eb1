// Turns the unit's live feed into events on <body>, on which htmx refetches the parts concerned:
//
//   live:connection · live:conversations · live:attention · live:needs · live:campaigns · live:campaign-<id> ·
//   live:contacts · live:contact-<id> · live:conversation-<id> · live:answering-<conversation id> ·
//   live:thread-<conversation id>
//
// The last one carries the ids of the messages, notes and events that changed. Events of one name are coalesced. Without
// the stream the feed is asked every 5 s, and the page says so.
//
// Nothing is missed: stream and feed go on after the last number that this page has; a part that could not be fetched is
// asked for again; and what a person asked for may have been read before something was told and shown after it, so
// that is told once more.

const COALESCE_MS = 250;
const POLL_MS = 5000;
const RETRY_MS = 15000;
// A part that could not be fetched.
const REFETCH_MS = 3000;
// More than these would not fit into an address.
const MAX_IDS = 100;
// Of a message that may need a person: one more begins no episode where one has failed already.
const NEEDY = ['failed', 'expired', 'uncertain'];
// No answer takes longer than this.
const REMEMBER_MS = 60000;
// A reconnect is quicker than this, and not worth a word.
const PATIENCE_MS = 4000;
// Over HTTP/1.1 a browser has six connections to a server, for all its tabs together: one that nobody has looked at for
// so long gives its own back, and asks now and then.
const REST_MS = 20000;
const RESTING_POLL_MS = 60000;
// No timer is ever so late, unless the machine slept: then the stream may be dead and not know it.
const TICK_MS = 10000;
const SLEPT_MS = 90000;

const { liveUrl, changesUrl } = document.body.dataset;
const note = document.getElementById('live-note');
let seq = Number(document.body.dataset.liveSeq);
let source = null;
let polling = null;
let patience = null;
let resting = null;
let retry = null;

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
    do {
      const detail = { ids: all.splice(0, MAX_IDS).join(',') };
      document.body.dispatchEvent(new CustomEvent(name, { detail }));
    } while (all.length);
  }, COALESCE_MS);
}

// What was told of late, for answers that were read before it and come after it.
let told = [];

function receive(kind, data) {
  const now = performance.now();
  told = told.filter((one) => one.at > now - REMEMBER_MS);
  told.push({ at: now, kind, data });
  tell(kind, data);
}

function tellAgain(since) {
  for (const one of told) if (one.at >= since) tell(one.kind, one.data);
}

function isLive(event) {
  return event?.type.startsWith('live:');
}

document.addEventListener('htmx:beforeSend', ({ detail }) => {
  detail.requestConfig.sentAt = performance.now();
});
document.addEventListener('htmx:afterSwap', ({ detail }) => {
  const { sentAt, triggeringEvent } = detail.requestConfig || {};
  if (sentAt && !isLive(triggeringEvent)) tellAgain(sentAt);
});
// Answers that do not come through htmx (outbox.js).
document.addEventListener('live:answered', ({ detail }) => tellAgain(detail.sentAt));

function refetch({ detail }) {
  const { triggeringEvent } = detail.requestConfig;
  if (!isLive(triggeringEvent) || (detail.xhr.status >= 400 && detail.xhr.status < 500)) return;
  const ids = triggeringEvent.detail?.ids;
  setTimeout(() => {
    for (const id of ids ? ids.split(',') : ['']) announce(triggeringEvent.type, id);
  }, REFETCH_MS);
}
for (const failure of ['htmx:sendError', 'htmx:responseError', 'htmx:timeout']) document.addEventListener(failure, refetch);

function tell(kind, data) {
  if (kind === 'message') {
    announce(`live:thread-${data.conversation_id}`, data.id);
    announce('live:conversations');
    if (NEEDY.includes(data.status)) announce('live:needs');
  } else if (kind === 'conversation') {
    // It has become part of another, and this page shows what is no more.
    if (data.merged_into && window.location.pathname.includes(data.id)) {
      const detail = { was: data.id, is: data.merged_into };
      document.dispatchEvent(new CustomEvent('conversation:became', { detail }));
      window.location.assign(window.location.pathname.replace(data.id, data.merged_into));
      return;
    }
    for (const line of [data.note_id, data.event_id]) if (line) announce(`live:thread-${data.id}`, line);
    announce(`live:conversation-${data.id}`);
    announce('live:conversations');
  } else if (kind === 'contact') {
    // One that has become part of another has nothing left to show: its conversation says where to go.
    if (!data.merged_into) announce(data.many ? 'live:contacts' : `live:contact-${data.id}`);
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
  if (resting) return;
  // A connection that there is none for says nothing at all.
  if (!polling) patience ??= setTimeout(startPolling, PATIENCE_MS);
  // The browser's own reconnect goes on after the last number that came by the stream.
  source = new EventSource(`${liveUrl}?after=${seq}`, { withCredentials: true });
  source.addEventListener('ready', stopPolling);
  for (const kind of ['message', 'conversation', 'contact', 'answering', 'connection', 'campaign', 'attention']) {
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
    if (!polling) patience ??= setTimeout(startPolling, PATIENCE_MS);
    // The browser tries again by itself, unless the answer was final.
    if (source.readyState !== EventSource.CLOSED) return;
    // Perhaps nobody is logged in any more, and Back has led here.
    catchUp().catch(() => {});
    clearTimeout(retry);
    retry = setTimeout(listen, RETRY_MS);
  };
}

window.addEventListener('offline', () => say('offline'));
window.addEventListener('online', () => {
  say(polling ? 'polling' : '');
  listen();
});
window.addEventListener('pagehide', () => source?.close());
window.addEventListener('pageshow', (event) => event.persisted && listen());

function rest() {
  clearTimeout(patience);
  patience = null;
  source?.close();
  resting = setInterval(() => catchUp().catch(() => {}), RESTING_POLL_MS);
}

let unseen = null;
function seen() {
  clearTimeout(unseen);
  if (document.visibilityState === 'hidden') {
    if (!resting) unseen = setTimeout(rest, REST_MS);
  } else if (resting) {
    clearInterval(resting);
    resting = null;
    listen();
  }
}
document.addEventListener('visibilitychange', seen);

let ticked = Date.now();
setInterval(() => {
  const now = Date.now();
  if (now - ticked > SLEPT_MS) listen();
  ticked = now;
}, TICK_MS);

// Opened in the background: nobody looks at it yet.
if (document.visibilityState === 'hidden') rest();
else listen();
