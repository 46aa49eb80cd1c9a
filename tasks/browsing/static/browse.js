// The keys, the search as one types, decisions, re-runs and the run's progress. Without it the pages can still be read.
"use strict";
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const token = document.body.dataset.token;
  let said = 0;

  function say(text) {
    one("#said").textContent = text;
    clearTimeout(said);
    said = setTimeout(() => { one("#said").textContent = ""; }, 6000);
  }

  async function send(path, body) {
    return fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Kodforge-Token": token },
      body: JSON.stringify(body),
    });
  }

  // A row of the list, which may have been drawn anew since somebody looked at it.
  function listed(id) {
    return all("a.row").find((candidate) => candidate.dataset.id === id);
  }

  // Why there is no answer, or another one than was asked for: a text.
  async function problem(answer) {
    if (!answer) return "the server does not answer: start it again";
    const body = await answer.text();
    if (!(answer.headers.get("Content-Type") || "").startsWith("text/html")) return body;
    const told = one(".problem", new DOMParser().parseFromString(body, "text/html"));
    return told ? told.textContent : `the server answered with ${answer.status}`;
  }

  // --- the list -------------------------------------------------------------------------------------------------
  const form = one("#filters");
  const path = (query) => (query ? `/?${query}` : "/");
  let asked = 0, typing = 0, shown = location.search.slice(1);

  function wanted() {
    const pairs = [...new FormData(form)].filter(([name, value]) => value !== "" && !(name === "sort" && value === "id"));
    return new URLSearchParams(pairs).toString();
  }

  // Whether somebody is at something that a list which is drawn anew would take away.
  function occupied() {
    const focused = document.activeElement && document.activeElement.matches("a.row");
    return Boolean(typing || focused || one("dialog[open]"));
  }

  // Draw the rows that a query string asks for. What becomes of the address: a step that one can go back from ("push"),
  // or another step in the place of this one ("replace"), or nothing ("keep"). With live, because the run went on; with told, their number is said.
  async function show(query, { address = "push", live = false, told = false } = {}) {
    const mine = ++asked, results = one("#results");
    results.setAttribute("aria-busy", "true");
    const answer = await fetch(`/rows?${query}`).catch(() => null);
    const body = answer && answer.ok ? await answer.text() : "";
    if (mine !== asked) return false;
    results.setAttribute("aria-busy", "false");
    if (!answer || !answer.ok) { say(await problem(answer)); return false; }
    if (live && occupied()) return false;
    const focused = document.activeElement && document.activeElement.matches("#results input")
      ? [document.activeElement.name, document.activeElement.value] : null;
    const at = document.activeElement && document.activeElement.dataset.id;
    const folded = new Map(all(".facet").map((facet) => [one("summary", facet).textContent, facet.open]));
    results.innerHTML = body;
    for (const facet of all(".facet")) {
      const was = folded.get(one("summary", facet).textContent);
      if (was !== undefined) facet.open = was;
    }
    if (focused) {
      const again = all("#results input").find((input) => input.name === focused[0] && input.value === focused[1]);
      if (again) again.focus();
    }
    if (at) listed(at)?.focus();
    if (address === "push" && query !== shown) history.pushState(null, "", path(query));
    else if (address !== "keep") history.replaceState(null, "", path(query));
    shown = query;
    if (told) { const total = Number(one("#total").dataset.total); say(`${total.toLocaleString("en")} ${total === 1 ? "row" : "rows"}`); }
    return true;
  }

  // Focus the row that the address names: the one that somebody came back from.
  function land() {
    let name = "";
    try { name = decodeURIComponent(location.hash); } catch { return; }
    if (name.startsWith("#row-")) listed(name.slice("#row-".length))?.focus();
  }

  // Fields that are drawn once, as the address has them; what is ticked comes with the rows.
  function fill() {
    const pairs = new URLSearchParams(location.search);
    for (const field of all("#q, #sort, #mutation_below, #branch_below", form)) field.value = pairs.get(field.name) || (field.name === "sort" ? "id" : "");
  }

  function search(address) {
    clearTimeout(typing);
    typing = 0;
    return show(wanted(), { address, told: true });
  }

  if (form) {
    const field = one("#q");
    form.addEventListener("submit", (event) => { event.preventDefault(); search("push"); });
    document.addEventListener("change", (event) => {
      if (event.target.form === form && (event.target !== field || wanted() !== shown)) search(event.target === field ? "replace" : "push");
    });
    field.addEventListener("input", () => {
      clearTimeout(typing);
      typing = setTimeout(() => search("replace"), 250);
    });
    window.addEventListener("popstate", async () => {
      const query = location.search.slice(1);
      if (query === shown) return;  // a link within the page
      clearTimeout(typing);
      typing = 0;
      fill();
      if (await show(query, { address: "keep", told: true })) land();
    });
    // Who goes back from a row finds it again.
    document.addEventListener("click", (event) => {
      const opened = event.target.closest("a.row");
      if (opened) history.replaceState(null, "", `${location.pathname}${location.search}#row-${encodeURIComponent(opened.dataset.id)}`);
    });
    land();
  }

  function focusRow(found) {
    found.focus();
    found.scrollIntoView({ block: "nearest" });
  }

  function atEnd(step) {
    say(step > 0 ? "This is the last row." : "This is the first row.");
  }

  async function row(step) {
    const rows = all("a.row");
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement);
    const next = rows[at < 0 ? (step > 0 ? 0 : rows.length - 1) : at + step];
    if (next) { focusRow(next); return; }
    const page = one(step > 0 ? "#next" : "#previous");
    if (!page) { atEnd(step); return; }
    if (one("#results").getAttribute("aria-busy") !== "true" && await show(page.search.slice(1))) focusRow(all("a.row").at(step > 0 ? 0 : -1));
  }

  function move(step) {
    const link = one(step > 0 ? "#following" : "#preceding");
    if (link) location.href = link.href;
    else atEnd(step);
  }

  // --- decisions ------------------------------------------------------------------------------------------------
  const deciding = one("#deciding"), detail = one("main.detail");
  let pending = null;

  function chosen() {
    if (detail) return detail.dataset.id;
    const focused = document.activeElement;
    return focused && focused.matches("a.row") ? focused.dataset.id : null;
  }

  function shownOf(id) {
    return detail || listed(id);
  }

  function ask(decision) {
    const id = chosen();
    if (!id) { say("Choose a row first: j and k go through the list."); return; }
    pending = { id, decision, from: document.activeElement };
    one("#deciding-title").textContent = `${decision === "accept" ? "Accept" : "Reject"} ${id}`;
    one("#decide").textContent = decision === "accept" ? "Accept" : "Reject";
    one("#note").value = "";
    deciding.showModal();
    one("#note").focus();
  }

  async function decide(id, decision, note) {
    const line = decision === "undo" && shownOf(id) ? shownOf(id).dataset.line : "";
    const answer = await send("/review", { id, decision, note, line }).catch(() => null);
    if (!answer || !answer.ok) { say(`Not kept: ${await problem(answer)}`); return; }
    const told = await answer.json(), shown = shownOf(id);
    if (shown) shown.dataset.line = told.line;
    if (detail) {
      one("#review").innerHTML = told.html;
    } else if (shown) {
      all(".review", shown).forEach((mark) => mark.remove());
      if (told.decision) {
        const mark = document.createElement("span");
        mark.className = `review ${told.decision}`;
        mark.textContent = `${told.decision}ed by hand${told.without_effect ? ", without effect" : ""}`;
        one(".labels", shown).append(mark);
      }
    }
    one("#decided").textContent = told.decided;
    say(`${decision === "undo" ? "Undone" : `${decision}ed`}: ${id}. ${told.without_effect}`);
  }

  one("form", deciding).addEventListener("submit", (event) => {
    event.preventDefault();
    deciding.close();
    decide(pending.id, pending.decision, one("#note").value);
  });
  one("#note").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); one("form", deciding).requestSubmit(); }
  });
  deciding.addEventListener("close", () => {
    if (pending) (pending.from.isConnected ? pending.from : shownOf(pending.id))?.focus();
  });

  // --- re-runs and attempts -------------------------------------------------------------------------------------
  async function rerun(button) {
    const place = one(".rerun-result", button.closest("section, article"));
    button.disabled = true;
    place.textContent = "running …";
    const answer = await send("/rerun", { id: detail.dataset.id, attempt: button.dataset.attempt }).catch(() => null);
    button.disabled = false;
    if (answer && answer.ok) place.innerHTML = await answer.text();
    else place.textContent = await problem(answer);
  }

  function attempt(step) {
    const attempts = all(".attempt");
    if (!attempts.length) return;
    const at = attempts.findIndex((candidate) => candidate.contains(document.activeElement));
    const next = attempts[at < 0 ? 0 : Math.min(attempts.length - 1, Math.max(0, at + step))];
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "start" });
  }

  function help() {
    one("#help").showModal();
    one("#help form button").focus();  // and not the switch before it, which a blank would turn
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act]");
    if (!button) return;
    const act = button.dataset.act;
    if (act === "help") help();
    else if (act === "cancel") deciding.close();
    else if (act === "undo") { const id = chosen(); if (id) decide(id, "undo", ""); }
    else if (act === "rerun") rerun(button);
    else ask(act);
  });

  const keys = {
    "/": () => { if (one("#q")) { one("#q").focus(); one("#q").select(); } else location.href = "/"; },
    j: () => { if (detail) move(1); else row(1); },
    k: () => { if (detail) move(-1); else row(-1); },
    a: () => ask("accept"),
    x: () => ask("reject"),
    u: () => { const id = chosen(); if (id) decide(id, "undo", ""); else say("Choose a row first: j and k go through the list."); },
    "[": () => attempt(-1),
    "]": () => attempt(1),
    "?": help,
  };
  // Keys of one letter or sign get in the way of who speaks to the browser or types past a field: they can be off.
  const SETTING = "kodforge-keys", letters = one("#letters");
  try { letters.checked = localStorage.getItem(SETTING) !== "off"; } catch { letters.checked = true; }
  letters.addEventListener("change", () => {
    try { localStorage.setItem(SETTING, letters.checked ? "on" : "off"); } catch { say("This browser keeps no settings: it holds on this page."); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    if (event.target.matches("input:not([type=checkbox]), select, textarea")) {
      if (event.key === "Escape") { event.target.blur(); event.preventDefault(); }
      return;
    }
    const act = letters.checked && keys[event.key];
    if (!act) return;
    event.preventDefault();
    if (!(event.repeat && "axu".includes(event.key))) act();
  });

  // --- the run --------------------------------------------------------------------------------------------------
  const live = one("#live");
  const count = (value) => value.toLocaleString("en");
  const OFTEN_MS = 2000, ENDED_MS = 30_000;
  const drawn = new Map();
  let timer = 0;

  // A part is drawn again only where it has changed: what somebody has focused or selected in it stays.
  function redraw(selector, told, line) {
    const part = one(selector), now = JSON.stringify(told), focused = part.contains(document.activeElement) ? document.activeElement.href : "";
    if (drawn.get(selector) === now) return;
    drawn.set(selector, now);
    part.replaceChildren(...told.map(line));
    if (focused) all("a", part).find((link) => link.href === focused)?.focus();
  }

  function cell(text, name) {
    const made = document.createElement("td");
    made.textContent = text;
    if (name) made.className = name;
    return made;
  }

  function stage(state) {
    const line = document.createElement("tr"), head = document.createElement("th"), bar = document.createElement("td");
    head.scope = "row";
    head.textContent = state.stage;
    const of = state.planned === null ? "" : ` of ${state.at_most ? "at most " : ""}${count(state.planned)}`;
    if (state.planned) {
      const progress = document.createElement("progress");
      progress.max = state.planned;
      progress.value = state.done;
      progress.setAttribute("aria-label", `${state.stage}: ${state.done}${of} shards`);
      bar.append(progress);
    }
    line.append(head, cell(`${count(state.done)}${of}${state.finished ? ", finished" : ""}`), bar);
    for (const name of ["rows_in", "rows_out", "rejected"]) line.append(cell(count(state[name]), "number"));
    return line;
  }

  function reject(told) {
    const line = document.createElement("tr"), head = document.createElement("th"), link = document.createElement("a");
    head.scope = "row";
    link.href = `/row?${new URLSearchParams({ id: told.owner })}`;
    link.textContent = told.id;
    head.append(link);
    line.append(head, cell(told.stage), cell(told.reason.replaceAll("_", " ")), cell(told.evidence.slice(0, 300), "evidence"));
    return line;
  }

  function counts(of) {
    return Object.entries(of).map(([kind, number]) => `${kind.replaceAll("_", " ")} ${count(number)}`).join(", ") || "none";
  }

  function draw(state) {
    const going = state.stages.filter((one_) => !one_.finished).map((one_) => `${one_.stage} ${count(one_.done)}${one_.planned === null ? "" : ` of ${count(one_.planned)}`}`);
    const doing = state.ended ? "has ended" : going.length ? going.join(", ") : state.stages.length ? "between stages" : "nothing is finished yet";
    const rate = state.per_min === null || state.ended ? "" : ` · ${count(Math.round(state.per_min))} answers/min`;
    const usd = state.usd === null ? "cost unknown" : `$${state.usd.toFixed(state.usd < 1 ? 4 : 2)}`;
    one("#live-line").textContent = `${doing} · ${count(state.released)} of ${count(state.rows)} rows released${rate} · ${usd}`;
    one("#live-cost").textContent = `${count(state.answers)} answers paid for, ${count(state.cached)} from disk, ${count(state.tokens)} tokens, ${usd}`;
    redraw("#live-stages", state.stages, stage);
    one("#live-errors").textContent = counts(state.errors);
    one("#live-failed").textContent = counts(state.failed_tries);
    redraw("#live-rejects", state.newest, reject);
    live.dataset.looked = String(Number(live.dataset.looked || 0) + 1);
    const busy = occupied() || one("#results").getAttribute("aria-busy") === "true";
    if (one("#main").dataset.version !== String(state.version) && !busy) show(shown, { address: "keep", live: true });
  }

  async function look() {
    clearTimeout(timer);
    if (document.hidden) return;
    let wait = OFTEN_MS;
    const answer = await fetch("/live.json").catch(() => null);
    if (answer && answer.ok) {
      const state = await answer.json();
      draw(state);
      if (state.ended) wait = ENDED_MS;
    } else if (answer && answer.status !== 401) one("#live-line").textContent = await problem(answer);
    else one("#live-line").textContent = "the server does not answer: start kodforge browse again, and open its new address";
    clearTimeout(timer);
    timer = setTimeout(look, wait);
  }

  // The list comes with its facets open, as they are without scripts; on a phone they would stand before all rows.
  if (matchMedia("(width < 56rem)").matches) for (const facet of all(".facet")) facet.open = false;
  if (live) {
    look();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  }
  document.documentElement.dataset.ready = "yes";
})();
