// What several modules ask of the page.

// Of the cookie: since this page was made, a log-in in another tab may have made a new one.
export function csrf() {
  return /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1] || '';
}

// Single keys are shortcuts, unless the profile says otherwise.
export function keysAreOn() {
  return document.body.dataset.shortcuts !== 'off';
}

export function isTyping(target) {
  return target.matches?.('input, textarea, select, [contenteditable]');
}

// Not held together with another. "/" and "?" may be on AltGr, as on ABNT2 keyboards without their key: Windows tells of it
// as of Ctrl and Alt.
export function isPlain(event) {
  const isOnAltGr = event.getModifierState?.('AltGraph') && '/?'.includes(event.key);
  return isOnAltGr || !(event.ctrlKey || event.metaKey || event.altKey);
}

// As people search: without case and accents.
export function folded(text) {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
}

// JSON that somebody else may have written, or nobody: then null.
export function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
