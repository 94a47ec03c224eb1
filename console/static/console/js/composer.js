// The composer: Enter sends, a bubble shows at once, what is typed survives a reload, and nothing is sent twice.
//
// A message that never left this page (no connection) waits and goes by itself. One whose answer did not come may have
// been accepted: it is not repeated without a person.

const held = [];
let count = 0;

function csrf() {
  return JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken'];
}

function draftKey(form) {
  return `draft:${form.dataset.draft}`;
}

function keep(form) {
  const { value } = form.elements.text;
  if (value) localStorage.setItem(draftKey(form), value);
  else localStorage.removeItem(draftKey(form));
}

function restore() {
  const form = document.getElementById('composer');
  if (!form || form.elements.text.value) return;
  form.elements.text.value = localStorage.getItem(draftKey(form)) || '';
}

function complain(form, sentence) {
  const error = form.querySelector('#composer-error');
  error.hidden = !sentence;
  error.querySelector('span').textContent = sentence;
  form.elements.text.toggleAttribute('aria-invalid', Boolean(sentence));
}

function bubble(form, text) {
  const node = form.querySelector('#pending-message').content.firstElementChild.cloneNode(true);
  count += 1;
  node.id = `pending-${count}`;
  // After every real one.
  node.dataset.order = `~${String(count).padStart(6, '0')}`;
  node.querySelector('.body').textContent = text;
  node.querySelector('time').textContent = new Intl.DateTimeFormat(document.documentElement.lang, { hour: '2-digit', minute: '2-digit', hour12: false }).format();
  document.getElementById('messages').append(node);
  document.getElementById('scroll').scrollTop = 0;
  return node;
}

function tell(node, state) {
  const aside = node.querySelector('.aside');
  aside.hidden = !state;
  aside.querySelector('span').textContent = state ? aside.dataset[state] : '';
  for (const button of aside.querySelectorAll('button')) button.hidden = state !== 'unknown';
}

function giveBack({ form, text, node }, sentence) {
  node.remove();
  const field = form.elements.text;
  field.value = field.value ? `${text}\n${field.value}` : text;
  keep(form);
  complain(form, sentence);
}

async function send(message) {
  const { form, url, text, node } = message;
  if (!navigator.onLine) {
    held.push(message);
    tell(node, 'waiting');
    return;
  }
  tell(node, '');
  let answer;
  try {
    answer = await fetch(url, {
      method: 'POST',
      headers: { 'HX-Request': 'true', 'HX-Current-URL': window.location.href, 'X-CSRFToken': csrf() },
      body: new URLSearchParams({ text }),
    });
  } catch {
    tell(node, 'unknown');
    return;
  }
  const elsewhere = answer.headers.get('HX-Redirect');
  if (elsewhere) {
    // The session has ended: the text waits as a draft.
    giveBack(message, '');
    window.location.assign(elsewhere);
    return;
  }
  const body = await answer.text();
  if (answer.ok) {
    node.remove();
    const list = document.getElementById('messages');
    if (list && form.isConnected) {
      const style = { swapStyle: 'keyed', swapDelay: 0, settleDelay: 0 };
      window.htmx.swap(list, body, style, { contextElement: list, eventInfo: { elt: list, target: list } });
    }
  } else if (answer.status < 500) {
    giveBack(message, answer.status === 422 ? body : form.dataset.refused);
  } else {
    tell(node, 'unknown');
  }
}

document.addEventListener('submit', (event) => {
  const form = event.target;
  if (form.id !== 'composer') return;
  event.preventDefault();
  const text = form.elements.text.value.trim();
  if (!text) return;
  complain(form, '');
  form.elements.text.value = '';
  keep(form);
  form.elements.text.focus();
  const message = { form, url: form.action, text, node: bubble(form, text) };
  message.node.addEventListener('click', (click) => {
    if (click.target.closest('[data-again]')) send(message);
    if (click.target.closest('[data-discard]')) message.node.remove();
  });
  send(message);
});

document.addEventListener('keydown', (event) => {
  if (event.target.id !== 'text' || event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  // On a phone Enter is the only key for a new line.
  if (window.matchMedia('(pointer: coarse)').matches && !event.ctrlKey) return;
  event.preventDefault();
  event.target.form.requestSubmit();
});

document.addEventListener('input', ({ target }) => target.id === 'text' && keep(target.form));
document.addEventListener('htmx:afterSwap', ({ detail }) => detail.target.id === 'conversation' && restore());
window.addEventListener('online', () => held.splice(0).forEach(send));

restore();
