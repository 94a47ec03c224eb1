// A word on what was done, with its Undo: gone after a while, but not while somebody reads it or is about to press it.

const SHOWN_MS = 6000;
let timer = null;

function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const toast = document.getElementById('toast');
    if (toast?.matches(':hover, :focus-within')) wait();
    else toast?.replaceChildren();
  }, SHOWN_MS);
}

document.addEventListener('htmx:oobAfterSwap', ({ detail }) => detail.target.id === 'toast' && wait());
for (const name of ['pointerout', 'focusout']) {
  document.addEventListener(name, ({ target }) => target.closest?.('#toast') && wait());
}
