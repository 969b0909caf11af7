// Pieces of the page. Text is always set as text, never as HTML.
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const THUMB = "M2 10h3v10H2zM7 20V10l4-8c1.4 0 2.3 1 2.1 2.4L12.5 9H19c1.2 0 2.2 1.1 2 2.3l-1.3 7c-.2 1-1 1.7-2 1.7z";

// A thumb, drawn: not every machine has a font with one.
export function thumb(up) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const shape = { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true", class: up ? "thumb" : "thumb down" };
  for (const [key, value] of Object.entries(shape)) svg.setAttribute(key, value);
  path.setAttribute("d", THUMB);
  svg.append(path);
  return svg;
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
    const star = element("span", { "aria-hidden": "true" }, "★");
    return element("label", number <= value ? { class: "on" } : {}, input, star, text);
  });
  return element("fieldset", { class: "stars" }, element("legend", { class: "hidden" }, `Your rating of ${title}`), ...labels);
}
