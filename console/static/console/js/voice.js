// A voice message: recorded by the browser in a form that the server takes (Opus in Ogg or WebM, or MP4) and WhatsApp's
// server turns into a voice note. It goes when it is finished; until then nothing leaves the page.

const TYPES = { 'audio/ogg;codecs=opus': 'ogg', 'audio/webm;codecs=opus': 'webm', 'audio/mp4': 'm4a' };
// Speech needs no more; a quarter of an hour is far below the limit of 16 MB.
const BITS = 32000;
const LONGEST_S = 900;
const SHORTEST_MS = 700;

let recording = null;

const type = window.MediaRecorder && Object.keys(TYPES).find((each) => MediaRecorder.isTypeSupported(each));
const canRecord = Boolean(type && navigator.mediaDevices?.getUserMedia);

function offer() {
  const button = document.getElementById('voice-button');
  if (button) button.hidden = !canRecord;
}

function complain(form, sentence) {
  form.dispatchEvent(new CustomEvent('composer:complain', { bubbles: true, detail: { sentence } }));
}

async function start(form) {
  const bar = form.querySelector('#recording');
  complain(form, '');
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  } catch (error) {
    complain(form, error.name === 'NotFoundError' ? bar.dataset.missing : bar.dataset.denied);
    return;
  }
  const recorder = new MediaRecorder(stream, { mimeType: type, audioBitsPerSecond: BITS });
  const parts = [];
  recorder.ondataavailable = ({ data }) => data.size && parts.push(data);
  recording = { form, bar, stream, recorder, parts, began: Date.now(), timer: setInterval(tick, 250) };
  recorder.start();
  form.classList.add('is-recording');
  bar.hidden = false;
  tick();
  bar.querySelector('[data-finish]').focus();
}

function tick() {
  const seconds = Math.floor((Date.now() - recording.began) / 1000);
  const words = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
  recording.bar.querySelector('[data-time]').textContent = words;
  if (seconds >= LONGEST_S) finish();
}

function end() {
  const { form, bar, stream, recorder, timer } = recording;
  clearInterval(timer);
  if (recorder.state !== 'inactive') recorder.stop();
  for (const track of stream.getTracks()) track.stop();
  form.classList.remove('is-recording');
  bar.hidden = true;
  recording = null;
  form.elements.text.focus();
}

function finish() {
  const { form, bar, recorder, parts, began } = recording;
  recorder.onstop = () => {
    const blob = new Blob(parts, { type: type.split(';')[0] });
    if (Date.now() - began < SHORTEST_MS || !blob.size) {
      complain(form, bar.dataset.empty);
      return;
    }
    const detail = { blob, name: `voice.${TYPES[type]}` };
    form.dispatchEvent(new CustomEvent('composer:record', { bubbles: true, detail }));
  };
  end();
}

document.addEventListener('click', ({ target }) => {
  if (target.closest('#voice-button') && !recording) start(target.closest('#composer'));
  else if (recording && target.closest('#recording [data-cancel]')) end();
  else if (recording && target.closest('#recording [data-finish]')) finish();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== 'Escape' || !recording) return;
  event.preventDefault();
  end();
});
// Another conversation is opened: what was being said was not for it.
document.addEventListener('htmx:beforeSwap', ({ detail }) => detail.target.id === 'conversation' && recording && end());
document.addEventListener('htmx:afterSwap', ({ detail }) => detail.target.id === 'conversation' && offer());

offer();
