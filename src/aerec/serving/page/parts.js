// Pieces of the page. Text is always set as text, never as HTML.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const THUMB = "M2 10h3v10H2zM7 20V10l4-8c1.4 0 2.3 1 2.1 2.4L12.5 9H19c1.2 0 2.2 1.1 2 2.3l-1.3 7c-.2 1-1 1.7-2 1.7z";

const STAR = "M12 2.6l2.9 6 6.6.9-4.8 4.6 1.2 6.5-5.9-3.2-5.9 3.2 1.2-6.5L2.5 9.5l6.6-.9z";

// Drawn: not every machine has a font with thumbs and stars.
function drawn(outline, kind) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const shape = { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", class: kind };
  for (const [key, value] of Object.entries(shape)) svg.setAttribute(key, value);
  path.setAttribute("d", outline);
  svg.append(path);
  return svg;
}

export function thumb(up) {
  return drawn(THUMB, up ? "thumb" : "thumb down");
}

export function tags(genres) {
  return element("div", { class: "tags" }, ...genres.map((one) => element("span", { class: "tag" }, one)));
}

// A row of stars: radio buttons, so that the arrow keys and screen readers know what they are.
export function stars(title, scale, value, onChange) {
  const labels = scale.map((number) => {
    const input = element("input", { type: "radio", name: `stars of ${title}`, value: number });
    input.checked = number === value;
    input.addEventListener("change", () => onChange(number));
    const text = element("span", { class: "hidden" }, `${number} of ${scale.at(-1)}`);
    return element("label", number <= value ? { class: "on" } : {}, input, drawn(STAR, "star"), text);
  });
  return element("fieldset", { class: "stars" }, element("legend", { class: "hidden" }, `Your rating of ${title}`), ...labels);
}

// What a unit of the code is called: by its number, and the genres that it stands for, where there are some.
export function unitName(unit) {
  return unit.genres.length ? `${unit.unit} (${unit.genres.join(", ")})` : String(unit.unit);
}

// The code units behind a list, the heaviest first; none where the model has no code or nothing is chosen.
export function unitsOf(items) {
  const sums = new Map();
  for (const unit of items.flatMap((item) => item.units || [])) {
    const known = sums.get(unit.unit) || { ...unit, weight: 0 };
    sums.set(unit.unit, { ...known, weight: known.weight + unit.weight });
  }
  return [...sums.values()].sort((a, b) => b.weight - a.weight);
}

// Shows them: what each stands for, and its share in the list; with a slider where the units can be steered.
export function unitList(units, told, open, onToggle, slider) {
  const heaviest = Math.max(...units.map((unit) => unit.weight), 1e-9);
  const rows = units.map((unit) => {
    const share = element("meter", { min: 0, max: heaviest, value: unit.weight, "aria-label": `Weight of unit ${unit.unit}` });
    const what = element("span", { class: "unit" }, `Unit ${unitName(unit)}`);
    return element("li", {}, share, element("div", {}, what, ` ${unit.titles.join(" · ")}`), ...(slider ? [slider(unit)] : []));
  });
  const made = element("details", { class: "code" }, element("summary", {}, told), element("ul", {}, ...rows));
  made.open = open;
  made.addEventListener("toggle", () => onToggle(made.open));
  return made;
}

// Turns a unit up or down, in multiples of its strength.
export function unitSlider(unit, times, most, onChange) {
  const input = element("input", { type: "range", min: -most, max: most, step: 0.5, value: times, "aria-label": `Steer unit ${unitName(unit)}` });
  const shown = element("output", {}, steering(times));
  input.addEventListener("input", () => (shown.textContent = steering(Number(input.value))));
  input.addEventListener("change", () => onChange(Number(input.value)));
  return element("div", { class: "steer" }, input, shown);
}

function steering(times) {
  return times ? `${times > 0 ? "+" : "−"}${Math.abs(times)}` : "as it is";
}
