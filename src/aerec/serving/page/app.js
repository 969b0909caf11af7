import { ask } from "./api.js";
import { MOST, readState, state, writeState } from "./state.js";
import { element, stars, tags, thumb, unitList, unitName, unitSlider, unitsOf } from "./parts.js";

const $ = (id) => document.getElementById(id);
let served = null;
let latest = { search: null, results: null };
let starts = 0;
let codeShown = false;
const known = new Map(); // units of the main model that can be steered, by their number

// What the things are called: not all data has titles. Ids are text or safe numbers; they are never computed with.
const noun = (n) => (served.titles ? "title" : "item") + (n === 1 ? "" : "s");

// ------------------------------------------------------------------ start

async function start() {
  const mine = ++starts;
  const wanted = readState();
  try {
    served = await ask("/v1/models");
  } catch (error) {
    return complain(error);
  }
  $("token-form").hidden = true;
  complain(null);
  describeServer();
  known.clear();
  const named = [...state.steer.keys()].map((unit) => ["unit", unit]);
  const asked = served.models[0].steerable ? ["k=8", ...(named.length ? [new URLSearchParams(named)] : [])] : [];
  for (const query of asked) remember((await ask(`/v1/units?${query}`).catch(() => ({ units: [] }))).units);
  for (const unit of state.steer.keys()) if (!known.has(unit)) state.steer.delete(unit);
  const ids = wanted.map(([id]) => ["id", id]);
  const { items } = ids.length ? await ask(`/v1/items?${new URLSearchParams(ids)}`).catch(() => ({ items: [] })) : { items: [] };
  if (mine !== starts) return;
  const found = new Map(items.map((item) => [String(item.item), item]));
  state.picks.clear();
  for (const [id, value] of wanted) if (found.has(id)) state.picks.set(id, { ...found.get(id), value });
  const lost = wanted.length - state.picks.size;
  if (lost) complain(new Error(`${lost} of the ${noun(2)} in this link are not in this model.`));
  showFilters();
  changed(false);
  search();
}

function describeServer() {
  const [main, other] = served.models;
  const names = other ? `${main.name} beside ${other.name}` : main.name;
  $("about").textContent = `${names}: ${main.n_items.toLocaleString("en")} ${noun(main.n_items)}, trained on ${main.n_users.toLocaleString("en")} users`;
  $("query-label").textContent = served.titles ? "Search titles" : "Search item ids";
  $("query").placeholder = served.titles ? "A word or two; typing errors are fine" : "An id or a part of it";
  $("genre").replaceChildren(element("option", { value: "" }, "all"), ...served.genres.map((one) => element("option", { value: one }, one)));
  $("genre-field").hidden = !served.genres.length;
  $("year-field").hidden = !served.years;
  if (served.years) {
    for (const [id, at] of [["from", 0], ["to", 1]]) {
      $(id).min = served.years[0];
      $(id).max = served.years[1];
      $(id).placeholder = served.years[at];
    }
  }
}

function showFilters() {
  for (const key of ["genre", "from", "to", "many"]) $(key).value = state[key];
  if (!$("many").value) $("many").value = state.many = "10";
  if ($("genre").selectedIndex < 0) $("genre").value = state.genre = "";
}

// ------------------------------------------------------------------ searching

// Returns what was found; null where a later search has taken the place of this one.
async function search() {
  latest.search?.abort();
  const mine = (latest.search = new AbortController());
  const query = $("query").value.trim();
  showSuggestions();
  try {
    const { items } = await ask(`/v1/items?${new URLSearchParams({ query, k: 8 })}`, { signal: mine.signal });
    if (mine !== latest.search) return null;
    $("found-status").textContent = query
      ? items.length ? `${items.length} ${noun(items.length)} found` : `No ${noun(1)} matches “${query}”. Try fewer or other letters.`
      : `Popular ${noun(2)} to start with:`;
    $("found").replaceChildren(...items.map(foundRow));
    $("found").removeAttribute("aria-busy");
    showSuggestions();
    return items;
  } catch (error) {
    if (mine === latest.search) $("found").removeAttribute("aria-busy");
    complain(error);
    return null;
  }
}

// Whether the first result is what was typed: numbers in it must be whole words of its title or id, as in "sku 1228".
// Zeros before a number do not count.
function isMeant(item, query) {
  const words = (text) => new Set(text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean).map((word) => word.replace(/^0+(?=\d)/, "")));
  const there = words(`${item.title} ${item.item}`);
  return [...words(query)].every((word) => !/\d/.test(word) || there.has(word) || query === String(item.item));
}

// Popular items are shown at first. Once something is chosen, only search results are.
function showSuggestions() {
  $("found").hidden = $("found-status").hidden = state.picks.size > 0 && !$("query").value.trim();
}

function foundRow(item) {
  const what = element("div", { class: "what" }, element("div", { class: "title" }, item.title), tags(item.genres));
  return element("li", { class: "row" }, what, choiceButtons(item));
}

function choiceButtons(item) {
  const scale = served.models[0].stars;
  const like = element("button", { type: "button", "aria-label": `Like ${item.title}`, title: "Like" }, scale ? "+" : thumb(true));
  like.addEventListener("click", () => pick(item, scale ? scale.at(-1) : "like", `${item.title} added`));
  const not = element("button", { type: "button", "aria-label": `Not for me: ${item.title}`, title: "Not for me" }, thumb(false));
  not.addEventListener("click", () => pick(item, "not", `${item.title} will not be recommended`));
  return element("div", { class: "acts" }, like, not);
}

// ------------------------------------------------------------------ choosing

let announced = "";

function pick(item, value, told) {
  const place = focusPlace();
  state.picks.set(String(item.item), { ...item, value });
  announced = told;
  changed().then(() => restoreFocus(place));
}

function changed(write = true) {
  if (write) {
    writeState();
    complain(null);
  }
  $("no-picks").hidden = state.picks.size > 0;
  showSuggestions();
  $("clear").hidden = $("down").hidden = state.picks.size === 0;
  $("picks").replaceChildren(...[...state.picks].reverse().map(([id, one]) => pickRow(id, one)));
  return recommend();
}

function pickRow(id, one) {
  const what = element("div", { class: "what" }, element("div", { class: "title" }, one.title));
  const scale = served.models[0].stars;
  if (scale && one.value !== "not") {
    what.append(stars(one.title, scale, one.value, (value) => {
      state.picks.set(id, { ...one, value });
      announced = `${one.title}: ${value} stars`;
      changed().then(() => $("picks").querySelector(`[name="stars of ${CSS.escape(one.title)}"]:checked`)?.focus());
    }));
  } else {
    const liked = one.value !== "not";
    what.append(element("span", { class: `mark ${liked ? "liked" : "disliked"}` }, thumb(liked), liked ? "liked" : "not for me"));
  }
  const remove = element("button", { type: "button", "aria-label": `Remove ${one.title}`, title: "Remove" }, "✕");
  remove.addEventListener("click", () => {
    state.picks.delete(id);
    announced = `${one.title} removed`;
    changed();
    ($("picks").querySelector("button") || $("query")).focus();
  });
  return element("li", { class: "row" }, what, element("div", { class: "acts" }, remove));
}

// ------------------------------------------------------------------ recommending

async function recommend() {
  latest.results?.abort();
  const mine = (latest.results = new AbortController());
  $("results").setAttribute("aria-busy", "true");
  const answers = await Promise.allSettled(
    served.models.map(({ key }) => ask("/v1/recommend", { body: request(key), signal: mine.signal })),
  );
  if (mine.signal.aborted) return;
  $("results").removeAttribute("aria-busy");
  const failed = answers.find((one) => one.status === "rejected");
  if (failed) complain(failed.reason);
  const lists = answers.map((one) => (one.status === "fulfilled" ? one.value : { items: [] }));
  const inAll = new Set(lists.length > 1 ? lists[0].items.filter((a) => lists[1].items.some((b) => b.item === a.item)).map((a) => a.item) : []);
  $("results").replaceChildren(...lists.map((list, at) => column(list, at, inAll)));
  const common = lists.length > 1 ? `, ${inAll.size} of them in both lists (marked)` : "";
  $("status").textContent = `${announced ? `${announced}. ` : ""}${lists[0].items.length} recommendations${common}`;
  announced = "";
}

function remember(units) {
  for (const unit of units) if (unit.strength > 0) known.set(unit.unit, { ...unit, weight: 0 });
}

function request(model) {
  const body = { model, history: [], block: [], k: Number(state.many), explain: true };
  for (const one of state.picks.values()) {
    if (one.value === "not") body.block.push(one.item);
    else body.history.push(typeof one.value === "number" ? { item: one.item, rating: one.value } : one.item);
  }
  const steered = [...state.steer].filter(([unit]) => known.has(unit));
  if (model === "main" && steered.length) body.steer = Object.fromEntries(steered.map(([unit, times]) => [unit, times * known.get(unit).strength]));
  if (state.genre) body.genres = [state.genre];
  for (const key of ["from", "to"]) {
    const year = Number(state[key]);
    if (state[key] && Number.isInteger(year) && year >= 0 && year <= 9999) body[`year_${key}`] = year;
  }
  return body;
}

function column(list, at, inAll) {
  const rows = list.items.map((item, rank) => resultRow(item, rank, inAll.has(item.item)));
  const { name, key } = served.models[at];
  const code = unitsShown(list.items, at);
  const title = served.models.length > 1 ? [element("h3", { id: `model-${key}` }, name)] : [];
  const filtered = state.genre || state.from || state.to;
  const nothing = filtered ? "No recommendation matches these filters. Widen or clear them."
    : "Nothing is left to recommend. Remove something from your choice.";
  const empty = rows.length ? [] : [element("p", { class: "hint" }, nothing)];
  return element("div", {}, ...title, ...code, element("ol", { class: "list", "aria-label": `Recommended by ${name}` }, ...rows), ...empty);
}

// The units behind a list. Of a model that can be steered: those that are turned up or down too, or else the most active.
function unitsShown(items, at) {
  const { name, n_code: nCode, steerable } = served.models[at];
  const behind = unitsOf(items);
  const toggle = [codeShown, (open) => (codeShown = open)];
  const told = `${behind.length} of the ${nCode} code units of ${name} contribute to this list`;
  if (at || !steerable) return behind.length ? [unitList(behind.slice(0, 8), told, ...toggle)] : [];
  remember(behind);
  const first = behind.slice(0, 8).filter((unit) => unit.strength > 0);
  const others = [...known.values()].filter((unit) => !first.some((one) => one.unit === unit.unit));
  const shown = [...first, ...others.filter((unit) => state.steer.has(unit.unit) || !first.length).slice(0, 16)];
  const slider = (unit) => unitSlider(unit, state.steer.get(unit.unit) || 0, MOST, (times) => steer(unit, times));
  const text = behind.length ? `${told}: turn them up or down` : `Units of ${name}: turn them up or down`;
  return shown.length ? [unitList(shown, text, ...toggle, slider)] : [];
}

function steer(unit, times) {
  if (times) state.steer.set(unit.unit, times);
  else state.steer.delete(unit.unit);
  announced = `Unit ${unitName(unit)} ${times > 0 ? "turned up" : times < 0 ? "turned down" : "as it is"}`;
  const label = `Steer unit ${unitName(unit)}`;
  changed().then(() => $("results").querySelector(`[aria-label="${CSS.escape(label)}"]`)?.focus({ preventScroll: true }));
}

function resultRow(item, rank, same) {
  const what = element("div", { class: "what" }, element("div", { class: "title" }, item.title), tags(item.genres));
  if (item.because?.length) {
    const names = item.because.map((one) => one.title);
    what.append(element("p", { class: "because" }, `because ${served.models[0].stars ? "of your rating of" : "you liked"} ${names.slice(0, 2).join(" and ")}`));
  }
  if (item.units?.length) {
    const names = item.units.slice(0, 2).map((one) => `unit ${unitName(one)}`);
    what.append(element("p", { class: "because" }, `from ${names.join(" and ")}`));
  }
  if (same) what.append(element("span", { class: "hidden" }, "in both lists"));
  return element("li", { class: same ? "row same" : "row" }, element("span", { class: "rank", "aria-hidden": "true" }, String(rank + 1)), what, choiceButtons(item));
}

// After a click in a list the button is gone: the focus goes to what is now in its place.
function focusPlace() {
  const list = document.activeElement?.closest("#results ol, #found");
  if (!list) return null;
  return { list: list.id === "found" ? "#found" : "#results ol", at: [...list.querySelectorAll("button")].indexOf(document.activeElement) };
}

function restoreFocus(place) {
  if (!place || place.list === "#found") return;
  const buttons = document.querySelectorAll(`${place.list} button`);
  buttons[Math.min(place.at, buttons.length - 1)]?.focus({ preventScroll: true });
}

// ------------------------------------------------------------------ errors

function complain(error) {
  if (error?.name === "AbortError") return;
  if (error?.status === 401) {
    $("token-form").hidden = false;
    $("token").focus();
  }
  $("notice").hidden = !error;
  $("notice").textContent = error ? error.message : "";
}

// ------------------------------------------------------------------ listening

let typing;
$("query").addEventListener("input", () => {
  clearTimeout(typing);
  $("found").setAttribute("aria-busy", "true");
  typing = setTimeout(search, 120);
});
$("search-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(typing);
  const query = $("query").value.trim();
  const items = await search();
  if (!query || !items?.length || query !== $("query").value.trim()) return;
  const button = $("found").querySelector("button");
  if (!isMeant(items[0], query)) return button.focus();
  button.click();
  $("query").select();
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step || !event.target.closest("#search-form, #found, #results") || event.target.matches("[type=radio], [type=range]")) return;
  const list = event.target.closest("#results") || $("found");
  const firsts = [...list.querySelectorAll("li")].map((row) => row.querySelector("button"));
  const next = firsts.findIndex((one) => one.closest("li").contains(event.target)) + step;
  event.preventDefault();
  if (next < 0 && list === $("found")) $("query").focus();
  else firsts[Math.min(Math.max(next, 0), firsts.length - 1)]?.focus();
});
for (const kind of ["input", "change"]) {
  $("filters").addEventListener(kind, () => {
    const other = ["genre", "from", "to", "many"].filter((key) => state[key] !== $(key).value);
    for (const key of other) state[key] = $(key).value;
    if (other.length) changed();
  });
}
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("clear").addEventListener("click", () => {
  state.picks.clear();
  state.steer.clear();
  announced = "All removed";
  changed();
  $("query").focus();
});
$("down").addEventListener("click", () => {
  $("see-title").scrollIntoView();
  $("results").focus({ preventScroll: true });
});
$("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    $("share").textContent = "Copied";
  } catch {
    $("share").textContent = "Copy it from the address bar";
  }
  setTimeout(() => ($("share").textContent = "Copy link"), 2000);
});
$("theme").value = document.documentElement.dataset.theme || "";
$("theme").addEventListener("change", () => {
  const chosen = $("theme").value;
  localStorage.setItem("aerec-theme", chosen);
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
});
$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("aerec-token", $("token").value);
  start();
});
window.addEventListener("hashchange", start);

start();
