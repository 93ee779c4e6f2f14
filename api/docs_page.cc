#include "api/contract.h"

namespace daybook::api {

namespace {

constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Daybook HTTP API</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { background: #f4f4f4; padding: .5rem 1rem; overflow-x: auto; }
summary { cursor: pointer; padding: .25rem 0; }
.method { display: inline-block; width: 5rem; font-weight: 600; }
@media (prefers-color-scheme: dark) {
  body { background: #111; color: #eee; }
  pre { background: #222; }
}
</style>
</head>
<body>
<h1>Daybook HTTP API</h1>
<p>The whole contract is <a href="/openapi.json">/openapi.json</a> (OpenAPI 3.1).</p>
<noscript><p>This page needs a script; the contract itself is plain JSON.</p></noscript>
<section id="introduction"></section>
<main id="operations">Loading the contract…</main>
<h2>Types</h2>
<section id="types"></section>
<script>
const element = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};
const nameOf = (schema) => schema && schema.$ref ? schema.$ref.split("/").pop() : undefined;
// What a body looks like: a link to a named type, or the schema itself.
const shape = (media) => {
  const name = nameOf(media.schema);
  if (!name) return element("pre", JSON.stringify(media.schema, null, 2));
  const link = element("a", name);
  link.href = "#type-" + name;
  return link;
};
const open = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
};
addEventListener("hashchange", open);
fetch("/openapi.json").then((answer) => answer.json()).then((contract) => {
  const main = document.getElementById("operations");
  main.textContent = "";
  const resolve = (node) => {
    if (!node || !node.$ref) return node;
    return resolve(node.$ref.slice(2).split("/").reduce((at, step) => at[step], contract));
  };
  for (const text of contract.info.description.split("\n\n")) {
    document.getElementById("introduction").append(element("p", text.replaceAll("**", "")));
  }
  for (const [name, schema] of Object.entries(contract.components.schemas)) {
    const details = element("details");
    details.id = "type-" + name;
    const summary = element("summary");
    summary.append(element("code", name), " " + (schema.description || ""));
    const text = JSON.stringify(schema, null, 2).replace(/"#\/components\/schemas\//g, '"');
    details.append(summary, element("pre", text));
    document.getElementById("types").append(details);
  }
  for (const [path, item] of Object.entries(contract.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (!operation.responses) continue;
      const details = element("details");
      const summary = element("summary");
      const name = element("span", method.toUpperCase());
      name.className = "method";
      summary.append(name, element("code", path), " " + (operation.summary || ""));
      details.append(summary);
      if (operation.description) details.append(element("p", operation.description));
      const roles = operation["x-daybook-roles"];
      details.append(element("p", roles ? "Roles: " + roles.join(", ") : "No credential needed."));
      const parameters = [...(item.parameters || []), ...(operation.parameters || [])].map(resolve);
      if (parameters.length) {
        const list = element("ul");
        for (const parameter of parameters) {
          const row = element("li");
          const place = ` (${parameter.in}) ${parameter.description || ""}`;
          row.append(element("code", parameter.name), place);
          list.append(row);
        }
        details.append(list);
      }
      const body = resolve(operation.requestBody);
      if (body) {
        for (const [type, media] of Object.entries(body.content)) {
          const row = element("p", "Body, " + type + ": ");
          row.append(shape(media));
          details.append(row);
        }
      }
      const answers = element("ul");
      for (const [status, answer] of Object.entries(operation.responses)) {
        const {description, headers, content} = resolve(answer);
        const row = element("li", status + " " + description);
        if (headers) row.append(" Headers: " + Object.keys(headers).join(", ") + ".");
        for (const [type, media] of Object.entries(content || {})) {
          row.append(" " + type + ": ", shape(media));
        }
        answers.append(row);
      }
      details.append(answers);
      main.append(details);
    }
  }
  open();
});
</script>
</body>
</html>
)html";

}  // namespace

std::string_view docs_page() { return kPage; }

}  // namespace daybook::api
