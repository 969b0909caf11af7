// What is chosen, filtered and steered, kept in the address: #like=1,2&not=3&stars=4:5,6:2&steer=7:1.5&genre=Comedy&from=1980&to=1999
// Units are steered in multiples of their strength.
export const state = { picks: new Map(), steer: new Map(), genre: "", from: "", to: "", many: "10" };

export const MOST = 4; // times its strength that a unit is turned up or down at most
const KEYS = ["genre", "from", "to", "many"];
const encode = (id) => encodeURIComponent(id);

export function writeState() {
  const lists = { like: [], not: [], stars: [] };
  for (const [id, pick] of state.picks) {
    if (typeof pick.value === "number") lists.stars.push(`${encode(id)}:${pick.value}`);
    else lists[pick.value].push(encode(id));
  }
  const parts = Object.entries(lists).filter(([, ids]) => ids.length).map(([key, ids]) => `${key}=${ids.join(",")}`);
  if (state.steer.size) parts.push(`steer=${[...state.steer].map(([unit, times]) => `${unit}:${times}`).join(",")}`);
  for (const key of KEYS) {
    if (state[key] && !(key === "many" && state[key] === "10")) parts.push(`${key}=${encodeURIComponent(state[key])}`);
  }
  history.replaceState(null, "", parts.length ? `#${parts.join("&")}` : location.pathname);
}

// Returns the choice that the address holds, as [id, value] pairs, and sets the filters.
export function readState() {
  const found = new Map();
  state.steer.clear();
  for (const key of KEYS) state[key] = key === "many" ? "10" : "";
  for (const part of location.hash.slice(1).split("&")) {
    const [key, text = ""] = part.split("=");
    if (KEYS.includes(key)) state[key] = key === "genre" ? decode(text) : text.replace(/\D/g, "").slice(0, 4);
    for (const one of text.split(",").filter(Boolean)) {
      const [id, stars] = one.split(":");
      if (key === "steer" && /^\d{1,9}$/.test(id) && Number.isFinite(Number(stars)) && Number(stars)) {
        state.steer.set(Number(id), Math.max(-MOST, Math.min(MOST, Number(stars))));
      }
      if (key === "like" || key === "not") found.set(decode(id), key);
      if (key === "stars" && Number.isFinite(Number(stars))) found.set(decode(id), Number(stars));
    }
  }
  return [...found];
}

function decode(text) {
  try { return decodeURIComponent(text); } catch { return text; }
}
