// Everything that the console does in the browser besides htmx. Every page works without it,
// except for what only a browser can do: copying, and opening what lies over the page.
import "htmx.org/dist/htmx.esm.min.js";

const one = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const say = (text) => { one("#live").textContent = text; };

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  await navigator.clipboard.writeText(source.textContent.trim());
  const word = one("span", button) ?? button;
  const before = word.textContent;
  word.textContent = "Copied";
  say("Copied");
  setTimeout(() => { word.textContent = before; }, 1500);
}

// What is new is known everywhere within a second or two: until then a call may be refused.
const NOT_YET = [401, 404, 503];

async function testKey(button) {
  const told = document.getElementById(button.dataset.result);
  const secret = document.getElementById(button.dataset.testKey).textContent.trim();
  const request = {
    method: "POST",
    credentials: "omit",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: button.dataset.model, max_tokens: 16, messages: [{ role: "user", content: "Hello" }],
    }),
  };
  button.disabled = true;
  told.textContent = "Calling …";
  try {
    let answer = await fetch("/v1/chat/completions", request);
    for (let left = 8; left > 0 && NOT_YET.includes(answer.status); left -= 1) {
      await new Promise((done) => { setTimeout(done, 500); });
      answer = await fetch("/v1/chat/completions", request);
    }
    const body = await answer.json();
    const decision = answer.headers.get("x-gatehouse-decision-id") ?? body.error?.decision_id;
    told.textContent = answer.ok
      ? `It works: ${body.model} answered.`
      : `Refused (${answer.status} ${body.error?.code ?? ""}): ${body.error?.message ?? ""}`;
    if (decision) {
      const link = document.createElement("a");
      link.href = `/calls/${decision}`;
      link.textContent = "See the call";
      told.append(" ", link);
    }
  } catch {
    told.textContent = "No answer: the data plane is not at this address. Use the snippet.";
  } finally {
    button.disabled = false;
  }
}

function openPalette() {
  const palette = one("#palette");
  if (!palette || palette.open) return;
  palette.showModal();
  const field = one("input", palette);
  field.value = "";
  narrow(field);
  field.focus();
}

function narrow(field) {
  const words = field.value.toLowerCase().split(/\s+/);
  for (const row of all("[data-places] li", one("#palette"))) {
    const text = row.textContent.toLowerCase();
    row.hidden = !words.every((word) => text.includes(word));
  }
  one("#palette p").hidden = true;
  search(field);
}

// Things are asked for once the typing pauses; an answer to what is typed no more is dropped.
const DEBOUNCE_MS = 200;
let waiting;
let asking;

function search(field) {
  clearTimeout(waiting);
  asking?.abort();
  const list = one("[data-found]", one("#palette"));
  const text = field.value.trim();
  const settle = () => {
    one("#palette p").hidden = Boolean(one("#palette li:not([hidden])"));
  };
  if (text.length < 2) { list.replaceChildren(); settle(); return; }
  waiting = setTimeout(async () => {
    asking = new AbortController();
    try {
      const answer = await fetch(`${list.dataset.found}?q=${encodeURIComponent(text)}`, {
        headers: { accept: "text/html" }, signal: asking.signal, redirect: "error",
      });
      if (!answer.ok) throw new Error(String(answer.status));
      const found = new DOMParser().parseFromString(await answer.text(), "text/html");
      list.replaceChildren(...all("li", found));
      settle();
      say(`${all("#palette li:not([hidden])").length} found`);
    } catch (error) {
      if (error.name === "AbortError") return;
      list.replaceChildren();
      settle();
    }
  }, DEBOUNCE_MS);
}

function step(event) {
  const palette = event.target.closest?.("#palette");
  if (!palette || !["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
  const links = all("li:not([hidden]) a", palette);
  if (event.key === "Enter") {
    if (event.target.matches("input") && links.length) { event.preventDefault(); links[0].click(); }
    return;
  }
  event.preventDefault();
  const stops = [one("input", palette), ...links];
  const move = event.key === "ArrowDown" ? 1 : -1;
  stops[(stops.indexOf(event.target) + move + stops.length) % stops.length].focus();
}

function showSide(open) {
  const side = one("#side");
  side.toggleAttribute("data-open", open);
  one("[data-side]").setAttribute("aria-expanded", String(open));
  (open ? one("a", side) : one("[data-side]")).focus();
}

function closeTop() {
  const menu = one("details.menu[open]");
  if (menu) { menu.open = false; one("summary", menu).focus(); return; }
  if (one("#side[data-open]")) showSide(false);
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  for (const menu of all("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  const side = one("#side[data-open]");
  if (side && !side.contains(event.target) && !at("[data-side]")) showSide(false);
  if (at("[data-copy]")) copy(at("[data-copy]"));
  else if (at("[data-test-key]")) testKey(at("[data-test-key]"));
  else if (at("[data-palette]")) openPalette();
  else if (at("[data-side]")) showSide(!one("#side[data-open]"));
  else if (at("[data-dismiss]")) at("[data-dismiss]").parentElement.remove();
  else if (at("[data-open-dialog]")) document.getElementById(at("[data-open-dialog]").dataset.openDialog).showModal();
  else if (event.target.id === "palette") event.target.close();
});

document.addEventListener("input", (event) => {
  if (event.target.matches("#palette input")) narrow(event.target);
});

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openPalette();
  } else if (event.key === "Escape") closeTop();
  step(event);
});

// What went wrong is read out first, and the way to mend it is next.
one("[data-focus]")?.focus();
