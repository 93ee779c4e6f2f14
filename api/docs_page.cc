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
<main id="operations">Loading the contract…</main>
<script>
const element = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  return made;
};
fetch("/openapi.json").then((answer) => answer.json()).then((contract) => {
  const main = document.getElementById("operations");
  main.textContent = "";
  const resolve = (node) => {
    if (!node || !node.$ref) return node;
    return resolve(node.$ref.slice(2).split("/").reduce((at, step) => at[step], contract));
  };
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
          details.append(element("p", "Body, " + type));
          details.append(element("pre", JSON.stringify(resolve(media.schema), null, 2)));
        }
      }
      const answers = element("ul");
      for (const [status, answer] of Object.entries(operation.responses)) {
        answers.append(element("li", status + " " + (resolve(answer).description || "")));
      }
      details.append(answers);
      main.append(details);
    }
  }
});
</script>
</body>
</html>
)html";

}  // namespace

std::string_view docs_page() { return kPage; }

}  // namespace daybook::api
