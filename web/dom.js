/** Elements from plain calls. Text is always text: nothing here parses HTML. */

/** @typedef {Readonly<Record<string, string | number | boolean | null | undefined>>} Attributes  true: present; false, null, undefined: absent */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Attributes} attributes
 * @param {...(Node | string | null)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** @param {Element} element @param {Attributes} attributes */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/**
 * A button that says what it does: to the eye by icon or text, to a screen reader by its label.
 * @param {{label: string, icon?: string, text?: string, class?: string, title?: string}} look
 * @param {(event: MouseEvent) => void} press
 */
export function button(look, press) {
  const element = h(
    "button",
    { type: "button", class: look.class ?? "button", "aria-label": look.label, title: look.title ?? (look.text ? null : look.label) },
    look.icon ? icon(look.icon) : null,
    look.text ? h("span", {}, look.text) : null,
  );
  element.addEventListener("click", press);
  return element;
}

/** Outlines on a 16 by 16 grid, drawn with a 1.5 stroke. */
const ICONS = /** @type {Readonly<Record<string, string>>} */ ({
  run: "M5 3.2v9.6l7.5-4.8z",
  stop: "M4.5 4.5h7v7h-7z",
  undo: "M6 3.5 3 6.5l3 3M3.5 6.5h6a3.5 3.5 0 0 1 0 7H7",
  redo: "m10 3.5 3 3-3 3M12.5 6.5h-6a3.5 3.5 0 0 0 0 7H9",
  fit: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  plus: "M8 3v10M3 8h10",
  menu: "M2.5 4.5h11M2.5 8h11M2.5 11.5h11",
  arrange: "M2.5 3h4v4h-4zM9.5 3h4v4h-4zM9.5 10h4v3h-4zM6.5 5h3M11.5 7v3",
  file: "M9 2.5H4.5v11h7V5zM9 2.5V5h2.5",
  open: "M2.5 12.5v-9H6l1.5 2h6v7z",
  save: "M3 3h8l2 2v8H3zM5.5 3v3h4V3M5.5 13V9.5h5V13",
  dice: "M3 3h10v10H3zM5.8 5.8h.01M10.2 5.8h.01M8 8h.01M5.8 10.2h.01M10.2 10.2h.01",
  history: "M8 4.5V8l2.5 1.5M3 8a5 5 0 1 0 1.5-3.5L3 6M3 3v3h3",
  outline: "M3 3.5h4M6 8h7M6 12.5h7M3 3.5v9M3 8h3M3 12.5h3",
  help: "M5.8 6a2.2 2.2 0 1 1 3.2 2c-.7.4-1 .8-1 1.6M8 12.3h.01",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "m4 4 8 8M12 4l-8 8",
  download: "M8 2.5v7.5M5 7l3 3 3-3M3 13.5h10",
  external: "M9.5 3H13v3.5M13 3 7.5 8.5M11.5 9v4h-8.5V5h4",
  graph: "M2.5 3h4v3h-4zM9.5 10h4v3h-4zM6.5 4.5h1.5a1.5 1.5 0 0 1 1.5 1.5v4",
  picture: "M2.5 3h11v10h-11zM2.5 11l3.5-3.5 2.5 2.5 2-2 3 3M10.5 5.8h.01",
  alert: "M8 2.8 14 13H2zM8 6.5v3M8 11.3h.01",
  pause: "M5 3.5v9M11 3.5v9",
  grip: "M6 4h.01M10 4h.01M6 8h.01M10 8h.01M6 12h.01M10 12h.01",
  repeat: "M3 8a5 5 0 0 1 8.6-3.5L13 6M13 3v3h-3M13 8a5 5 0 0 1-8.6 3.5L3 10M3 13v-3h3",
  up: "m4 10 4-4 4 4",
  down: "m4 6 4 4 4-4",
  brush: "M13 3 7.5 8.5M7 9a2 2 0 0 0-3 1.5c0 1.5-1 2-1.5 2 2.5 1 5.5.5 5.5-2zM11 3l2 2",
  film: "M2.5 3h11v10h-11zM5 3v10M11 3v10M2.5 8h11",
  curve: "M2.5 13.5h11M2.5 2.5v11M2.5 11c4 0 5-7 11-7",
  gallery: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z",
  compare: "M8 2v12M2.5 4h4v8h-4zM9.5 4h4v8h-4z",
  layers: "m8 2.5 5.5 3-5.5 3-5.5-3zM2.5 8.5l5.5 3 5.5-3M2.5 11l5.5 3 5.5-3",
  copy: "M5.5 5.5h8v8h-8zM3 10.5h-.5v-8h8v.5",
  queue: "M3 4h10M3 8h10M3 12h6",
  search: "M7 2.8a4.2 4.2 0 1 1 0 8.4 4.2 4.2 0 0 1 0-8.4zM10.2 10.2l3 3",
  nodes: "M2.5 3h5v4h-5zM2.5 9.5h5v3.5h-5zM10 4h3.5M10 6h3.5M10 10.5h3.5M10 12.5h3.5",
  sliders: "M2.5 4.5h5M11 4.5h2.5M2.5 11.5h2M8.5 11.5h5M9.2 3v3M6.5 10v3",
  steps: "M8 2.5a5.5 5.5 0 1 0 5.5 5.5M8 5v3l2 1.5M13.5 2.5v3h-3",
  flag: "M4 14V2.5h8l-2 3 2 3H4",
});

/** @param {string} name */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  setAttributes(svg, { viewBox: "0 0 16 16", class: `icon icon-${name}`, "aria-hidden": "true" });
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * Put a surface at a point of the window, wholly in it. Its own units are others where text is larger.
 * @param {HTMLElement} element
 * @param {{x: number, y: number}} at
 */
export function placeAt(element, at) {
  const { width, height } = element.getBoundingClientRect();
  const zoom = width / element.offsetWidth || 1;
  element.style.left = `${Math.max(8, Math.min(at.x, innerWidth - width - 8)) / zoom}px`;
  element.style.top = `${Math.max(8, Math.min(at.y, innerHeight - height - 8)) / zoom}px`;
}

/** Opened, a menu has the focus on its first item; arrows go from item to item. @param {HTMLElement} menu  a popover of buttons */
export function walkByArrows(menu) {
  const items = () => [...menu.querySelectorAll("button")].filter((item) => !item.disabled);
  menu.addEventListener("toggle", (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === "open") items()[0]?.focus();
  });
  menu.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    all.at(to % all.length)?.focus();
  });
}

/** Replace an element's children only when they differ. @param {Element} element @param {string} text */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Whether a key press or paste belongs to a text field. @param {EventTarget | null} target */
export const isEditing = (target) =>
  target instanceof HTMLTextAreaElement ||
  target instanceof HTMLSelectElement ||
  (target instanceof HTMLInputElement && !["checkbox", "range", "button", "file"].includes(target.type));
