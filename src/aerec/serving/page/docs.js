// Shows /openapi.json: every route with its fields, and a request to copy.
import { element } from "./parts.js";

const api = await (await fetch("/openapi.json")).json();
const parts = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, route]) => article(path, method.toUpperCase(), route)),
);
document.getElementById("about").textContent = `Version ${api.info.version}. Every error is {"error": "…"}.`;
document.getElementById("routes").replaceChildren(...parts);
document.getElementById("routes").removeAttribute("aria-busy");

function article(path, method, route) {
  const title = element("h2", {}, element("span", { class: "method" }, method), ` ${path}`);
  const body = route.requestBody && resolve(route.requestBody.content["application/json"].schema);
  const fields = [
    ...(route.parameters || []).map((one) => ({ ...one, where: one.in })),
    ...Object.entries(body?.properties || {}).map(([name, schema]) => ({
      name, schema, where: "body", description: schema.description, required: body.required?.includes(name),
    })),
  ];
  const answers = Object.entries(route.responses).map(([status, one]) => `${status} ${one.description}`).join(" · ");
  return element("article", {}, title, element("p", {}, `${route.summary}. ${route.description || ""}`), ...table(fields),
    element("p", { class: "hint" }, answers), element("pre", {}, curl(path, method, body)));
}

function table(fields) {
  if (!fields.length) return [];
  const head = element("tr", {}, ...["Field", "In", "Type", "Meaning"].map((one) => element("th", { scope: "col" }, one)));
  const rows = fields.map((one) => {
    const needed = one.required ? ["needed. "] : [];
    return element("tr", {}, element("td", {}, element("code", {}, one.name)), element("td", {}, one.where),
      element("td", {}, type(one.schema)), element("td", {}, ...needed, one.description || ""));
  });
  return [element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows))];
}

function type(schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const some = schema.anyOf || schema.oneOf;
  if (some) return some.filter((one) => one.type !== "null").map(type).join(" or ");
  if (schema.enum) return schema.enum.join(" or ");
  if (schema.type === "array") return `list of ${type(schema.items)}`;
  const { minimum: low, maximum: high } = schema;
  return schema.type + (low !== undefined && high !== undefined ? ` ${low}–${high}` : "");
}

function resolve(schema) {
  return schema.$ref ? api.components.schemas[schema.$ref.split("/").pop()] : schema;
}

function curl(path, method, body) {
  const filled = path.replace(/\{[^}]*\}/g, "1") + (path === "/v1/items" ? "?query=star" : "");
  const data = body ? ` -H 'Content-Type: application/json' \\\n  -d '${JSON.stringify(body.examples?.[0] ?? {})}'` : "";
  return `curl ${location.origin}${filled}${data}`;
}
