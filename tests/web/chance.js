/**
 * A person's edits, drawn by lot: what the tests of history, and of documents in Python, are fed with.
 * Run as a program it prints documents, one a line: `node tests/web/chance.js COUNT`.
 */

import { argv } from "node:process";
import { pathToFileURL } from "node:url";

import { align } from "../../web/core/align.js";
import { Catalogue } from "../../web/core/catalogue.js";
import { componentName, isComponent, usableIn } from "../../web/core/components.js";
import { Editor } from "../../web/core/editor.js";
import * as edits from "../../web/core/edits.js";
import { fixesFor } from "../../web/core/fixes.js";
import * as frames from "../../web/core/frames.js";
import * as parameters from "../../web/core/interface.js";
import { linksOf } from "../../web/core/level.js";
import * as ports from "../../web/core/ports.js";
import * as renaming from "../../web/core/renaming.js";
import { AFTER_RUN, withAfterRun } from "../../web/core/seeds.js";
import * as subgraph from "../../web/core/subgraph.js";
import { withSweep } from "../../web/core/sweep.js";
import { pipeline, random, specs } from "./specs.js";

/** @import {Document} from "../../web/core/document.js" */

/** An editor with the pipeline of the tests on the table. */
export function editorWith(json = pipeline()) {
  const editor = new Editor();
  editor.setCatalogue(new Catalogue(specs()));
  editor.open(json);
  return editor;
}

/** Some elements. @template T @param {() => number} next @param {readonly T[]} from @param {number} count @returns {T[]} */
const some = (next, from, count) => Array.from({ length: Math.min(count, from.length) }, () => from[Math.floor(next() * from.length)]);

/** @type {Readonly<Record<string, (editor: Editor, next: () => number, pick: () => string) => void>>} */
const KINDS = {
  add: (editor, next) => void editor.add(some(next, Object.values(specs()), 1)[0], { x: next() * 900, y: next() * 900 }),
  remove: (editor, _next, pick) => (editor.select([pick(), pick()]), editor.removeSelected()),
  removeKeeping: (editor, _next, pick) => (editor.select([pick()]), editor.removeKeepingFlow()),
  move: (editor, next, pick) => editor.edit([{ kind: "place", id: pick(), place: { x: Math.round(next() * 100), y: 0 } }], next() < 0.5 ? "drag" : null),
  value: (editor, next, pick) => {
    const id = pick();
    const input = editor.scene.spec(id).inputs.find((each) => each.type === "float" || each.type === "str");
    if (input) editor.setInput(id, input.name, input.type === "str" ? `text ${Math.floor(next() * 9)}` : Math.round(next() * 30), next() < 0.5);
  },
  connect: (editor, next, pick) => {
    const [from, to] = [editor.scene.ports(pick()), editor.scene.ports(pick())];
    if (from.length > 0 && to.length > 0) editor.connect(some(next, from, 1)[0], some(next, to, 1)[0]);
  },
  unlink: (editor, _next, pick) => {
    const id = pick();
    for (const name of Object.keys(editor.document.nodes.get(id)?.inputs ?? {})) editor.unlink(id, name);
  },
  duplicate: (editor, _next, pick) => (editor.select([pick(), pick()]), editor.duplicate()),
  paste: (editor, next, pick) => {
    editor.select([pick(), pick(), pick()]);
    const part = editor.copy();
    if (part) editor.paste(JSON.parse(JSON.stringify(part)), { x: next() * 500, y: 0 }, next() < 0.5);
  },
  arrange: (editor) => editor.arrange(),
  align: (editor, _next, pick) => editor.edit(align(editor.document, editor.scene, [pick(), pick(), pick()], "left")),
  title: (editor, next, pick) => editor.rename(pick(), next() < 0.5 ? "" : `title ${Math.floor(next() * 9)}`),
  mode: (editor, next, pick) => editor.edit(edits.setField([pick()], "mode", some(next, ["mute", "bypass", undefined], 1)[0])),
  swap: (editor, next, pick) => {
    const id = pick();
    if (!isComponent(editor.document.nodes.get(id)?.type ?? "")) editor.edit(edits.swapType(editor.document, id, (each) => editor.scene.spec(each), some(next, Object.values(specs()), 1)[0]));
  },
  look: (editor, next, pick) => editor.edit(edits.setPlace(editor.document, [pick()], "collapsed", next() < 0.5 ? true : undefined)),
  reroute: (editor, next) => {
    const wires = editor.scene.wiresIn({ x: -1e6, y: -1e6, w: 2e6, h: 2e6 });
    if (wires.length > 0) editor.addReroute(some(next, wires, 1)[0], { x: next() * 500, y: 0 });
  },
  sweep: (editor, next, pick) => {
    const id = pick();
    const input = editor.scene.spec(id).inputs.find((each) => each.type === "float");
    if (input) editor.edit([{ kind: "field", id, name: "sweep", value: withSweep(editor.document.nodes.get(id), input.name, next() < 0.3 ? "" : "2, 4..6") }]);
  },
  afterRun: (editor, next, pick) => {
    const id = pick();
    editor.edit([{ kind: "field", id, name: "after_run", value: withAfterRun(editor.document.nodes.get(id), "cfg", some(next, AFTER_RUN, 1)[0]) }]);
  },
  fix: (editor, next, pick) => {
    const node = pick();
    const [input] = some(next, editor.scene.spec(node).inputs, 1);
    const code = some(next, ["bad_value", "missing_input", "wrong_type", "missing_link"], 1)[0];
    const [fix] = input ? some(next, fixesFor({ code, node, port: input.name, message: "", hint: "did you mean 'a'?" }, editor), 1) : [];
    if (fix) editor.edit(fix.changes);
  },
  resize: (editor, next, pick) => editor.edit(edits.setPlace(editor.document, [pick()], "w", 200 + Math.round(next() * 300))),
  pin: (editor, next, pick) => editor.edit(edits.setPlace(editor.document, [pick()], "pinned", next() < 0.5 ? true : undefined)),
  colour: (editor, next, pick) => editor.edit(edits.setPlace(editor.document, [pick()], "colour", some(next, ["blue", undefined], 1)[0])),
  note: (editor, next) => void editor.addNote(`note ${next()}`, { x: 0, y: 0 }),
  frame: (editor, _next, pick) => editor.edit(frames.addFrame(editor.document, editor.scene, [pick(), pick()], "Frame").changes),
  frameAround: (editor, next) => {
    const [id] = some(next, [...editor.document.frames.keys()], 1);
    if (id !== undefined) editor.edit(frames.addFrame(editor.document, editor.scene, new Set(frames.membersOf(editor.document, id)), "Outer").changes);
  },
  fitFrame: (editor, next) => {
    const [id] = some(next, [...editor.document.frames.keys()], 1);
    if (id !== undefined) editor.edit(frames.fitFrame(editor.document, editor.scene, id));
  },
  unframe: (editor, next) => {
    const ids = [...editor.document.frames.keys()];
    if (ids.length > 0) editor.edit(frames.removeFrames(editor.document, new Set(some(next, ids, 1))));
  },
  drop: (editor, next, pick) => editor.edit(frames.dropIntoFrames(editor.document, editor.scene, [pick()], some(next, [...editor.document.frames.keys()], 1))),
  component: (editor, _next, pick) => editor.edit(subgraph.makeComponent(editor.document, [pick(), pick()], "Part").changes),
  instance: (editor, next) => {
    const [name] = some(next, usableIn(editor.document), 1);
    if (name !== undefined) editor.add(editor.catalogue.specOfComponent(editor.document, name), { x: 0, y: 0 });
  },
  unpack: (editor, _next, pick) => {
    const id = pick();
    if (editor.scene.spec(id).component !== undefined) editor.edit(subgraph.unpack(editor.document, id).changes);
  },
  enter: (editor, _next, pick) => editor.enter(pick()),
  leave: (editor) => editor.leave(),
  renamePort: (editor, next) => {
    const [name] = some(next, [...editor.document.components.keys()], 1);
    const [port] = some(next, editor.document.components.get(name)?.inputs ?? [], 1);
    if (port) editor.edit(renaming.renamePort(editor.document, name, "inputs", port.name, some(next, ["a", "b", "model"], 1)[0]));
  },
  renameComponent: (editor, next) => {
    const [name] = some(next, [...editor.document.components.keys()], 1);
    if (name !== undefined) editor.renameComponent(name, renaming.renameComponent(editor.document, name, some(next, ["One", "Two"], 1)[0]));
  },
  promote: (editor, _next, pick) => {
    const id = pick();
    const [name] = Object.keys(editor.document.nodes.get(id)?.inputs ?? {});
    if (name !== undefined && editor.document.level === "") editor.edit(parameters.promote(editor.document, id, name));
  },
  port: (editor, next, pick) => {
    const id = pick();
    const [ref] = some(next, editor.scene.ports(id), 1);
    if (ref && editor.document.level !== "") editor.edit(ports.addPort(editor.document, editor.document.level, ref.side === "input" ? "inputs" : "outputs", id, ref.port));
  },
};

/** Make one edit. @param {Editor} editor @param {() => number} next */
export function randomEdit(editor, next) {
  const ids = [...editor.document.nodes.keys()];
  const pick = () => ids[Math.floor(next() * ids.length)];
  const names = ids.length < 2 ? ["add", "note", "leave"] : ids.length > 40 ? ["remove", "removeKeeping"] : Object.keys(KINDS);
  const name = names[Math.floor(next() * names.length)];
  KINDS[name](editor, next, pick);
  return name;
}

/** What of a document leads nowhere. @param {Document} document @returns {string[]} */
export function faultsOf(document) {
  /** @type {string[]} */
  const faults = [];
  for (const level of ["", ...document.components.keys()]) {
    const sheet = document.sheet(level);
    for (const [id, node] of sheet.nodes) {
      for (const [name, value] of Object.entries(node.inputs)) {
        for (const link of linksOf(value)) {
          const source = sheet.nodes.get(link.node);
          if (!source) faults.push(`${level}: ${id}.${name} reads ${link.node}, which is not there`);
          else if (isComponent(source.type) && !document.components.get(componentName(source.type))?.outputs.some((port) => port.name === link.output)) {
            faults.push(`${level}: ${id}.${name} reads ${link.output} of ${source.type}, which has no such port`);
          }
        }
      }
      const own = isComponent(node.type) ? document.components.get(componentName(node.type)) : undefined;
      for (const name of own ? Object.keys(node.inputs) : []) if (!own?.inputs.some((port) => port.name === name)) faults.push(`${level}: ${id} has ${name}, which is no port of ${node.type}`);
      if (isComponent(node.type) && !document.components.has(componentName(node.type))) faults.push(`${level}: ${id} is of ${node.type}, which is not there`);
      const frame = sheet.places.get(id)?.frame;
      if (frame !== undefined && !sheet.frames.has(frame)) faults.push(`${level}: ${id} is in frame ${frame}, which is not there`);
    }
    for (const [id, frame] of sheet.frames) if (frame.frame !== undefined && !sheet.frames.has(frame.frame)) faults.push(`${level}: frame ${id} is in frame ${frame.frame}, which is not there`);
    const ports = document.components.get(level);
    for (const port of [...(ports?.inputs ?? []), ...(ports?.outputs ?? [])]) if (!sheet.nodes.has(port.node)) faults.push(`${level}: port ${port.name} leads to ${port.node}, which is not there`);
    for (const port of ports?.inputs ?? []) {
      const inner = sheet.nodes.get(port.node)?.type ?? "";
      if (isComponent(inner) && !document.components.get(componentName(inner))?.inputs.some((each) => each.name === port.input)) faults.push(`${level}: port ${port.name} leads to ${port.input} of ${inner}`);
    }
  }
  for (const port of document.interface) if (!document.sheet("").nodes.has(port.node)) faults.push(`parameter ${port.name} leads to ${port.node}, which is not there`);
  return faults;
}

if (argv[1] !== undefined && import.meta.url === pathToFileURL(argv[1]).href) {
  for (let seed = 0; seed < Number(argv[2]); seed++) {
    const next = random(seed);
    const editor = editorWith();
    for (let step = 0; step < 25; step++) randomEdit(editor, next);
    console.log(JSON.stringify(editor.document));
  }
}
