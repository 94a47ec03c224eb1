// Pictures of the thread, large: arrows go on, Escape goes back to where one was.

let opener = null;

const box = () => document.getElementById('lightbox');
const pictures = () => [...document.querySelectorAll('#messages a.media-picture')];

function show(link) {
  const all = pictures();
  const place = all.indexOf(link);
  opener = link;
  const thumbnail = link.querySelector('img');
  const image = box().querySelector('img');
  image.src = link.href;
  image.alt = thumbnail.alt;
  const bubble = link.closest('.bubble');
  box().querySelector('.lightbox-words').textContent = bubble.querySelector('.body')?.textContent || '';
  box().querySelector('a[download]').href = link.href;
  box().querySelector('[data-place]').textContent = `${place + 1} / ${all.length}`;
  box().querySelector('[data-step="-1"]').disabled = place === 0;
  box().querySelector('[data-step="1"]').disabled = place === all.length - 1;
  if (!box().open) box().showModal();
}

function step(by) {
  const all = pictures();
  const next = all[all.findIndex((link) => link.href === opener.href) + by];
  if (next) show(next);
}

document.addEventListener('click', (event) => {
  const link = event.target.closest('#messages a.media-picture');
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    event.preventDefault();
    show(link);
  } else if (event.target.closest('#lightbox [data-step]')) {
    step(Number(event.target.closest('[data-step]').dataset.step));
  } else if (event.target === box() || event.target.closest('#lightbox [data-close]')) {
    box().close();
  }
});
document.addEventListener('keydown', (event) => {
  if (!box()?.open) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by);
});
document.addEventListener('close', ({ target }) => {
  if (target.id !== 'lightbox') return;
  target.querySelector('img').removeAttribute('src');
  // Its row may have been drawn anew.
  pictures().find((link) => link.href === opener.href)?.focus({ preventScroll: true });
}, true);
