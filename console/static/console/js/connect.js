// The connection page: the countdown around the QR code, once a second and by attributes (at zero the page asks how
// things are), which of the two ways to connect shows, and the code for the clipboard.

// A new code is pushed when the old one ends; it may take a moment to come.
const GRACE_SECONDS = 3;
const LAST_SECONDS = 10;
// A phone cannot scan its own screen: there the code to type comes first.
const isPhone = window.matchMedia('(max-width: 767px)');

let ring = null;
let endsAt = 0;
let said = false;
let way = null;

function follow() {
  const panel = document.getElementById('connection');
  if (panel) {
    // What a colleague has asked for shows here as well, but is no choice of ours.
    panel.dataset.way = way || panel.dataset.firstWay || (isPhone.matches ? 'code' : 'qr');
  }
  const found = document.getElementById('ring');
  if (found === ring) return;
  ring = found;
  said = false;
  if (ring) endsAt = Date.now() + Number(ring.dataset.seconds) * 1000;
  tick();
}

function tick() {
  // Between the swap that took it away and the settling that tells us, the ring is still ours but no longer there.
  if (!ring?.isConnected) return;
  const left = Math.round((endsAt - Date.now()) / 1000);
  const seconds = Math.max(0, left);
  const part = Math.min(100, (seconds * 100) / Number(ring.dataset.lifetime));
  ring.querySelector('.left').setAttribute('stroke-dasharray', `${part} 100`);
  ring.querySelector('.left').toggleAttribute('hidden', part === 0);
  ring.classList.toggle('last', seconds <= LAST_SECONDS);
  for (const place of document.querySelectorAll('[data-countdown]')) place.textContent = seconds;
  const voice = document.querySelector('[data-last-seconds]');
  if (seconds <= LAST_SECONDS && !said) {
    said = true;
    voice.textContent = voice.dataset.lastSeconds;
  }
  if (left === -GRACE_SECONDS) document.body.dispatchEvent(new CustomEvent('live:connection', { detail: {} }));
}

async function copy(button) {
  const code = document.querySelector('[data-code]');
  const words = button.querySelector('.words');
  try {
    await navigator.clipboard.writeText(code.dataset.code);
    words.textContent = button.dataset.done;
  } catch {
    // Not allowed here: it is chosen, ready to be copied by hand.
    window.getSelection().selectAllChildren(code);
  }
}

document.addEventListener('click', ({ target }) => {
  const other = target.closest('[data-way-to]');
  if (other) {
    way = other.dataset.wayTo;
    follow();
    document.querySelector(`.way-${way} :is(input:not([type="hidden"]), button)`)?.focus();
  }
  const button = target.closest('[data-copy]');
  if (button) copy(button);
});

document.addEventListener('htmx:afterSwap', follow);
document.addEventListener('htmx:afterSettle', follow);
isPhone.addEventListener('change', follow);
setInterval(tick, 1000);
follow();
