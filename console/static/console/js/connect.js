// The countdown around the QR code: once a second, by attributes. At zero the page asks how things are.

// A new code is pushed when the old one ends; it may take a moment to come.
const GRACE_SECONDS = 3;
const LAST_SECONDS = 10;

let ring = null;
let endsAt = 0;
let said = false;

function follow() {
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
  document.querySelector('[data-countdown]').textContent = seconds;
  const voice = document.querySelector('[data-last-seconds]');
  if (seconds <= LAST_SECONDS && !said) {
    said = true;
    voice.textContent = voice.dataset.lastSeconds;
  }
  if (left === -GRACE_SECONDS) document.body.dispatchEvent(new CustomEvent('live:connection', { detail: {} }));
}

document.addEventListener('htmx:afterSettle', follow);
setInterval(tick, 1000);
follow();
