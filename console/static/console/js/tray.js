// The files of the tray outlive the page, as the text does (IndexedDB): each waits for its owner, which is a person and a
// conversation. What the browser does not take lives as long as the page.

// Of all trays together.
const MOST_BYTES = 64 * 1024 * 1024;
// As long as the server keeps a file that nobody sends.
const KEPT_MS = 7 * 24 * 60 * 60 * 1000;

const tabs = new BroadcastChannel('tray');
const opened = new Promise((done, fail) => {
  const request = indexedDB.open('tray', 1);
  request.onupgradeneeded = () => request.result.createObjectStore('files', { keyPath: 'key' });
  request.onsuccess = () => done(request.result);
  request.onerror = () => fail(request.error);
});
// One after the other: what is kept late must not come after it was dropped.
let last = opened.catch(() => {});

// Null where it could not be done.
function inTurn(work) {
  last = last.then(work).catch(() => null);
  return last;
}

async function ask(mode, question) {
  const transaction = (await opened).transaction('files', mode);
  return new Promise((done, fail) => {
    const request = question(transaction.objectStore('files'));
    transaction.oncomplete = () => done(request.result);
    transaction.onabort = () => fail(transaction.error);
  });
}

const all = () => ask('readonly', (store) => store.getAll());
const remove = (key) => ask('readwrite', (store) => store.delete(key));

// Whether it will outlive the page.
export async function keepFile(owner, { key, blob, name }) {
  const isKept = await inTurn(async () => {
    const rest = (await all()).filter((file) => file.key !== key);
    if (rest.reduce((sum, file) => sum + file.blob.size, blob.size) > MOST_BYTES) return false;
    await ask('readwrite', (store) => store.put({ key, owner, blob, name, at: Date.now() }));
    return true;
  });
  return Boolean(isKept);
}

export async function dropFile(key) {
  await inTurn(() => remove(key));
  tabs.postMessage(key);
}

// `gone` is called with the key of a file that another tab has dropped.
export function followTabs(gone) {
  tabs.onmessage = ({ data }) => gone(data);
}

export async function keptFiles(owner) {
  const files = (await inTurn(all)) || [];
  const isOld = ({ at }) => at < Date.now() - KEPT_MS;
  for (const { key } of files.filter(isOld)) inTurn(() => remove(key));
  return files.filter((file) => file.owner === owner && !isOld(file));
}
