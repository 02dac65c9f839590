/** One node as ordinary DOM: real inputs, named ports, a status line; its geometry comes from the scene, never measured. */

import { h, icon, setAttributes, setText } from "../dom.js";
import { NOTE, REROUTE } from "../core/catalogue.js";
import { colourOf, isPlain, tintOf } from "../core/colours.js";
import { linksOf, own } from "../core/document.js";
import { helpOf, portLabel } from "../core/naming.js";
import { sentence } from "../core/run.js";
import { phrase, t, tongueOf } from "../core/strings.js";
import { createControl } from "../widgets/index.js";
import { isOff, namingOf, titleOf } from "./look.js";
import { noteElements } from "./note.js";
import { detailsOf, statusText, whyOf } from "./status.js";

/** @import {Editor} from "../core/editor.js" */
/** @import {Layout, Row} from "../core/geometry.js" */
/** @import {NodeRun} from "../core/run.js" */
/** @import {NodeSpec, PortRef, Problem} from "../core/types.js" */
/** @import {Control} from "../widgets/index.js" */
/** @typedef {{fields: import("../widgets/field.js").Fields}} NodeServices */

export class NodeView {
  id;
  element;
  #editor;
  #services;
  #head = h("header", { class: "node-head" });
  #title = h("span", { class: "node-title" });
  #badge = h("span", { class: "node-badge" });
  #body = h("div", { class: "node-body" });
  #bar = h("div", { class: "node-bar", hidden: true }, h("i"));
  #status = h("div", { class: "node-status" });
  #problems = h("div", { class: "node-problems" });
  /** A note as it reads; its text is under it, and shows while it is edited. */
  #note = h("div", { class: "note-text" });
  /** @type {Map<string, Control>} */
  #controls = new Map();
  /** @type {Map<string, HTMLElement>} "side\0name" -> port */
  #ports = new Map();
  /** What `showRun` showed last. @type {[NodeRun | undefined, readonly Problem[] | null, string]} */
  #shown = [undefined, null, ""];
  /** What the body was built for. */
  #built = "";
  /** @type {NodeSpec | null} */
  #spec = null;

  /** @param {string} id @param {Editor} editor @param {NodeServices} services */
  constructor(id, editor, services) {
    this.id = id;
    this.#editor = editor;
    this.#services = services;
    this.#head.append(this.#title, this.#badge);
    this.#head.addEventListener("pointerenter", () => this.#explain());
    this.#problems.id = `problems-${encodeURIComponent(id)}`;
    this.element = h("div", { class: "node", role: "group", tabindex: 0, "data-node": id }, this.#head, this.#bar, this.#body, this.#status, this.#problems);
    this.update();
  }

  /** Show the document's node as it is now. */
  update() {
    const { document, scene } = this.#editor;
    const node = document.nodes.get(this.id);
    const box = scene.nodes.box(this.id);
    const layout = scene.layout(this.id);
    if (!node || !box || !layout) return;
    const { style } = this.element;
    style.transform = `translate(${box.x}px, ${box.y}px)`;
    style.width = `${box.w}px`;
    style.height = `${box.h}px`;
    style.setProperty("--begin", `${layout.label}px`);
    setText(this.#title, titleOf(this.#editor, this.id));
    const spec = scene.spec(this.id);
    this.#showKind(spec, node);
    const shape = JSON.stringify([layout.h, layout.rows.map((row) => [row.kind, row.input?.name, row.output?.name, row.y, row.h]), box.w]);
    if (spec !== this.#spec || shape !== this.#built) this.#build(spec, layout, shape);
    for (const [name, control] of this.#controls) control.show(own(node.inputs, name) ?? spec.inputs.find((input) => input.name === name)?.default);
    if (node.type === NOTE) this.#note.replaceChildren(...noteElements(String(node.inputs.text ?? "")));
    this.#showLinks();
  }

  /** Say what the node does, to who points at it. */
  #explain() {
    const spec = this.#editor.scene.spec(this.id);
    if (spec) this.#head.title = spec.missing ? t("node.unknown") : [spec.title, helpOf(spec)].filter(Boolean).join("\n\n");
  }

  /** What kind of node it is, and what a person made of it. @param {NodeSpec} spec @param {import("../core/types.js").NodeData} node */
  #showKind(spec, node) {
    const { classList, style } = this.element;
    const { collapsed, pinned, colour } = this.#editor.document.places.get(this.id) ?? {};
    const tint = tintOf(colour);
    const kinds = { missing: spec.missing, reroute: spec.id === REROUTE, note: spec.id === NOTE, off: isOff(this.#editor, this.id), bypassed: node.mode === "bypass", collapsed, pinned, tinted: tint };
    for (const [name, is] of Object.entries(kinds)) classList.toggle(`is-${name}`, Boolean(is));
    style.setProperty("--tint", tint ? `light-dark(${tint.light}, ${tint.dark})` : "");
  }

  /** @param {boolean} selected */
  select(selected) {
    this.element.classList.toggle("selected", selected);
    this.element.setAttribute("aria-current", String(selected));
  }

  /** @param {NodeRun | undefined} run @param {readonly Problem[]} problems */
  showRun(run, problems) {
    const title = titleOf(this.#editor, this.id);
    const [shownRun, shownProblems, shownTitle] = this.#shown;
    if (run === shownRun && problems === shownProblems && title === shownTitle) return;
    this.#shown = [run, problems, title];
    const failing = problems.length > 0;
    setAttributes(this.element, { "data-state": failing ? "failed" : (run?.state ?? null) });
    const status = statusText(run);
    this.element.setAttribute("aria-label", t("node.group", { title, status: failing ? t("status.failed") : status }));
    setText(this.#badge, run && run.state !== "queued" && run.state !== "idle" && !failing ? status : "");
    this.element.classList.toggle("would-run", run?.next !== undefined);
    const naming = namingOf(this.#editor);
    const why = whyOf(run, naming);
    setText(this.#status, failing ? "" : why);
    this.#status.title = why;
    this.#badge.title = failing ? "" : detailsOf(run, naming);
    this.#bar.toggleAttribute("hidden", run?.state !== "running");
    this.#bar.classList.toggle("unknown", run?.total === undefined);
    const fill = /** @type {HTMLElement} */ (this.#bar.firstElementChild);
    fill.style.width = run?.total ? `${(100 * (run.step ?? 0)) / run.total}%` : "";
    this.#showProblems(problems);
  }

  /**
   * While a link is drawn: light the ports it fits, dim the rest. null: back to normal.
   * @param {((ref: PortRef) => string | null) | null} refusalOf
   */
  light(refusalOf) {
    let any = false;
    for (const ref of this.#editor.scene.ports(this.id)) {
      const port = this.#ports.get(`${ref.side}\0${ref.port}`);
      const why = refusalOf ? refusalOf(ref) : null;
      port?.classList.toggle("fits", refusalOf !== null && why === null);
      port?.classList.toggle("dims", why !== null);
      any ||= why === null;
    }
    this.element.classList.toggle("dims", refusalOf !== null && !any);
  }

  /** Put a text field in the place of the title. */
  editTitle() {
    const box = h("input", { class: "title-box", value: titleOf(this.#editor, this.id), "aria-label": t("save.name") });
    let done = false;
    const finish = (/** @type {boolean} */ keep) => {
      if (done) return;
      done = true;
      box.replaceWith(this.#title);
      const title = box.value.trim();
      if (keep) this.#editor.rename(this.id, title);
    };
    box.addEventListener("blur", () => finish(true));
    box.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key !== "Enter" && event.key !== "Escape") return;
      finish(event.key === "Enter");
      this.element.focus({ preventScroll: true });
    });
    this.#title.replaceWith(box);
    box.select();
  }

  /** @param {NodeSpec} spec @param {Layout} layout @param {string} shape */
  #build(spec, layout, shape) {
    this.#spec = spec;
    this.#built = shape;
    this.#controls.clear();
    this.#ports.clear();
    this.#body.replaceChildren(...(layout.rows.length > 0 ? layout.rows.map((row) => this.#row(row)) : this.#stubs(spec, layout)));
    if (layout.rows.length > 0) this.#body.append(h("div", { class: "node-grip", "data-grip": true, title: t("node.resize", { title: spec.title }) }));
  }

  /** The ports of a node that shows no rows. @param {NodeSpec} spec @param {Layout} layout */
  #stubs(spec, layout) {
    const element = h("div", { class: "row ports" });
    element.style.top = "0";
    element.style.height = `${layout.h}px`;
    element.append(...spec.inputs.map((input) => this.#port("input", input.name, input.type)), ...spec.outputs.map((output) => this.#port("output", output.name, output.type)));
    return [element];
  }

  /** @param {Row} row */
  #row(row) {
    const element = h("div", { class: `row ${row.kind}` });
    element.style.top = `${row.y}px`;
    element.style.height = `${row.h}px`;
    if (row.input) {
      element.append(this.#port("input", row.input.name, row.input.type));
      const label = portLabel(row.input.name);
      const tall = row.kind === "widget" && row.h > 40;
      if (!tall) element.append(h("span", { class: "port-label", title: `${row.input.name}: ${row.input.type}` }, label));
      if (row.kind === "widget") element.append(this.#control(row.input, label));
      if (this.#spec?.id === NOTE) element.append(this.#note);
      if (row.kind === "linked") element.append(h("span", { class: "linked-from", "data-from": row.input.name }));
    }
    if (row.output) {
      element.append(h("span", { class: "port-label out", title: `${row.output.name}: ${row.output.type}` }, portLabel(row.output.name)));
      element.append(this.#port("output", row.output.name, row.output.type));
    }
    return element;
  }

  /** @param {"input" | "output"} side @param {string} name @param {string} type */
  #port(side, name, type) {
    const title = side === "input" ? t("node.input", { name: portLabel(name), type }) : t("node.output", { name: portLabel(name), type });
    const port = h("button", { type: "button", class: `port ${side}`, tabindex: -1, title, "data-port": name, "data-side": side, "data-type": type });
    port.classList.toggle("plain", isPlain(type));
    const { dark, light } = colourOf(type);
    port.style.setProperty("--port", `light-dark(${light}, ${dark})`);
    this.#ports.set(`${side}\0${name}`, port);
    return port;
  }

  /** @param {import("../core/types.js").InputSpec} input @param {string} label */
  #control(input, label) {
    const control = createControl(this.#services.fields(this.id, input, label));
    this.#controls.set(input.name, control);
    return control.element;
  }

  #showLinks() {
    const { document } = this.#editor;
    const inputs = document.nodes.get(this.id)?.inputs ?? {};
    /** What each output leads to. @type {Map<string, string[]>} */
    const read = new Map();
    for (const { id, name } of document.readers(this.id)) {
      for (const { node, output } of linksOf(document.input(id, name))) if (node === this.id) read.set(output, [...(read.get(output) ?? []), id]);
    }
    const from = (/** @type {string} */ name) => linksOf(own(inputs, name)).map((link) => link.node);
    const titles = (/** @type {readonly string[]} */ ids) => ids.map((id) => (document.nodes.has(id) ? titleOf(this.#editor, id) : id)).join(", ");
    for (const [key, port] of this.#ports) {
      const [side, name] = key.split("\0");
      const ends = side === "input" ? from(name) : (read.get(name) ?? []);
      port.classList.toggle("linked", ends.length > 0 || document.isShown(this.id, side, name));
      const linked = ends.length === 0 ? "" : t(side === "input" ? "node.linked" : "node.leads", { title: titles(ends) });
      setAttributes(port, { "aria-label": `${port.title} ${linked}`.trim() });
    }
    for (const label of this.#body.querySelectorAll("[data-from]")) setText(label, t("node.linked", { title: titles(from(label.getAttribute("data-from") ?? "")) }));
  }

  /** @param {readonly Problem[]} problems */
  #showProblems(problems) {
    const ports = new Set(problems.map((problem) => problem.port));
    for (const [key, port] of this.#ports) port.classList.toggle("wrong", key.startsWith("input") && ports.has(key.split("\0")[1]));
    for (const [name, { element }] of this.#controls) {
      element.classList.toggle("wrong", ports.has(name));
      const field = element.querySelector(".field");
      if (field) setAttributes(field, { "aria-describedby": ports.has(name) ? this.#problems.id : null });
    }
    const said = problems.map((problem) => sentence(problem, this.#spec?.title ?? ""));
    const text = problems.map(({ hint }, index) => `${said[index]}\n${hint}`).join("\n");
    if (this.#problems.dataset.text === text) return;
    this.#problems.dataset.text = text;
    this.#problems.replaceChildren(
      ...problems.map((problem, index) => {
        const text = h("span", { lang: tongueOf(said[index]) }, said[index]);
        void import("../panels/problems.js").then(({ addFixes }) => addFixes(text, problem, this.#editor));
        return h("div", { class: "node-problem", role: "alert", title: phrase(problem.hint ?? "") }, icon("alert"), text);
      }),
    );
  }
}
