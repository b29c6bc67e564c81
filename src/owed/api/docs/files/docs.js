// Sends the requests of the "Try it" forms. The key is read where it was typed and kept nowhere else.
"use strict";

const key = document.getElementById("key");

/** Give a fresh UUID, also where the page did not come over HTTPS. */
function freshKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Give the filled fields of a form that go to one place. */
function fields(form, place) {
  return [...form.querySelectorAll(`[data-in="${place}"]`)].filter((field) => field.value !== "");
}

/** Make the path and query of a request. */
function target(form) {
  let path = form.dataset.path;
  for (const field of fields(form, "path")) {
    path = path.replace(`{${field.name}}`, encodeURIComponent(field.value));
  }
  const query = new URLSearchParams(fields(form, "query").map((field) => [field.name, field.value]));
  for (const field of fields(form, "metadata")) {
    const [name, ...value] = field.value.split("=");
    query.append(`metadata[${name}]`, value.join("="));
  }
  return query.size ? `${path}?${query}` : path;
}

/** Encode a header's value as UTF-8, which fetch takes byte for byte. */
function encoded(value) {
  return String.fromCharCode(...new TextEncoder().encode(value));
}

/** Make the rest of a request. */
function request(form) {
  const headers = new Headers(fields(form, "header").map((field) => [field.name, encoded(field.value)]));
  if (key.value) headers.set("Authorization", `Bearer ${encoded(key.value.trim())}`);
  const [type] = fields(form, "type");
  if (type) headers.set("Content-Type", type.value);
  const [body] = fields(form, "body");
  return { method: form.dataset.method, headers, body: body?.value, cache: "no-store", credentials: "omit" };
}

/** Make an element with text in it. */
function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

/** Make a block that can be scrolled with the keyboard. */
function block(text) {
  const made = element("pre", text);
  made.tabIndex = 0;
  return made;
}

/** Write JSON for people; anything else as it is. */
function readable(text, type) {
  try {
    return type.includes("json") ? JSON.stringify(JSON.parse(text), null, 2) : text;
  } catch {
    return text;
  }
}

/** Show what came back. */
async function show(response, took, result) {
  const text = await response.text();
  const line = element("p", "");
  line.append(
    element("span", String(response.status), `status s${String(response.status)[0]}`),
    ` ${response.statusText} in ${Math.round(took)} ms`,
  );
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  result.replaceChildren(line, block(headers));
  if (text) result.append(block(readable(text, response.headers.get("Content-Type") ?? "")));
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const result = form.querySelector(".result");
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const began = performance.now();
    const response = await fetch(target(form), request(form));
    await show(response, performance.now() - began, result);
  } catch (error) {
    result.replaceChildren(element("p", `No answer: ${error.message}`, "status s0"));
  } finally {
    button.disabled = false;
  }
}

for (const form of document.forms) {
  form.addEventListener("submit", send);
  const type = form.querySelector('[data-in="type"]');
  type?.addEventListener("change", () => {
    form.querySelector('[data-in="body"]').value = type.selectedOptions[0].dataset.example;
  });
  const idempotency = form.elements.namedItem("Idempotency-Key");
  if (idempotency) {
    idempotency.value = freshKey();
    form.addEventListener("input", (event) => {
      if (event.target !== idempotency) idempotency.value = freshKey();
    });
  }
}
