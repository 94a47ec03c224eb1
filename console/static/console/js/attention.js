// The list changes by itself: what is unfolded stays so, and whoever settled the last thing of an item is not lost.

const unfolded = new Set();

document.addEventListener(
  'toggle',
  ({ target }) => {
    if (!target.matches?.('.need-more') || !target.isConnected) return;
    if (target.open) unfolded.add(target.id);
    else unfolded.delete(target.id);
  },
  true,
);

document.addEventListener('keyed:merged', ({ target }) => {
  if (target.id !== 'needs') return;
  for (const id of [...unfolded]) {
    const details = document.getElementById(id);
    if (details) details.open = true;
    else unfolded.delete(id);
  }
  if (document.activeElement === document.body) {
    target.querySelector('.need-group, .need-nothing')?.focus({ preventScroll: true });
  }
});
