// Sounds in the thread: one plays at a time, with a bar to go to a place and a speed. Without a script the browser's own
// player stands there.

const SPEEDS = [1, 1.5, 2];

function clock(seconds) {
  const whole = Math.floor(Number.isFinite(seconds) ? seconds : 0);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

const partsOf = (node) => {
  const player = node.closest('.player');
  return player && { player, audio: player.querySelector('audio'), bar: player.querySelector('input'), time: player.querySelector('[data-time]') };
};

// What WebM says of its own length is nothing: then what was announced counts.
const lengthOf = ({ audio, player }) => (Number.isFinite(audio.duration) && audio.duration) || Number(player.dataset.seconds) || 0;

function draw(parts) {
  const { player, audio, bar, time } = parts;
  const length = lengthOf(parts);
  bar.max = length || 1;
  bar.value = audio.currentTime;
  time.textContent = audio.currentTime || !audio.paused ? `${clock(audio.currentTime)} / ${clock(length)}` : clock(length);
  player.classList.toggle('is-playing', !audio.paused);
  player.querySelector('[data-play]').setAttribute('aria-pressed', String(!audio.paused));
}

for (const name of ['play', 'pause', 'timeupdate', 'loadedmetadata', 'ended']) {
  document.addEventListener(name, ({ target }) => {
    const parts = target instanceof HTMLAudioElement && partsOf(target);
    if (!parts) return;
    if (name === 'play') for (const other of document.querySelectorAll('.player audio')) if (other !== target) other.pause();
    draw(parts);
  }, true);
}

document.addEventListener('click', ({ target }) => {
  const parts = target.closest('.player button') && partsOf(target);
  if (!parts) return;
  const { audio } = parts;
  if (target.closest('[data-play]')) {
    if (audio.paused) audio.play().catch(() => {});
    else audio.pause();
  } else if (target.closest('[data-speed]')) {
    const button = target.closest('[data-speed]');
    audio.playbackRate = SPEEDS[(SPEEDS.indexOf(audio.playbackRate) + 1) % SPEEDS.length];
    button.textContent = `${new Intl.NumberFormat(document.documentElement.lang).format(audio.playbackRate)}×`;
  }
});
document.addEventListener('input', ({ target }) => {
  const parts = target.matches?.('.player input') && partsOf(target);
  if (!parts) return;
  parts.audio.currentTime = Number(target.value);
  draw(parts);
});
