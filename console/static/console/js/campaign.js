// A campaign's pages while they change by themselves: what was unfolded stays so, and each tenth, hold and the end are
// said aloud once.

const announcer = document.getElementById('announcer');
let open = [];
let spoken = document.getElementById('campaign-live')?.dataset.spoken;

document.addEventListener('htmx:beforeSwap', ({ detail }) => {
  open = [...detail.target.querySelectorAll('details[open][id]')].map((details) => details.id);
});

document.addEventListener('htmx:afterSwap', () => {
  for (const id of open) document.getElementById(id)?.setAttribute('open', '');
  open = [];
  const live = document.getElementById('campaign-live');
  if (!live || live.dataset.spoken === spoken) return;
  spoken = live.dataset.spoken;
  announcer.textContent = spoken;
});

// Far down the list, of which so much has been shown that reading it all anew is not worth it: it stays as it is.
document.addEventListener('htmx:configRequest', (event) => {
  const { elt, triggeringEvent, parameters } = event.detail;
  if (elt.id !== 'recipients' || !triggeringEvent?.type.startsWith('live:')) return;
  if (Number(parameters.get('shown')) > Number(elt.dataset.most)) event.preventDefault();
});
