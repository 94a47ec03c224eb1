// The swap style "keyed": merge the children of an answer into a list by their id, in the order of data-order.
//
// - A child that is there already takes the new one's content and attributes; it stays the same node, so focus stays.
// - A new child goes where its data-order belongs (data-order on the list: "asc" or "desc").
// - An answer with a [data-window] child is the list's first page: children within its range that it lacks are gone;
//   with data-window="all" it is the whole list.
// - A child with [data-gone] is there no more.
// - What changed far up, before the part of a thread that has been loaded, waits until its page is loaded.
// - Nothing jumps: the first visible child stays where it is, and rows under the pointer or with focus keep their place,
//   also those that do not belong there any more, until both have left. But what somebody asked for comes at once.
// Afterwards the list gets the event "keyed:merged" with the nodes that are new.

let isAsked = false;
document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  // Also when a live event took the place of the search in the queue: the address then changes with the list.
  isAsked = detail.requestConfig?.triggeringEvent?.isTrusted || Boolean(detail.xhr?.getResponseHeader('HX-Replace-Url'));
});

function merge(list, incoming) {
  const scroller = list.closest('.scroll') || list;
  const anchor = firstVisible(list, scroller);
  const top = anchor?.getBoundingClientRect().top;
  const busy = !isAsked && list.dataset.order === 'desc' && list.matches(':hover, :focus-within');

  prune(list, incoming, busy);
  const touched = [];
  const added = [];
  const start = startOfLoaded(list, incoming);
  for (const fresh of incoming) {
    const known = fresh.id && document.getElementById(fresh.id);
    if ('gone' in fresh.dataset) {
      known?.remove();
      continue;
    }
    if (!known || known.parentNode !== list) {
      if (fresh.dataset.order < start) continue;
      insert(list, fresh);
      added.push(fresh);
      touched.push(fresh);
      continue;
    }
    // The first page does not know how far the reader has gone on.
    if ('window' in fresh.dataset && 'reached' in known.dataset) continue;
    if ('window' in known.dataset && !('window' in fresh.dataset)) fresh.dataset.reached = '';
    const moved = known.dataset.order !== fresh.dataset.order;
    if (update(known, fresh)) touched.push(known);
    if (moved && !busy) insert(list, known);
  }
  list.toggleAttribute('data-unsorted', busy);

  if (anchor?.isConnected && anchor.parentNode === list && !isAtStart(list, scroller)) {
    scroller.scrollTop += anchor.getBoundingClientRect().top - top;
  }
  list.dispatchEvent(new CustomEvent('keyed:merged', { bubbles: true, detail: { added } }));
  return touched;
}

// Where a list that grows downwards begins, while older pages are still to come and this answer is none of them.
function startOfLoaded(list, incoming) {
  if (list.dataset.order !== 'asc' || incoming.some((node) => node.matches('.older'))) return '';
  if (!list.querySelector(':scope > .older button')) return '';
  return list.querySelector(':scope > [id^="message-"]')?.dataset.order || '';
}

// A thread starts at its end (its box is reversed), a list at its top: there the reader sees what is new.
function isAtStart(list, scroller) {
  return Math.abs(scroller.scrollTop) < 8 && (scroller !== list || !list.matches(':hover, :focus-within'));
}

function firstVisible(list, scroller) {
  const edge = scroller.getBoundingClientRect().top;
  return [...list.children].find((child) => child.id && child.dataset.order && child.getBoundingClientRect().bottom > edge);
}

function insert(list, node) {
  const descending = list.dataset.order === 'desc';
  const key = node.dataset.order;
  const next = [...list.children].find(
    (other) => other !== node && (descending ? other.dataset.order < key : other.dataset.order > key),
  );
  if (node.parentNode === list && (next ? node.nextElementSibling === next : !node.nextElementSibling)) return;
  list.insertBefore(node, next || null);
}

function update(known, fresh) {
  if (known.isEqualNode(fresh)) return false;
  const current = known.querySelector('[aria-current]') !== null;
  for (const { name } of [...known.attributes]) if (!fresh.hasAttribute(name)) known.removeAttribute(name);
  for (const { name, value } of fresh.attributes) known.setAttribute(name, value);
  const link = known.querySelector(':scope > a');
  const freshLink = fresh.querySelector(':scope > a');
  if (link && freshLink && link.pathname === freshLink.pathname) {
    // All but what says which one is open and where the keys are.
    for (const name of ['class', 'href', 'hx-get']) link.setAttribute(name, freshLink.getAttribute(name));
    link.replaceChildren(...freshLink.childNodes);
    if (current) link.setAttribute('aria-current', 'true');
  } else {
    known.replaceChildren(...fresh.childNodes);
  }
  return true;
}

function prune(list, incoming, busy) {
  const page = incoming.find((node) => 'window' in node.dataset);
  if (!page) return;
  const kept = new Set(incoming.map((node) => node.id));
  const orders = incoming.map((node) => node.dataset.order).filter(Boolean).sort();
  const last = list.dataset.order === 'desc' ? orders[0] : orders[orders.length - 1];
  for (const child of [...list.children]) {
    if (kept.has(child.id)) continue;
    const within = list.dataset.order === 'desc' ? child.dataset.order >= last : child.dataset.order <= last;
    if (page.dataset.window !== 'all' && !within) continue;
    if (busy) child.dataset.leaving = '';
    else child.remove();
  }
}

function sort(list) {
  if (!list.hasAttribute('data-unsorted') || list.matches(':hover, :focus-within')) return;
  list.removeAttribute('data-unsorted');
  for (const child of list.querySelectorAll(':scope > [data-leaving]')) child.remove();
  for (const child of [...list.children]) insert(list, child);
}

for (const name of ['pointerout', 'focusout']) {
  document.addEventListener(name, () => requestAnimationFrame(() => document.querySelectorAll('[data-unsorted]').forEach(sort)));
}

window.htmx.defineExtension('keyed', {
  isInlineSwap: (style) => style === 'keyed',
  handleSwap: (style, target, fragment) =>
    style === 'keyed' ? merge(target, [...fragment.children].filter((child) => child.id)) : false,
});
